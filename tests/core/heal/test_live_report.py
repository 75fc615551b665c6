"""The report of work in progress: what the UI shows between the start and the end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest
from tenacity import wait_fixed

from airflow_dbt_rerun.core.dbt.models import RunStep
from airflow_dbt_rerun.core.heal.live_report import live_report
from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import NextStep, StartRun, WaitForRun
from airflow_dbt_rerun.core.heal.observations import Observation, RunSeen
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.conditions import every
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule
from tests.core.builders import node, results, run

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
NOW = 1_000.0
FAILED = RunSeen(run(101), results(node(), node("model.shop.customers", "skipped")))


def decide(seen: Observation, wait: float = 30.0) -> tuple[RerunSession, NextStep]:
    """Ask the loop for the next step."""
    return next_step(RerunSession(NOW), seen, RerunPolicy(wait=wait_fixed(wait)), NOW)


def test_it_says_which_run_is_watched() -> None:
    """Right after the start there is a run, its link and its status."""
    told = live_report(*decide(RunSeen(run(101, 3))), NOW)
    assert (told["outcome"], told["reason"]) == ("in progress", "watching dbt run 101")
    assert told["attempts"][0]["status"] == "Running"
    assert told["now"] == {"doing": "watching", "since": NOW, "until": None, "step": None, "question": None}


def test_it_says_until_when_it_waits() -> None:
    """The page counts down to the next attempt, and shows what failed and why it is rerun."""
    told = live_report(*decide(FAILED), NOW + 1)
    assert told["reason"] == "waiting before rerunning run 101 from failure"
    assert (told["now"]["doing"], told["now"]["until"]) == ("waiting", NOW + 30)
    assert told["attempts"][0]["findings"][0]["category"] == "transient"


def test_it_says_that_a_rerun_starts() -> None:
    """No wait: the rerun is posted next."""
    told = live_report(*decide(FAILED, wait=0.0), NOW)
    assert (told["now"]["doing"], told["reason"]) == ("starting", "rerunning run 101 from failure")


def step(index: int, status: int) -> RunStep:
    """Return one step."""
    return RunStep(index, index, f"Invoke dbt with `dbt step_{index}`", status)


@pytest.mark.parametrize(
    ("statuses", "current"),
    [
        ([10, 10, 3], 3),
        ([10, 3, 1], 2),  # dbt may list those that follow as queued
        ([10, 1, 1], 2),
    ],
)
def test_it_names_the_current_step(statuses: list[int], current: int) -> None:
    """dbt lists the steps of a run in progress: the running one is shown, with its command."""
    steps = tuple(step(index, status) for index, status in enumerate(statuses, 1))
    watched = replace(run(101, 3), steps=steps)
    session, _ = decide(RunSeen(run(101, 1)))
    told = live_report(session, WaitForRun(101), NOW, run=watched)
    assert told["now"]["step"] == {"index": current, "of": len(statuses), "name": f"dbt step_{current}"}
    assert told["attempts"][0]["status"] == "Running"


@pytest.mark.parametrize("seen", [RunSeen(run(101, 1)), FAILED])
def test_it_has_the_published_form(seen: Observation) -> None:
    """Readers of the XCom find one format, before the end and after it."""
    told = live_report(*decide(seen), NOW, job_id=7, policy=RerunPolicy().words())
    jsonschema.validate(json.loads(json.dumps(told)), SCHEMA)


def test_it_says_that_a_person_is_asked() -> None:
    """The page leads to Airflow's question, and counts down to its default."""
    policy = RerunPolicy(rules=[RerunRule(every("transient"), RerunAction.ASK)])
    session, step = next_step(RerunSession(NOW, deadline=NOW + 600), FAILED, policy, NOW)
    told = live_report(session, step, NOW)
    assert (told["now"]["doing"], told["now"]["until"]) == ("asking", NOW + 600)
    answers = ["Rerun from failure", "Rerun from start", "Give up"]  # as Airflow's buttons name them
    assert told["now"]["question"] == {"options": answers, "default": "Give up"}
    jsonschema.validate(told, SCHEMA)


def test_nothing_is_known_before_the_first_run() -> None:
    """A report without any run is a report, too."""
    told = live_report(RerunSession(NOW), StartRun(), NOW)
    jsonschema.validate(told, SCHEMA)
    assert told["attempts"] == []
