"""Run a file's tests on each engine."""

from __future__ import annotations

import pytest

from tests.engines import ENGINES, NOT_SET_UP, V2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the traps of dbt v2 to ``make test-v2``: its stories run in CI, which is to stay short."""
    for item in items:
        if "test_traps" in item.nodeid and item.get_closest_marker("v2"):
            item.add_marker(pytest.mark.nightly)


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which dbt runs."""
    if request.param == "v2" and not V2.exists():
        pytest.skip(NOT_SET_UP)
    return str(request.param)
