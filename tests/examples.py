"""How much of a large search is tried: a share of it in each run, all of it with ``-m nightly``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import pytest
from hypothesis import settings

T = TypeVar("T")

SHARE = 5
"""One of so many is tried in each run; prime, so that a sample of a product has each value of each factor."""

settings.register_profile("nightly")
sampled = pytest.mark.sampled
"""Mark a test that is not hypothesis's and tries a :func:`sample`, so that ``-m nightly`` selects it."""


def examples(thorough: int) -> int:
    """Return how many examples hypothesis tries in this run, of those that are enough for a night."""
    return thorough if _is_nightly() else thorough // SHARE


def sample(everything: Iterable[T]) -> Iterator[T]:
    """Yield every fifth of these, or at night everything."""
    return islice(everything, 0, None, 1 if _is_nightly() else SHARE)


def choose_profile(config: pytest.Config) -> None:
    """Try everything where nightly tests are asked for."""
    if _selects_nightly(config):
        settings.load_profile("nightly")


def add_to_nightly(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let ``-m nightly`` select the tests that try a share otherwise."""
    for item in items if _selects_nightly(config) else ():
        if item.get_closest_marker("sampled") or getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.nightly)


def _is_nightly() -> bool:
    return settings.get_current_profile_name() == "nightly"


def _selects_nightly(config: pytest.Config) -> bool:
    return str(config.getoption("markexpr")) == "nightly"
