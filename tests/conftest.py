"""Fixtures that more than one folder uses."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from airflow_dbt_rerun.testing import set_testing
from tests.border import TaskInstance
from tests.examples import add_to_nightly, choose_profile
from tests.order import in_turn
from tests.support import LocalPlatform, local_platform
from tests.system.database import NewDatabase, copy_database

JOBS = {
    "nightly": "dbt seed; dbt build --exclude resource_type:seed",
    "seeds": "dbt seed",
    "staging": "dbt run --select stg_orders+",
    "orders": "dbt run --select +orders",
}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure where the server or the dbt that the test needs is there (``.ci/run`` says so)."""
    report = yield
    required = os.environ.get("REQUIRE_SERVICES", "").split()
    if report.skipped and any(item.get_closest_marker(service) for service in required):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, but what it needs is on this machine: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def shared_platform(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalPlatform]:
    """One platform for all tests, for those who leave it as they found it."""
    simulate = ("--simulate",) if getattr(request, "param", "real") == "simulated" else ()
    with local_platform(tmp_path_factory.mktemp("platform"), *simulate, jobs=JOBS) as platform:
        yield platform


@pytest.fixture
def platform(shared_platform: LocalPlatform) -> Iterator[LocalPlatform]:
    """The shared platform, without faults, trouble or changed behaviour, before and after each test."""
    before = shared_platform.control("GET", "behaviour")
    shared_platform.control("DELETE", "requests")
    yield shared_platform
    shared_platform.control("DELETE", "faults")
    shared_platform.behave(**before)
    shared_platform.trouble()


@pytest.fixture
def new_platform(tmp_path: Path) -> Callable[..., AbstractContextManager[LocalPlatform]]:
    """Start platforms of one's own, in one place: the second is a restart of the first."""

    def start(
        *options: str, jobs: dict[str, str] | None = None, faults: bool = True
    ) -> AbstractContextManager[LocalPlatform]:
        return local_platform(tmp_path, *options, jobs=JOBS if jobs is None else jobs, faults=faults)

    return start


@pytest.fixture(scope="module")
def simulated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """Start one platform with a simulated dbt for a test file, with the ``JOBS`` that the file names."""
    jobs = getattr(request.module, "JOBS", JOBS)
    with local_platform(tmp_path_factory.mktemp("simulated"), "--simulate", jobs=jobs) as platform:
        yield platform


@pytest.fixture
def connected(simulated: LocalPlatform, monkeypatch: pytest.MonkeyPatch, test_mode: None) -> Iterator[None]:  # noqa: ARG001
    """Define the connection to the simulated platform, and leave that as it was found."""
    simulated.connect(monkeypatch)
    before = simulated.control("GET", "behaviour")
    simulated.control("DELETE", "requests")
    yield
    simulated.control("DELETE", "faults")
    simulated.control("DELETE", "account")
    simulated.behave(**before)
    simulated.trouble()


@pytest.fixture(scope="session")
def new_database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NewDatabase:
    """Give an AIRFLOW_HOME its database, a copy of one that all workers share."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if hasattr(request.config, "workerinput") else base
    return partial(copy_database, shared / "airflow")


@pytest.fixture
def test_mode() -> Iterator[None]:
    """Run without waiting, as users' own tests do."""
    with set_testing(True):
        yield


@pytest.fixture
def instance(request: pytest.FixtureRequest) -> TaskInstance:
    """Return separate work for each test in each mode."""
    return TaskInstance(run_id=request.node.name)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Where a file says ``SIMULATED_BY_DAY``, a simulated dbt does what real dbt does, which is tried at night."""
    if "shared_platform" in metafunc.fixturenames and getattr(metafunc.module, "SIMULATED_BY_DAY", False):
        real = pytest.param("real", marks=[pytest.mark.nightly, pytest.mark.dbt])
        metafunc.parametrize("shared_platform", ["simulated", real], indirect=True, scope="session")


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many examples hypothesis tries."""
    choose_profile(config)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the slow files, and let nightly tests include those of hypothesis."""
    items[:] = in_turn(items)
    add_to_nightly(config, items)
