"""How many examples hypothesis tries: a share of them in each run, all of them with ``-m nightly``."""

from __future__ import annotations

import pytest
from hypothesis import settings

SHARE = 4
"""One example of so many is tried in each run."""

settings.register_profile("nightly")


def examples(thorough: int) -> int:
    """Return how many examples to try in this run, of those that are enough for a night."""
    return thorough if settings.get_current_profile_name() == "nightly" else thorough // SHARE


def choose_profile(config: pytest.Config) -> None:
    """Try all examples where nightly tests are asked for."""
    if selects_nightly(config):
        settings.load_profile("nightly")


def add_to_nightly(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let ``-m nightly`` select the tests of hypothesis as well, which then try all examples."""
    for item in items if selects_nightly(config) else ():
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(pytest.mark.nightly)


def selects_nightly(config: pytest.Config) -> bool:
    """Return whether the tests that run are the nightly ones."""
    return str(config.getoption("markexpr")) == "nightly"
