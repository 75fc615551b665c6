"""A scripted server and both senders, for every test of the client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_dbt_rerun.api.settings import Settings
from tests.api.scripted import ScriptedServer, serving
from tests.api.senders import Async, Blocking

TOKEN = "dbtc_v3ry-s3cret-t0ken"
ACCOUNT = 70403103922125


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Run a server that answers by script."""
    with serving() as running:
        yield running


@pytest.fixture
def settings(server: ScriptedServer) -> Settings:
    """Point at the scripted server."""
    return Settings(f"http://{server.address}", ACCOUNT, TOKEN)


@pytest.fixture(params=[Blocking, Async], ids=["blocking", "async"])
def sender(request: pytest.FixtureRequest) -> Blocking:
    """Send in both ways."""
    made: Blocking = request.param()
    return made
