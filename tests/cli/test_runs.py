"""``airflow-dbt-rerun diagnose RUN_ID`` against a real dbt platform: real HTTP, real dbt, Airflow's connections."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.cli.main import main
from tests.support import LocalPlatform

pytestmark = pytest.mark.dbt

RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
BROKEN = {"node": "orders", "times": -1, "message": "Table with name raw_refunds does not exist!"}

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def _seeded(shared_platform: LocalPlatform) -> None:
    """Build everything once, so that the short job finds its parents."""
    shared_platform.trouble()
    assert shared_platform.run("nightly")["status"] == 10


@pytest.fixture(autouse=True)
def _connected(platform: LocalPlatform, _seeded: None, monkeypatch: pytest.MonkeyPatch) -> None:
    platform.connect(monkeypatch)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], platform: LocalPlatform) -> Run:
    """Run the command; give its exit status and what it wrote itself. The token is never in it."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = main(["diagnose", *map(str, arguments)])
        page, errors = capsys.readouterr()
        assert platform.token not in page + errors
        # Airflow 3.1 also logs to standard error by other handlers.
        own = [line for line in errors.splitlines(keepends=True) if not re.match(r"\d{4}-\d\d-\d\dT", line)]
        return status, page, "".join(own)

    return call


def test_a_failed_run(run: Run, platform: LocalPlatform) -> None:
    """Its head has run, job, step, version and link; its end has the evidence. Only GETs are sent."""
    platform.trouble(RESET)
    failed = platform.run("staging")
    platform.control("DELETE", "requests")
    status, page, errors = run(failed["id"])
    assert (status, errors) == (0, "")
    assert page.startswith(f"dbt run {failed['id']} of staging (job {platform.jobs['staging']}): Error\n")
    assert "stopped by step 4: Invoke dbt with `dbt run --select stg_orders+`, dbt 1." in page
    assert failed["href"] in page
    assert "model orders (models/marts/orders.sql)" in page
    assert "The default policy would rerun from failure, after " in page
    assert page.endswith("Evidence: the results of step 4\n")
    assert platform.posts() == []


def test_a_run_as_json(run: Run, platform: LocalPlatform) -> None:
    """The document has the run beside the diagnosis."""
    platform.trouble(BROKEN)
    failed = platform.run("staging")
    status, text, errors = run(failed["id"], "--json")
    told = json.loads(text)["diagnoses"][0]
    assert (status, errors) == (0, "")
    assert told["run"] == {
        "id": failed["id"],
        "job_id": platform.jobs["staging"],
        "job_name": "staging",
        "status": "Error",
        "step": "Invoke dbt with `dbt run --select stg_orders+`",
        "dbt_version": failed["dbt_version"],
        "finished_at": failed["finished_at"],
        "url": failed["href"],
    }
    assert told["diagnosis"]["verdict"] == "code"
    assert told["decision"]["action"] == "fail"


def test_a_run_that_died_before_its_first_node(run: Run, platform: LocalPlatform) -> None:
    """It cannot be resumed: the page shows the alternative, and its commands."""
    failed = platform.run("staging", steps_override=["dbt run --select stg_orders --vars '{'", "dbt test"])
    own = "- {category: transient, pattern: '(?i)vars|yaml'}"
    signatures = platform.state / "signatures.yaml"
    signatures.write_text(own)
    page = run(failed["id"], "--signatures", signatures)[1]
    assert "would rerun from the failed step, after " in page
    assert "not as the policy asked: it failed before its first node ran, so there is nothing to resume" in page
    assert "with steps_override: dbt run --select stg_orders --vars '{'; dbt test" in page


def test_a_superseded_run(run: Run, platform: LocalPlatform) -> None:
    """A newer run of the job decides, as it does for the operator."""
    platform.trouble(RESET)
    failed = platform.run("staging")
    newer = platform.retry(failed)
    page = run(failed["id"])[1]
    assert f"would watch the newer run, because the job has a newer run ({newer['id']})" in page


def test_a_policy_that_asks_for_tags_reads_the_manifest(run: Run, platform: LocalPlatform, tmp_path: Path) -> None:
    """The manifest comes from the platform and need not be given."""
    platform.trouble(BROKEN)
    failed = platform.run("staging")
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: [{when: {node: {path: models/marts}}, action: rerun_from_start}]")
    _, page, errors = run(failed["id"], "--policy", policy)
    assert "would rerun from start, after " in page
    assert errors == ""


def test_runs_that_did_not_fail(run: Run, platform: LocalPlatform) -> None:
    """A run that succeeded, is running, or was cancelled: each has a plain message."""
    succeeded = platform.run("staging")
    assert f"dbt run {succeeded['id']} succeeded: there is nothing to diagnose." in run(succeeded["id"])[1]
    platform.trouble({"node": "orders", "times": 1, "seconds": 60})
    running = platform.trigger("staging")
    platform.until_troubled("orders")
    status, page, _ = run(running["id"])
    assert status == 0
    assert f"dbt run {running['id']} has not ended: its status is Running." in page
    platform.post(f"runs/{running['id']}/cancel/")
    platform.wait(running)
    page = run(running["id"])[1]
    assert "Verdict: cancelled (a person stopped it)" in page
    assert "a run that a person cancels is not rerun" in page


def test_the_teams_signatures_count(run: Run, platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the operator would take from the Airflow Variable is taken here too."""
    platform.trouble(BROKEN)
    failed = platform.run("staging")
    own = [{"category": "transient", "pattern": "raw_refunds does not exist", "name": "the loader swaps it"}]
    monkeypatch.setenv("AIRFLOW_VAR_DBT_RERUN_SIGNATURES", json.dumps(own))
    assert "(known as: the loader swaps it)" in run(failed["id"])[1]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "answered 404"),
        ({"password": "another-token"}, "answered 401"),
        ({"host": "http://127.0.0.1:9"}, "cannot be reached"),
        ({"host": "http://example.org"}, "host of connection 'dbt_cloud_default' must use https"),
        ({"login": "none"}, "login (account id) of connection 'dbt_cloud_default' must be a number"),
    ],
)
def test_a_run_that_cannot_be_read(
    run: Run, platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], words: str
) -> None:
    """One line that names the run and what is wrong, on standard error; nothing on standard output."""
    platform.connect(monkeypatch, **fields)
    status, page, errors = run(999999, "--json")
    assert status == 1
    assert json.loads(page)["diagnoses"] == []
    last = errors.splitlines()[-1]
    assert last.startswith("airflow-dbt-rerun diagnose: dbt run 999999 cannot be read: ")
    assert words in last


def test_a_connection_of_airflows_database(platform: LocalPlatform, tmp_path: Path) -> None:
    """A plain process sees it, as ``airflow connections`` does. Nothing but the answer is on standard output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    environment |= {"AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    command = [sys.executable, "-m", "airflow_dbt_rerun.cli", "diagnose", "999999"]

    def diagnose(*options: str) -> Any:
        return subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=False)

    missing = diagnose()
    assert missing.returncode == 1
    assert "no connection 'dbt_cloud_default'" in missing.stderr
    assert "AIRFLOW_CONN_DBT_CLOUD_DEFAULT" in missing.stderr
    assert "Traceback" not in missing.stderr

    program = (
        "import sys; from airflow import settings; from airflow.models import Connection\n"
        "settings.configure_orm(); metadata = Connection.metadata; session = settings.Session()\n"
        "needed = [table for name, table in metadata.tables.items() if name in ('connection', 'team')]\n"
        "metadata.create_all(settings.engine, needed)\n"
        "session.add(Connection('dbt_cloud_default', 'dbt_cloud', host=sys.argv[1], login=sys.argv[2],"
        " password=sys.argv[3])); session.commit()"
    )
    arguments = [platform.base_url, str(platform.account_id), platform.token]
    subprocess.run([sys.executable, "-c", program, *arguments], env=environment, check=True, capture_output=True)
    found = diagnose("--json")
    assert "answered 404" in found.stderr
    assert json.loads(found.stdout)["diagnoses"] == []
    assert platform.token not in found.stdout + found.stderr


def test_audit_of_a_run(platform: LocalPlatform, capsys: pytest.CaptureFixture[str]) -> None:
    """The auditor says for each command whether it is done; its exit status says it for the whole. Only GETs."""
    platform.trouble(RESET)
    failed = platform.run("staging")
    platform.control("DELETE", "requests")
    assert main(["audit", str(failed["id"])]) == 1
    assert "not done: dbt run --select stg_orders+" in capsys.readouterr().out
    healed = platform.retry(failed)
    assert main(["audit", str(healed["id"]), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["finding"], document["runs"]) == ("done", [failed["id"], healed["id"]])
    assert platform.posts() == [f"/api/v2/accounts/{platform.account_id}/runs/{failed['id']}/retry/"]


def test_audit_of_a_run_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    """One line names the run."""
    assert main(["audit", "999999"]) == 1
    assert "dbt run 999999 cannot be read" in capsys.readouterr().err
