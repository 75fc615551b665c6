"""Run a file's tests on each engine."""

from __future__ import annotations

import pytest

from tests.engines import ENGINES, NOT_SET_UP, V2


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Which dbt runs."""
    if request.param == "v2" and not V2.exists():
        pytest.skip(NOT_SET_UP)
    return str(request.param)
