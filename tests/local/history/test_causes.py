"""The table of causes: each row is what it says it is, to a reader that knows nothing of the table."""

from __future__ import annotations

import json

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run, RunStep
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis import diagnose
from airflow_dbt_rerun.local.history.causes import Cause, causes, causes_of
from airflow_dbt_rerun.local.history.jobs import ADAPTERS
from airflow_dbt_rerun.local.history.make_history import EXAMPLE_PROJECT
from airflow_dbt_rerun.local.history.plan import Plan
from airflow_dbt_rerun.local.history.runs import Ending
from airflow_dbt_rerun.local.history.step_output import StepOutput, write_step
from airflow_dbt_rerun.local.runs.records import RunRecord, StepRecord
from airflow_dbt_rerun.local.simulated.project import SimulatedProject

PROJECT = SimulatedProject(EXAMPLE_PROJECT)
AT = "2026-11-30 02:10:00.000000+00:00"
ENDED = "2026-11-30 02:30:00.000000+00:00"
PLACES = {"clone": (1, "Clone git repository", None), "deps": (3, "Invoke dbt with `dbt deps`", None)}
COMMAND = (4, "Invoke dbt with `dbt build`", "dbt build")
SAID = [
    pytest.param(cause, adapter, id=f"{cause.id}-{adapter}")
    for cause in causes().values()
    if cause.where != "run"
    for adapter in cause.adapters or ADAPTERS
]


def left_by(cause: Cause, adapter: str) -> tuple[StepRecord, StepOutput]:
    """Return a step that failed for this cause, and what it left."""
    node = "test.corner_shop.every_payment_has_an_order" if cause.is_test_failure else "model.corner_shop.orders"
    ending = Ending(failures={node: cause.id}) if cause.where == "node" else Ending(cause=cause.id)
    index, name, command = PLACES.get(cause.where, COMMAND)
    plan = Plan(3, 1, 1, 7, 7, {5: adapter}, {(7, index): ending})
    step = StepRecord(1, 7, index, name, command, 0 if command else None, 20, AT, ENDED, AT, ENDED)
    return step, write_step(plan, PROJECT, run_record(), step)


def run_record() -> RunRecord:
    """Return a run that failed."""
    chain = ('["dbt build"]', "{}", 0, 0, "1.11", "main", "f" * 40, None, None, 0, 0, None)
    return RunRecord(7, 5, 20, "dbt command failed", "scheduled", "scheduled", *chain, AT, ENDED, AT, AT, ENDED)


@pytest.mark.parametrize(("cause", "adapter"), SAID)
def test_a_cause_is_read_as_what_it_is(cause: Cause, adapter: str) -> None:
    """Our diagnosis names the category of a known cause, and calls an unknown one unknown."""
    step, left = left_by(cause, adapter)
    artifact = left.artifacts.get("run_results.json")
    results = [StepResults.from_artifact(json.loads(artifact), step_index=step.index)] if artifact else []
    failed = RunStep(step.id, step.index, step.name, step.status, left.log)
    found = diagnose(Run(7, 5, 20, "dbt command failed", steps=(failed,)), results)
    assert {str(finding.category) for finding in found.findings} == {cause.category if cause.known else "unknown"}


def test_nothing_is_left_to_fill_in() -> None:
    """A message has no name in braces, and the same step always says the same."""
    for cause in causes().values():
        if cause.where != "run":
            left = left_by(cause, (cause.adapters or ADAPTERS)[0])[1]
            assert left == left_by(cause, (cause.adapters or ADAPTERS)[0])[1]
            assert "{" not in left.log.replace("{'error", "").replace('{"timestamp"', "")
            assert left.log.endswith("dbt command failed\n")


def test_every_row_is_sound() -> None:
    """Categories exist, durations are in order, and a trouble that only a commit ends has none."""
    assert len(causes()) > 60
    assert len({cause.text for cause in causes().values()}) > 55
    for cause in causes().values():
        assert cause.category in set(Category) - {Category.UNKNOWN}
        assert cause.where in {"node", "start", "clone", "deps", "run"}
        assert set(cause.adapters) <= set(ADAPTERS)
        assert cause.lasts is None or 0 <= cause.lasts[0] <= cause.lasts[1]
        assert (cause.lasts is None) is (cause.category == "code" or cause.id == "test_rows_for_good")


@pytest.mark.parametrize("adapter", ADAPTERS)
@pytest.mark.parametrize("sort", sorted({cause.sort for cause in causes().values()}))
def test_every_warehouse_meets_every_sort_of_trouble(sort: str, adapter: str) -> None:
    """Else the drawing of a world would have nothing to choose from."""
    assert causes_of(sort, adapter)
    if sort == "outage":
        assert {cause.where for cause in causes_of(sort, adapter)} == {"node", "start"}
