"""The events of a dbt run as a whole."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("openlineage.common", reason="the extra openlineage is not installed")

from openlineage.client.serde import Serde
from openlineage.common.provider.dbt import ParentRunMetadata

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.core.heal.next_steps import Fail
from airflow_dbt_rerun.core.heal.report import report
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.openlineage.parents import run_as_parent
from airflow_dbt_rerun.openlineage.runs import RunEvents
from tests.core.builders import finding, run
from tests.openlineage.shape import check_shape
from tests.support import Json

TASK = ParentRunMetadata(str(uuid4()), "shop.build", "airflow", "shop", "airflow", str(uuid4()))


def events(status: int, found: int = 0, **fields: Any) -> list[Json]:
    """Return the events of a run with this status, of which so many findings are reported."""
    moments = {"created_at": "2026-11-30 10:06:00+00:00", "finished_at": "2026-11-30 10:06:25+00:00"}
    of = run(4711, status, **{**moments, "dbt_version": "1.11.16", "job_name": "nightly", **fields})
    told = report(RerunSession.of_given(of, now=0.0, deadline=None), Fail("over", "failed"), 0.0)
    (attempt,) = told["attempts"]
    attempt |= {"findings": [finding(Category.CODE, "no such table").to_dict()] if found else [], "found": found}
    made = RunEvents(of, run_as_parent(of, "dbt.example/1", TASK), TASK, told, attempt)
    written = [json.loads(Serde.to_json(event)) for event in (made.start(), made.end()) if event]
    for event in written:
        check_shape(event)
    return written


@pytest.mark.parametrize(
    ("status", "state"),
    [(RunStatus.SUCCESS, "COMPLETE"), (RunStatus.ERROR, "FAIL"), (RunStatus.CANCELLED, "ABORT")],
)
def test_how_a_run_ends(status: int, state: str) -> None:
    """Its start and its end are of one run, at dbt's times."""
    start, end = events(status)
    assert (start["eventType"], end["eventType"]) == ("START", state)
    assert start["run"]["runId"] == end["run"]["runId"]
    assert (start["eventTime"], end["eventTime"]) == ("2026-11-30T10:06:00+00:00", "2026-11-30T10:06:25+00:00")


def test_a_run_in_progress_has_a_start_only() -> None:
    """It may still end in any way: a task that timed out may have left it running."""
    assert [event["eventType"] for event in events(RunStatus.RUNNING, finished_at=None)] == ["START"]


def test_what_failed_is_told() -> None:
    """As in the log of the task: the nodes that are reported, and how many more there are."""
    message = events(RunStatus.ERROR, 3)[1]["run"]["facets"]["errorMessage"]["message"]
    assert message == "model orders: no such table (code)\n... and 2 more"
    message = events(RunStatus.CANCELLED)[1]["run"]["facets"]["errorMessage"]["message"]
    assert message == "dbt run 4711 ended in Cancelled"
    assert "errorMessage" not in events(RunStatus.SUCCESS)[1]["run"]["facets"]


def test_whose_run_it_is() -> None:
    """Its job is named by its id, which lasts, and described by its name; the task is the parent of the run."""
    start, _ = events(RunStatus.SUCCESS)
    assert start["job"]["name"] == "dbt-cloud-job-7"
    assert start["job"]["facets"]["documentation"]["description"] == "nightly"
    parent = start["run"]["facets"]["parent"]
    assert (parent["run"]["runId"], parent["root"]["run"]["runId"]) == (TASK.run_id, TASK.root_parent_run_id)
    engine = start["run"]["facets"]["processing_engine"]
    assert (engine["name"], engine["version"]) == ("dbt", "1.11.16")
