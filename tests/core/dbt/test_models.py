"""dbt's objects, read from recorded answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.jobs import Job
from airflow_dbt_rerun.core.dbt.models import Run, RunStatus, RunStep
from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults, short_name

RECORDED = Path(__file__).parents[2] / "data" / "api"


def recorded(name: str) -> Any:
    """Read the data of a recorded answer."""
    return json.loads((RECORDED / name).read_text())["data"]


def test_recorded_runs() -> None:
    """A recorded list: a run that timed out, and one that is queued."""
    timed_out, queued = (Run.from_api(data) for data in recorded("01_runs_list.json"))
    assert (timed_out.id, timed_out.job_id) == (70403110257794, 70403103936332)
    assert timed_out.is_cancelled
    assert timed_out.is_terminal
    assert (timed_out.can_retry, timed_out.retry_not_supported_reason) == (False, "RETRY_NOT_FAILED_RUN")
    assert timed_out.cancelled_by is None
    assert queued.status == RunStatus.QUEUED
    assert not queued.is_terminal


def test_recorded_trigger_answer() -> None:
    """What a run was triggered with, and the commands it runs: its own steps before its job's."""
    run = Run.from_api(recorded("03_run_triggered_with_trigger_and_job.json"))
    assert run.trigger is not None
    assert run.trigger.cause == "Just cause"
    command = 'dbt run -s bad_model --vars \'{"key": "value"}\''
    assert run.trigger.overrides == {"steps_override": [command]}
    assert run.commands == (command,)


def test_recorded_steps() -> None:
    """The command is what stands between the back-quotes; the last failed step stopped the run."""
    recorded_steps = recorded("04_run_steps_failed.json")["run_steps"]
    steps = [RunStep.from_api({"id": n, "index": n, **step}) for n, step in enumerate(recorded_steps, start=1)]
    assert [step.command for step in steps[:3]] == [None, None, "dbt deps"]
    assert steps[3].command == "dbt build --select model_a+ model_b+ --full-refresh --exclude 'model_c' --defer"
    assert Run(1, 1, 20, steps=tuple(steps)).stopping_step == steps[3]


def test_recorded_job() -> None:
    """A job's commands, from a recorded list."""
    job = Job.from_api(recorded("02_jobs_list.json")[0])
    assert (job.name, job.execute_steps) == ("New job", ("dbt build", "dbt seed", "dbt run"))


@pytest.mark.parametrize("status", [0, 4, 11, 21, 31, 99])
def test_unknown_status_is_no_end(status: int) -> None:
    """P1: an unknown status is neither an end nor a success nor a failure, and its name has its number."""
    run = Run(1, 1, status)
    assert not any((run.is_terminal, run.is_success, run.is_error, run.is_cancelled))
    assert str(status) in run.status_name


def test_actor_of_a_cancellation() -> None:
    """Who cancelled stands in the audit record, by name, or else by what there is."""
    for actor, name in (({"name": "ann"}, "ann"), ({"id": 7}, "7"), ({"type": "user"}, "user"), (None, None)):
        data = {"id": 1, "status": 30, "audit": {"cancellation": {"actor": actor}}}
        assert Run.from_api(data).cancelled_by == name


def test_node_results_leave_sql_behind() -> None:
    """P10: compiled SQL and the adapter's answer are not kept; statuses come in lower case."""
    data = {"unique_id": "model.a.b", "status": "Error", "compiled_code": "select 'secret'", "message": "m"}
    node = NodeResult.from_artifact(data)
    assert (node.status, node.name, node.resource_type) == ("error", "b", "model")
    assert "secret" not in repr(node)


def test_freshness_errors_are_messages() -> None:
    """A source that could not be asked says why in "error", not in "message"."""
    artifact = {"results": [{"unique_id": "source.a.b.c", "status": "runtime error", "error": "Connection reset"}]}
    (node,) = StepResults.from_artifact(artifact).nodes
    assert node.is_failed
    assert node.message == "Connection reset"


@pytest.mark.parametrize(
    "timestamp", ["1970-01-01 00:01:40.500000+00:00", "1970-01-01T00:01:40.5Z", "1970-01-01T00:01:40.500000+00:00"]
)
def test_timestamps(timestamp: str) -> None:
    """Runs have a space in their timestamps, jobs a T, older jobs a Z."""
    assert epoch(timestamp) == 100.5
    assert epoch(None) is None


@pytest.mark.parametrize(
    ("unique_id", "name"),
    [
        ("model.shop.orders", "orders"),
        ("model.shop.orders.v2", "orders.v2"),
        ("test.shop.not_null_orders_id.cf6c17daed", "not_null_orders_id"),
        ("unit_test.shop.orders.adds_up", "adds_up"),
        ("source.shop.raw.events", "raw.events"),
        ("operation.shop.shop-on-run-end-0", "shop-on-run-end-0"),
        ("odd", "odd"),
    ],
)
def test_short_names_are_what_dbt_prints(unique_id: str, name: str) -> None:
    """A person searches the log for the name that dbt printed."""
    assert short_name(unique_id) == name


@pytest.mark.parametrize(
    ("env", "nodes"),
    [({}, 1), ({"DBT_CLOUD_RUN_ID": "5"}, 1), ({"DBT_CLOUD_RUN_ID": "4"}, 0), ({"DBT_CLOUD_RUN_ID": 4}, 1)],
)
def test_results_of_another_run_count_as_none(env: dict[str, Any], nodes: int) -> None:
    """A command that wrote no results leaves those of an earlier run, which are no proof."""
    artifact = {"metadata": {"env": env}, "results": [{"unique_id": "model.a.b", "status": "success"}]}
    assert len(StepResults.from_artifact(artifact, run_id=5).nodes) == nodes
    assert len(StepResults.from_artifact(artifact).nodes) == 1


@pytest.mark.parametrize(
    ("written", "nodes"),
    [
        ("2026-11-30T11:59:00Z", 1),
        ("2026-11-30T12:10:00.397547352Z", 1),
        ("2026-11-30T11:00:00Z", 0),
        ("2025-11-30T12:10:00Z", 0),
        (None, 1),
    ],
)
def test_results_from_before_the_run_count_as_none(written: str | None, nodes: int) -> None:
    """They are those of an earlier run, whatever served them; the clocks of two machines may differ a little."""
    artifact = {"metadata": {"generated_at": written}, "results": [{"unique_id": "model.a.b", "status": "success"}]}
    created = "2026-11-30 12:00:00.1+00:00"
    assert len(StepResults.from_artifact(artifact, created_at=created).nodes) == nodes
    assert len(StepResults.from_artifact(artifact).nodes) == 1


def test_docs_generate_builds_nothing() -> None:
    """dbt-core 1.11 records a success for each node that it compiles."""
    artifact = json.loads((RECORDED.parent / "docs_generate.json").read_text())
    nodes = StepResults.from_artifact(artifact).nodes
    assert {node.status for node in nodes} == {"success"}
    assert all(node.not_built for node in nodes)
    artifact["args"]["which"] = "build"
    assert not any(node.not_built for node in StepResults.from_artifact(artifact).nodes)
