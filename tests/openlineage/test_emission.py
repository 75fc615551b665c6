"""The lineage of whole heals, in one process, on a simulated dbt: what is read, emitted and left out.

A real Airflow on real dbt is in ``tests/system/test_lineage.py``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("openlineage.common", reason="the extra openlineage is not installed")

from airflow.providers.openlineage.plugins.listener import get_openlineage_listener
from tenacity import wait_fixed

from airflow_dbt_rerun import DbtCloudJobOperator, DbtRunFailed, RerunPolicy
from tests.border import TaskInstance
from tests.openlineage.shape import check_shape
from tests.support import Json, LocalPlatform

pytestmark = pytest.mark.usefixtures("connected")

JOBS = {"nightly": "dbt seed; dbt build --exclude resource_type:seed"}
RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
BROKEN = {"node": "orders", "times": -1, "message": "Table with name raw_refunds does not exist!"}
IN_A_HURRY = RerunPolicy(wait=wait_fixed(0))


@dataclass
class Instance(TaskInstance):
    """A task instance that knows its DAG run."""

    dag_run: Any = field(
        default_factory=lambda: SimpleNamespace(
            conf={}, clear_number=0, logical_date=datetime(2026, 11, 23, tzinfo=UTC)
        )
    )
    logical_date: datetime = datetime(2026, 11, 23, tzinfo=UTC)

    def get_template_context(self) -> Json:
        """Return what the macros of OpenLineage read of it."""
        return {"dag_run": self.dag_run}


@pytest.fixture
def emitted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have OpenLineage write into a file."""
    file = tmp_path / "events.jsonl"
    file.touch()
    transport = {"type": "file", "log_file_path": str(file), "append": True}
    monkeypatch.setenv("AIRFLOW__OPENLINEAGE__TRANSPORT", json.dumps(transport))
    adapter = get_openlineage_listener().adapter
    monkeypatch.setattr(adapter, "_client", None)  # it keeps the transport of its first event
    return file


def task(platform: LocalPlatform, **arguments: Any) -> DbtCloudJobOperator:
    """Make a task that heals."""
    job_id = platform.jobs["nightly"]
    return DbtCloudJobOperator(task_id="build", job_id=job_id, policy=IN_A_HURRY, check_interval=0.1, **arguments)


def events(file: Path) -> list[Json]:
    """Read what was emitted."""
    found = [json.loads(line) for line in file.read_text().splitlines()]
    for event in found:
        check_shape(event)
    return found


def attempts(found: list[Json]) -> list[tuple[str, int, str]]:
    """Return the events of dbt runs: the state, the attempt, the outcome of the whole."""
    facets = [(event["eventType"], event["run"]["facets"].get("dbtRerun_attempt")) for event in found]
    return [(state, facet["attempt"], facet["outcome"]) for state, facet in facets if facet]


def test_each_attempt_once(simulated: LocalPlatform, instance: TaskInstance, emitted: Path) -> None:
    """Its start and its end, oldest first; dbt's ids, links and figures are in the facet."""
    simulated.trouble(RESET)
    operator, ti = task(simulated), Instance(run_id=instance.run_id)
    operator.execute({"ti": ti})  # type: ignore[typeddict-item]
    operator.get_openlineage_facets_on_complete(ti)
    found = events(emitted)
    heal = [("START", 1), ("FAIL", 1), ("START", 2), ("COMPLETE", 2)]
    assert attempts(found) == [(state, number, "healed") for state, number in heal]
    first, second = (event["run"] for event in found if event["eventType"] in ("FAIL", "COMPLETE"))
    assert first["facets"]["errorMessage"]["message"].startswith(
        "model orders: Invalid Input Error: Connection reset"
    )
    facet = second["facets"]["dbtRerun_attempt"]
    report = ti.xcom("dbt_rerun_report")["attempts"][1]
    assert (facet["dbtRunId"], facet["ofRun"], facet["url"]) == (report["run_id"], report["of_run"], report["url"])
    assert (facet["nodesRun"], facet["nodesSaved"]) == (report["nodes_run"], report["nodes_saved"])
    assert (facet["kind"], facet["verified"]) == ("rerun_from_failure", "verified")


def test_a_failed_task_has_its_lineage_too(simulated: LocalPlatform, instance: TaskInstance, emitted: Path) -> None:
    """The run that it gave up is told as failed."""
    simulated.trouble(BROKEN)
    operator, ti = task(simulated), Instance(run_id=instance.run_id)
    with pytest.raises(DbtRunFailed):
        operator.execute({"ti": ti})  # type: ignore[typeddict-item]
    operator.get_openlineage_facets_on_failure(ti)
    assert attempts(events(emitted)) == [("START", 1, "failed"), ("FAIL", 1, "failed")]


def test_nothing_is_read_where_openlineage_is_off(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """The download of manifests would be for nothing."""
    operator, ti = task(simulated), Instance(run_id=instance.run_id)
    operator.execute({"ti": ti})  # type: ignore[typeddict-item]
    simulated.control("DELETE", "requests")
    operator.get_openlineage_facets_on_complete(ti)
    assert simulated.paths() == []


def test_a_task_that_ended_before_any_run_emits_nothing(simulated: LocalPlatform, emitted: Path) -> None:
    """There is no report then, and nothing to read."""
    task(simulated).get_openlineage_facets_on_failure(Instance())
    assert events(emitted) == []


def test_what_the_reader_does_not_understand_is_left_out(
    simulated: LocalPlatform, instance: TaskInstance, emitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The manifests of the simulated dbt lack databases: the runs are told without their nodes, with a warning."""
    operator, ti = task(simulated), Instance(run_id=instance.run_id)
    operator.execute({"ti": ti})  # type: ignore[typeddict-item]
    operator.get_openlineage_facets_on_complete(ti)
    assert "No lineage of the nodes in step 5" in capsys.readouterr().out
    assert len(events(emitted)) == 2


def test_a_refused_request_costs_no_more_than_its_part(
    simulated: LocalPlatform, instance: TaskInstance, emitted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A token that may not read the project, or the runs, is a line in the log."""
    operator, ti = task(simulated), Instance(run_id=instance.run_id)
    operator.execute({"ti": ti})  # type: ignore[typeddict-item]
    simulated.fault("status", path="/projects/", status=403)
    operator.get_openlineage_facets_on_complete(ti)
    assert "does not say what project" in capsys.readouterr().out
    assert len(events(emitted)) == 2
    simulated.fault("status", path="/runs/", status=403)
    operator.get_openlineage_facets_on_complete(ti)
    assert "is incomplete" in capsys.readouterr().out
    assert len(events(emitted)) == 2


def test_operators_do_not_import_it() -> None:
    """Whoever has no OpenLineage pays nothing for it."""
    ours = "{'openlineage', 'airflow_dbt_rerun.openlineage'} & set(sys.modules)"
    code = f"import sys, airflow_dbt_rerun.operators; print({ours})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
