"""Share one fork server, since starting it is slow, and one simulated platform."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol, TypeVar

import pytest

from airflow_dbt_rerun.local.dbt.runner import DbtRunner, find_dbt
from tests.support import LocalPlatform, local_platform

T = TypeVar("T")

SIMULATED_JOBS = {
    "nightly": "dbt seed; dbt build --exclude resource_type:seed",
    "run": "dbt run",
    "seeds": "dbt seed",
}


class WithDbt(Protocol):
    """Runs a coroutine function with the shared runner and returns its result."""

    def __call__(self, work: Callable[[DbtRunner], Coroutine[Any, Any, T]], /) -> T: ...  # noqa: D102


@pytest.fixture(scope="session")
def with_dbt() -> Iterator[WithDbt]:
    """Provide the shared runner: ``with_dbt(lambda runner: shop.dbt(runner, "build"))``."""
    runner = DbtRunner(find_dbt())
    with asyncio.Runner() as loop:

        def run(work: Callable[[DbtRunner], Coroutine[Any, Any, T]], /) -> T:
            return loop.run(work(runner))

        yield run
        loop.run(runner.close())


@pytest.fixture(scope="session")
def shared_simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """Serve one simulated platform for all tests that leave it as they found it."""
    with local_platform(tmp_path_factory.mktemp("simulated"), "--simulate", jobs=SIMULATED_JOBS) as platform:
        yield platform


@pytest.fixture
def simulated(shared_simulated: LocalPlatform) -> Iterator[LocalPlatform]:
    """Provide the simulated platform; trouble, faults, switches and account restrictions end with the test."""
    before = shared_simulated.control("GET", "behaviour")
    shared_simulated.trouble()
    yield shared_simulated
    shared_simulated.trouble()
    shared_simulated.control("DELETE", "faults")
    shared_simulated.control("DELETE", "account")
    shared_simulated.behave(**before)
