"""The hook: from an Airflow connection to answers, in workers and in event loops."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.exceptions import DbtConfigError, DbtRefusedError, DbtServerError, DbtUnreachableError
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from tests.api.scripted import Answer, Script, ScriptedServer, data, drop, error, html, serving

TOKEN = "dbtc_v3ry-s3cret-t0ken"
RUN = {"id": 8, "status": 1, "job_definition_id": 3}


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """Run a server that answers by script."""
    with serving() as running:
        yield running


@pytest.fixture
def connect(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define the default connection, pointing at the server, with fields replaced as given."""

    def define(**fields: Any) -> None:
        known = {"conn_type": "dbt_cloud", "host": f"http://{server.address}", "login": "123", "password": TOKEN}
        monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_DEFAULT", json.dumps({**known, **fields}))

    define()
    return define


@pytest.mark.usefixtures("connect")
@pytest.mark.parametrize("conn_type", ["dbt_cloud", "dbt_rerun", "http"])
def test_a_connection_of_any_type_works(
    server: ScriptedServer, connect: Callable[..., None], conn_type: str
) -> None:
    """The official connection works as it is: fields count, the type does not, unknown extras go nowhere."""
    connect(conn_type=conn_type, extra={"X-Forgotten": "header", "timeout": 5})
    server.answers(data(RUN))
    hook = DbtCloudRerunHook()
    assert hook.get_run(8).id == 8
    assert hook.client.settings.timeout == 5.0
    assert server.asked[0].headers["authorization"] == f"Token {TOKEN}"
    assert "x-forgotten" not in server.asked[0].headers
    assert server.asked[0].path.startswith("/api/v2/accounts/123/runs/8/")


@pytest.mark.usefixtures("connect")
def test_the_async_client_asks_the_same(server: ScriptedServer) -> None:
    """P8: an event loop gets the same request out of the same connection."""
    server.answers(data(RUN))

    async def talk() -> int:
        async with await DbtCloudRerunHook(account_id="456").async_client() as client:
            return (await client.send(endpoints.get_run(8))).id

    assert asyncio.run(talk()) == 8
    assert DbtCloudRerunHook(account_id=456).get_run(8).id == 8
    first, second = server.asked
    assert first.path.startswith("/api/v2/accounts/456/runs/8/")
    assert second.path.startswith("/api/v2/accounts/456/runs/8/")
    assert first.headers["authorization"] == second.headers["authorization"]


FIRST_IMPORTS = """
import asyncio, sys, threading
from airflow_dbt_rerun.hooks import DbtCloudRerunHook

class Watchman:
    seen = {}
    def find_spec(self, name, *_):
        self.seen.setdefault(name, threading.current_thread() is threading.main_thread())

sys.meta_path.insert(0, Watchman())
asyncio.run(DbtCloudRerunHook().async_client())
print(Watchman.seen["aiohttp"], Watchman.seen.get("requests", False))  # Airflow 2 imports requests itself
"""


@pytest.mark.usefixtures("connect")
def test_the_loop_imports_no_http_library() -> None:
    """A triggerer complains of 0.2 s without a break; the first import takes longer, so a thread does it."""
    done = subprocess.run([sys.executable, "-c", FIRST_IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"


def test_the_loop_reads_no_certificates(connect: Callable[..., None], mocker: MockerFixture) -> None:
    """Certificates are read in a thread too, before the first request."""
    connect(host="https://127.0.0.1:9")
    read, threads = ssl.create_default_context, []

    def note(**options: Any) -> ssl.SSLContext:
        threads.append(threading.current_thread())
        return read(**options)

    mocker.patch("ssl.create_default_context", note)

    async def talk() -> None:
        async with await DbtCloudRerunHook(retry_limit=1).async_client() as client:
            with pytest.raises(DbtUnreachableError):
                await client.send(endpoints.get_run(8))

    asyncio.run(talk())
    assert threads
    assert threading.main_thread() not in threads


@pytest.mark.usefixtures("connect")
def test_the_shorthands_send_what_they_say(server: ScriptedServer) -> None:
    """Each convenience method is one endpoint."""
    hook = DbtCloudRerunHook()
    server.answers(data({"id": 3}), data(RUN), data(RUN), data({**RUN, "id": 7}), data({}))
    hook.get_job(3)
    hook.trigger_job(3, cause="why", overrides={"git_sha": "abc"})
    hook.retry_run(7)
    hook.cancel_run(7)
    hook.get_artifact(7, "manifest.json", step=4)
    assert [f"{asked.method} {asked.path.removeprefix('/api/v2/accounts/123/')}" for asked in server.asked] == [
        "GET jobs/3/",
        "POST jobs/3/run/",
        "POST runs/7/retry/",
        "POST runs/7/cancel/",
        "GET runs/7/artifacts/manifest.json?step=4",
    ]


@pytest.mark.usefixtures("connect")
def test_retry_settings_reach_the_client(server: ScriptedServer) -> None:
    """``hook_params`` of an operator decide how patient its requests are."""
    server.answers(error(503, None))
    with pytest.raises(DbtServerError, match="3 tries"):
        DbtCloudRerunHook(retry_limit=3, retry_delay=0.0).get_run(7)
    assert len(server.asked) == 3


@pytest.mark.usefixtures("connect")
def test_a_refusal_carries_the_reason(server: ScriptedServer) -> None:
    """A run that cannot be resumed is refused with the platform's own reason."""
    server.answers(error(400, "RETRY_NOT_LATEST_RUN"))
    with pytest.raises(DbtRefusedError) as caught:
        DbtCloudRerunHook().retry_run(7)
    assert caught.value.user_message == "RETRY_NOT_LATEST_RUN"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"login": "abc"}, r"login \(account id\) of connection 'dbt_cloud_default' must be a number"),
        ({"password": ""}, r"password \(API token\) of connection 'dbt_cloud_default' is missing"),
        ({"host": "http://dbt.example"}, "must use https"),
    ],
)
def test_a_wrong_connection_is_one_clear_line_in_both_modes(
    connect: Callable[..., None], fields: dict[str, str], message: str
) -> None:
    """P8: worker and triggerer name the same field of the same connection."""
    connect(**fields)
    with pytest.raises(DbtConfigError, match=message):
        _ = DbtCloudRerunHook().client
    with pytest.raises(DbtConfigError, match=message):
        asyncio.run(DbtCloudRerunHook().async_client())


def test_making_a_hook_looks_nothing_up() -> None:
    """Nothing touches connections or the network at parse time."""
    assert DbtCloudRerunHook("no_such_connection").dbt_cloud_conn_id == "no_such_connection"


ACCOUNT = data({"id": 123, "name": "Shop"})
JOBS = Answer(body=b'{"data": [{"id": 1}], "extra": {"pagination": {"total_count": 4}}}')
FORBIDDEN = error(403, "Access denied: Token is not scoped to account.")


@pytest.mark.parametrize(
    ("script", "works", "message"),
    [
        ((ACCOUNT, JOBS), True, "token accepted; account 123 reachable; 4 jobs visible"),
        ((FORBIDDEN, JOBS), True, "token accepted; account 123 not readable; 4 jobs visible"),
        ((error(401, "Invalid token."),), False, "token refused: GET account: "),
        ((FORBIDDEN, FORBIDDEN), False, "token accepted; account 123 not readable; jobs not readable: GET jobs/: "),
        ((ACCOUNT, FORBIDDEN), False, "token accepted; account 123 reachable; jobs not readable: GET jobs/: "),
        ((html(),), False, "an HTML page: check that the connection's host is dbt's access URL"),
        ((drop,), False, "cannot be reached: the connection was dropped"),
        ((error(503, None),), False, "answered 503"),
    ],
)
@pytest.mark.usefixtures("connect")
def test_the_connection_test_says_what_works_and_what_fails(
    server: ScriptedServer,
    script: tuple[Script, ...],
    works: bool,  # noqa: FBT001 - a column of the table
    message: str,
) -> None:
    """Token, account and jobs are proved apart; a token that reads jobs but not the account is good enough."""
    server.answers(*script)
    ok, said = DbtCloudRerunHook().test_connection()
    assert (ok, message in said) == (works, True), said
    assert TOKEN not in said


def json_of(status: int, body: str) -> Answer:
    """Answer as a service of another kind."""
    return Answer(status, body.encode(), {"Content-Type": "application/json"})


@pytest.mark.parametrize(
    "answer",
    [
        html(200),
        html(401),
        html(403),
        html(404),
        json_of(200, '{"hello": "world"}'),
        json_of(200, '{"data": []}'),
        json_of(200, "[]"),
        json_of(200, "3"),
        json_of(401, '{"detail": "Not authenticated"}'),
        json_of(403, '{"error": "forbidden"}'),
        json_of(404, '{"detail": "Not Found"}'),
        json_of(405, '{"detail": "Method Not Allowed"}'),
        json_of(404, ""),
        json_of(400, "Bad Request"),
        Answer(302),
        Answer(200, b"OK"),
    ],
    ids=lambda answer: f"{answer.status} {answer.body[:20].decode() or 'nothing'}",
)
@pytest.mark.usefixtures("connect")
def test_the_connection_test_says_that_a_host_is_not_dbt(server: ScriptedServer, answer: Answer) -> None:
    """A page, a 404 or the JSON of something else is no refused token and no missing account."""
    server.answers(answer)
    ok, said = DbtCloudRerunHook().test_connection()
    assert not ok
    assert said.startswith(f"{server.address} answers, but not as dbt does: compare it with the access URL")
    assert "token accepted" not in said
    assert "token refused" not in said
    assert "\n" not in said


@pytest.mark.usefixtures("connect")
def test_the_connection_test_says_that_jobs_are_not_dbts(server: ScriptedServer) -> None:
    """The account may look right by chance."""
    server.answers(ACCOUNT, json_of(200, '{"jobs": []}'))
    ok, said = DbtCloudRerunHook().test_connection()
    assert (ok, "not as dbt does" in said) == (False, True), said


def test_the_connection_test_reports_a_wrong_connection(connect: Callable[..., None]) -> None:
    """A mistake in the form is an answer of the form's test button, not a stack trace."""
    connect(login="shop")
    assert DbtCloudRerunHook().test_connection() == (
        False,
        "login (account id) of connection 'dbt_cloud_default' must be a number",
    )
