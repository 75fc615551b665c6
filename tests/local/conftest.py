"""One fork server for all tests that do not end it: starting it is the slow part."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

import pytest

from airflow_dbt_rerun.local.dbt.runner import DbtRunner, find_dbt

T = TypeVar("T")


class WithDbt(Protocol):
    """Carries out a story that needs a runner, and returns what the story returns."""

    def __call__(self, story: Callable[[DbtRunner], Coroutine[Any, Any, T]], /) -> T: ...  # noqa: D102


@pytest.fixture(scope="session")
def with_dbt() -> Iterator[WithDbt]:
    """Lend the shared runner: ``with_dbt(lambda runner: shop.dbt(runner, "build"))``."""
    runner = DbtRunner(find_dbt())
    with asyncio.Runner() as loop:

        def carry_out(story: Callable[[DbtRunner], Coroutine[Any, Any, T]], /) -> T:
            return loop.run(story(runner))

        yield carry_out
        loop.run(runner.close())
