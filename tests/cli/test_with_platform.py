"""The commands that take a run, against a platform: lists, addresses, documents, and the requests that are made."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from airflow_dbt_rerun.cli.main import main
from tests.support import LocalPlatform

pytestmark = pytest.mark.usefixtures("connected")

JOBS = {"nightly": "dbt run --select orders; dbt run --select customers"}
BROKEN = {"node": "orders", "times": 1, "message": 'Connection reset by peer while reading "acme_raw"'}

Json = dict[str, Any]
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def failed(simulated: LocalPlatform) -> Json:
    """Start a run that fails once."""
    simulated.trouble(BROKEN)
    run = simulated.run("nightly")
    simulated.control("DELETE", "requests")
    return run


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], simulated: LocalPlatform) -> Run:
    """Run a command; give its exit status and what it wrote. The token is never in it."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = main([*map(str, arguments)])
        page, errors = capsys.readouterr()
        assert simulated.token not in page + errors
        return status, page, errors

    return call


# --- Without an id


@pytest.mark.parametrize("command", ["diagnose", "plan", "report", "rerun"])
def test_without_an_id_the_runs_that_failed_last_are_listed(
    run: Run, simulated: LocalPlatform, failed: Json, command: str
) -> None:
    """With job, time and the platform's own words; one request, and nothing is started."""
    status, page, _ = run(command)
    assert status == (1 if command == "rerun" else 0)  # nothing was rerun
    lines = page.splitlines()
    assert lines[0].split() == ["run", "job", "ended", "dbt", "says"]
    assert re.match(rf"{failed['id']}  nightly +\d{{4}}-\d\d-\d\d \d\d:\d\d  \S", lines[1])
    assert lines[-1] == f"airflow-dbt-rerun {command} {failed['id']}"
    requests = simulated.control("GET", "requests")
    assert [request["method"] for request in requests] == ["GET"]


def test_the_list_as_json(run: Run, failed: Json) -> None:
    """Newest first."""
    document = json.loads(run("diagnose", "--json")[1])
    assert document["version"] == 1
    assert document["failed_runs"][0]["id"] == failed["id"]
    assert document["failed_runs"][0]["job_name"] == "nightly"


def test_no_list_without_a_connection(run: Run) -> None:
    """One line says what to do."""
    status, page, errors = run("diagnose", "--conn-id", "nowhere")
    assert (status, page) == (1, "")
    assert "the list of failed runs cannot be read: no connection 'nowhere'" in errors


# --- By its address


def test_a_run_by_its_address(run: Run, failed: Json) -> None:
    """As copied from the browser."""
    assert run("diagnose", failed["href"])[1].startswith(f"dbt run {failed['id']} of nightly")
    assert f"dbt run {failed['id']} is Error" in run("plan", failed["href"])[1]
    assert run("audit", failed["href"])[0] == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            (r"//[^/]+", "//cloud.getdbt.com"),
            "the run is on cloud.getdbt.com, but the connection 'dbt_cloud_default'",
        ),
        ((r"/deploy/\d+/", "/deploy/77/"), "the run is in account 77, but the connection 'dbt_cloud_default'"),
    ],
)
def test_an_address_of_another_host_or_account_is_refused(
    run: Run, simulated: LocalPlatform, failed: Json, change: tuple[str, str], words: str
) -> None:
    """The run of the same id on the connection's own host would be another one. Nothing is sent."""
    for command in ("diagnose", "plan", "rerun", "audit", "report"):
        status, page, errors = run(command, re.sub(*change, failed["href"]))
        assert (status, page) == (1, "")
        assert words in errors
        assert "--conn-id" in errors
    assert simulated.control("GET", "requests") == []


# --- Documents and requests


def test_rerun_as_json(run: Run, failed: Json, simulated: LocalPlatform) -> None:
    """Standard output is one document: the plan, what became of it, and the report that a task would push."""
    status, page, errors = run("rerun", failed["id"], "--yes", "--json")
    document = json.loads(page)
    assert status == 0
    assert (document["outcome"], document["started"]) == ("done", True)
    assert document["plan"]["action"] == "rerun_from_failure"
    assert [attempt["status"] for attempt in document["report"]["attempts"]] == ["Error", "Success"]
    assert "Plan: rerun from failure" in errors
    assert len(simulated.posts()) == 1


def test_rerun_as_json_that_is_not_wanted(
    run: Run, failed: Json, simulated: LocalPlatform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The question is asked beside the document, which says that nothing was started."""
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stdin.readline", lambda: "n\n", raising=False)
    status, page, errors = run("rerun", failed["id"], "--json")
    document = json.loads(page)
    assert status == 1
    assert (document["outcome"], document["started"], document["report"]) == ("not started", False, None)
    assert "Start it? [y/N] " in errors
    assert simulated.posts() == []


def test_verbose_shows_the_requests(run: Run, failed: Json, simulated: LocalPlatform) -> None:
    """Method, path, status and milliseconds, on standard error; without the option, none."""
    assert "GET" not in run("diagnose", failed["id"])[2]
    simulated.control("DELETE", "requests")
    errors = run("diagnose", failed["id"], "--verbose")[2]
    shown = re.findall(r"^(GET|POST) (/api/\S+) (\d{3}) \d+ ms$", errors, flags=re.MULTILINE)
    asked = [(request["method"], request["path"]) for request in simulated.control("GET", "requests")]
    assert [(method, path.partition("?")[0]) for method, path, _ in shown] == asked
    assert {status for _, _, status in shown} == {"200"}


def test_verbose_shows_a_request_that_failed(run: Run, failed: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the reason in place of a status."""
    connection = {"conn_type": "dbt_cloud", "host": "http://127.0.0.1:9", "login": "1", "password": "t0ken-t0ken"}
    monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_DEFAULT", json.dumps(connection))
    errors = run("audit", failed["id"], "-v")[2]
    assert re.search(r"^GET /api/v2/accounts/1/runs/\d+/\S* .*refused.* \d+ ms$", errors, flags=re.MULTILINE)


def test_a_run_is_reported_without_names(run: Run, failed: Json) -> None:
    """Of a run of the platform, too: no name of a job, host, account or model."""
    status, page, _ = run("report", failed["id"])
    assert status == 0
    assert "read from a run of the platform" in page
    assert 'Connection reset by peer while reading "name_1"' in page
    assert not re.search(r"acme|nightly|orders|127\.0\.0\.1", page)
    assert str(failed["id"]) not in page
