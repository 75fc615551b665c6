"""Runs with very many failed nodes: nothing is lost, nothing is listed in full, and no work grows as their square.

A function that compares each node with each other would not end with the sizes used here.
"""

from __future__ import annotations

import json

import pytest
from pytest_mock import MockerFixture

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import RunStep
from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults
from airflow_dbt_rerun.core.diagnosis import diagnose_run, logs
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.announcements import happened
from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import Rerun
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.plan import plan_rerun
from airflow_dbt_rerun.core.heal.possible_rerun import commands_from_failed_step
from airflow_dbt_rerun.core.heal.report import tell
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.heal.verify import verify
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy
from tests.core.builders import RESET, SYNTAX, node, results, run, steps

MANY = 20_000
POLICY = RerunPolicy()


def failed(*messages: str | None) -> tuple[StepResults, ...]:
    """The artifact of a step in which each model failed with one of these messages."""
    return results(*(node(f"model.shop.m{n}", "error", text) for n, text in enumerate(messages)))


@pytest.fixture(scope="module")
def diagnosis() -> Diagnosis:
    """Return what was found in a run with one syntax error behind 19,999 dropped connections."""
    return diagnose(run(), failed(*[RESET] * (MANY - 1), SYNTAX))


def log_of(sections: int) -> str:
    """A log that ends with this many errors, each of another node."""
    errors = (f"Database Error in model x{n} (a.sql)\n  deadlock detected\n" for n in range(sections))
    return "Completed with errors:\n" + "".join(errors)


def test_a_log_is_parsed_once_for_all_its_nodes(mocker: MockerFixture) -> None:
    """1,200 nodes without a message share one reading of the log."""
    parsed = mocker.spy(logs, "_sections")
    nodes = tuple(NodeResult(f"model.shop.m{n}", "error") for n in range(1_200))
    stopped = RunStep(1, 5, "Invoke dbt with `dbt build`", 20, logs=log_of(5_000))
    found = diagnose(run(steps=(stopped,)), (StepResults(5, nodes, "postgres"),))
    assert len(found.findings) == 1_200
    assert parsed.call_count == 1


def test_nodes_of_one_name_share_one_judgement(mocker: MockerFixture) -> None:
    """Each of 5,000 failed batches is judged once, not once for each of 1,200 models of that name."""
    judged = mocker.spy(diagnose_run, "match")
    said = "10:00:00  Exception on worker thread. deadlock detected\n"
    batch = f"{said}10:00:01  Batch 1 of 9 ERROR creating batch a of s.x\n"
    nodes = tuple(NodeResult(f"model.p{n}.x", "partial success") for n in range(1_200))
    stopped = RunStep(1, 5, "Invoke dbt with `dbt build`", 20, logs=batch * 5_000)
    found = diagnose(run(steps=(stopped,)), (StepResults(5, nodes, "postgres"),))
    assert {each.category for each in found.findings} == {Category.TRANSIENT}
    assert judged.call_count == 5_000


def test_each_node_still_gets_its_own_error() -> None:
    """One reading for all must not give one answer for all."""
    stopped = RunStep(1, 5, "Invoke dbt with `dbt build`", 20, logs=log_of(3))
    text = stopped.logs.replace("deadlock detected", 'syntax error at or near "x"', 1)
    seen = run(steps=(RunStep(1, 5, stopped.name, 20, logs=text),))
    nodes = tuple(NodeResult(f"model.shop.x{n}", "error") for n in range(3))
    found = diagnose(seen, (StepResults(5, nodes, "postgres"),))
    assert [each.category for each in found.findings] == [Category.CODE, Category.TRANSIENT, Category.TRANSIENT]


def test_the_verdict_considers_every_node(diagnosis: Diagnosis) -> None:
    """A syntax error behind all that is shown still makes the run unhealable, and the counts are exact."""
    assert diagnosis.verdict is Category.CODE
    assert diagnosis.undone == MANY
    assert diagnosis.summary == "19999 models (transient), 1 model (code)"
    plain = diagnosis.to_dict()
    assert (plain["verdict"], plain["found"], len(plain["findings"])) == ("code", MANY, 20)
    assert len(json.dumps(plain)) < 10_000


def test_a_shown_diagnosis_says_how_much_it_leaves_out(diagnosis: Diagnosis) -> None:
    """A debugger, a log line or a notifier that prints it gets a few lines."""
    shown = repr(diagnosis)
    assert "... and 19,980 more" in shown
    assert len(shown) < 10_000


def test_a_summary_of_many_kinds_is_cut() -> None:
    """Kinds come from the nodes' ids, so an odd artifact can have any number of them."""
    odd = results(*(node(f"kind{n}.shop.m", "error", RESET) for n in range(500)))
    assert diagnose(run(), odd).summary.endswith(" and 490 more")


def test_the_log_and_the_callback_say_how_many_more_there_are() -> None:
    """The session holds twenty findings of 20,000, and each listing counts the rest."""
    before = RerunSession(0.0)
    seen = RunSeen(run(), failed(*[RESET] * MANY))
    session, _ = next_step(before, seen, POLICY, 1.0)
    assert session.plan is not None
    after, due = next_step(session, seen, POLICY, session.plan.not_before)
    assert isinstance(due, Rerun)
    assert "... and 19,980 more" in [line.text for line in tell(before, session, due)]
    told = happened(after, due)
    assert (len(told["findings"]), told["found"]) == (20, MANY)


def test_a_plan_says_how_many_more_there_are() -> None:
    """Findings and nodes: the first twenty and the number of the rest."""
    seen = RunSeen(run(), failed(*[RESET] * MANY))
    made = plan_rerun(RerunSession(0.0), seen, POLICY, 1.0)
    lines = list(made.lines())
    assert made.action == RerunAction.RERUN_FROM_FAILURE
    assert "    ... and 19,980 more" in lines
    assert lines[-1].endswith(" and 19,980 more")
    assert len(lines) < 40


def test_thousands_of_warned_nodes_are_verified() -> None:
    """With --warn-error each owed node that only warned is missing: 300,000 take a moment, not their square."""
    names = [f"test.shop.t{n}" for n in range(300_000)]
    checked = verify(
        results(*(NodeResult(name, "fail") for name in names)),
        results(*(NodeResult(name, "warn") for name in names)),
        warnings_fail=True,
    )
    assert len(checked.warned_only) == len(checked.missing) == 300_000
    assert "and 299,995 more" in checked.summary


def test_the_failed_one_of_very_many_commands_is_found() -> None:
    """100,000 steps are walked once, and each command is looked up, not searched for."""
    commands = tuple(f"dbt run -s m{n}" for n in range(100_000))
    assert commands_from_failed_step(run(commands=commands, steps=steps(*commands))) == (commands[-1],)
    unknown = tuple(f"dbt test -s m{n}" for n in range(100_000))
    assert commands_from_failed_step(run(commands=commands, steps=steps(*unknown))) == commands
