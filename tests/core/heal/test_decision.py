"""Limits beside a policy's rules: progress, hopeless jobs, runs cancelled without a known actor."""

from __future__ import annotations

from typing import Any

import pytest
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.progress import Progress
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import Fail, NextStep, Rerun
from airflow_dbt_rerun.core.heal.observations import Observation, RunSeen
from airflow_dbt_rerun.core.heal.report import report, tell
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.conditions import RerunState, any_node
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule
from tests.core.builders import COMMANDS, node, results, run, step, steps

NOW = 1_000.0
PATIENT = RerunPolicy(stop=stop_after_attempt(9), wait=wait_fixed(0))


def failed(
    run_id: int, *names: str, skipped: int = 0, message: str = "deadlock detected", **changes: Any
) -> RunSeen:
    """A run in Error in which these models failed and so many were skipped."""
    nodes = [node(f"model.shop.{name}", message=message) for name in names]
    nodes += [node(f"model.shop.s{place}", "skipped") for place in range(skipped)]
    return RunSeen(run(run_id, **changes), results(*nodes))


def play(*seen: Observation, policy: RerunPolicy | None = PATIENT) -> tuple[RerunSession, NextStep, list[str]]:
    """Feed observations to the loop; return the session, the last step and the log lines."""
    session, lines = RerunSession(NOW), []
    for each in seen:
        before = session
        session, answer = next_step(before, each, policy, NOW)
        lines += [line.text for line in tell(before, session, answer)]
    return session, answer, lines


def asked(*seen: Observation) -> list[RerunState]:
    """Play with a policy that records the states it was evaluated for."""
    states: list[RerunState] = []

    def note(state: RerunState) -> bool:
        states.append(state)
        return True

    play(*seen, policy=RerunPolicy(rules=[RerunRule(note)], stop=stop_after_attempt(9), wait=wait_fixed(0)))
    return states


def test_an_attempt_that_heals_part_is_told_apart() -> None:
    """Seven nodes were owed, two are left, so five healed: known to the policy, the log and the report."""
    story = (failed(101, "a", "b", skipped=5), failed(102, "c", skipped=1))
    assert [state.progress for state in asked(*story)] == [None, Progress(owed=7, left=2)]
    session, _, lines = play(*story)
    assert "Run 102 healed 5 of the 7 nodes that were left undone; 2 are left" in lines
    attempts = report(session, Fail("done"), NOW)["attempts"]
    assert [attempt["progress"] for attempt in attempts] == [
        None,
        "healed 5 of the 7 nodes that were left undone; 2 are left",
    ]


def test_an_attempt_that_heals_none_is_told() -> None:
    """The same two nodes are undone with other messages: no progress, but not the same failure either."""
    _, answer, lines = play(failed(101, "a", skipped=1), failed(102, "a", skipped=1, message="lock timeout"))
    assert "Run 102 healed none of the 2 nodes that were left undone" in lines
    assert isinstance(answer, Rerun)


def test_a_rerun_that_dies_before_its_first_node_healed_nothing_that_is_known() -> None:
    """If dbt could not even connect, the number of nodes is unknown and no progress is claimed."""
    died = RunSeen(run(102, steps=(step(5, "dbt build", 20, "Encountered an error:\nconnection refused"),)))
    assert [state.progress for state in asked(failed(101, "a", skipped=6), died)] == [None, None]


def test_no_progress_twice_stops_and_names_the_fingerprints() -> None:
    """P5: the third run that fails in just the same way is the last, whatever the policy's limits."""
    session, answer, _ = play(*(failed(number, "a", message=f"deadlock {number}") for number in (101, 102, 103)))
    assert isinstance(answer, Fail)
    assert answer.kind == "exhausted"
    first, second, third = (attempt.fingerprint for attempt in session.attempts)
    assert first == second == third
    assert f"101 and 102 (fingerprint {first})" in answer.reason


def test_progress_keeps_going() -> None:
    """As long as fewer and fewer nodes fail, the policy's own limits decide."""
    story = [failed(101 + place, *"abcdef"[place:]) for place in range(4)]
    assert isinstance(play(*story)[1], Rerun)


@pytest.mark.parametrize(("failures", "reruns"), [(None, True), (0, True), (19, True), (20, False), (99, False)])
def test_a_hopeless_job_is_left_alone(failures: int | None, *, reruns: bool) -> None:
    """P5: dbt counts a job's failed runs in a row and deactivates it at 100; ours gives up at 20."""
    answer = play(failed(101, "a", failed_runs=failures), policy=RerunPolicy(wait=wait_fixed(0)))[1]
    assert isinstance(answer, Rerun) == reruns
    if isinstance(answer, Fail):
        assert answer.kind == "failed"
        assert str(failures) in answer.reason


def test_the_count_of_failures_is_read_from_the_runs_job() -> None:
    """The field is the job's ``run_failure_count``, which comes with ``include_related=job``."""
    answer = {"id": 1, "status": 20, "job": {"id": 7, "run_failure_count": 12}}
    assert Run.from_api(answer).failed_runs == 12
    assert Run.from_api({"id": 1, "status": 20}).failed_runs is None


def test_overrides_of_a_rule_need_a_new_run_and_say_so() -> None:
    """A resumed run keeps its own settings: with overrides the failed step is run anew, with them."""
    rule = RerunRule(any_node("transient"), overrides={"threads_override": 2})
    policy = RerunPolicy(rules=[rule], wait=wait_fixed(0))
    _, answer, lines = play(failed(101, "a"), policy=policy)
    assert isinstance(answer, Rerun)
    assert answer.action is RerunAction.RERUN_FROM_STEP
    assert answer.overrides == {"threads_override": 2, "steps_override": ["dbt build", "dbt docs generate"]}
    assert any("a resumed run keeps its own settings" in line for line in lines)


def test_overrides_survive_the_wait_as_json() -> None:
    """The plan crosses to the triggerer and back while it waits."""
    overrides = {"steps_override": ["dbt run"], "target_name_override": "big"}
    rule = RerunRule(any_node("transient"), RerunAction.RERUN_FROM_START, overrides=overrides)
    policy = RerunPolicy(rules=[rule], wait=wait_fixed(60))
    seen = failed(101, "a")
    session, _ = next_step(RerunSession(NOW), seen, policy, NOW)
    _, answer = next_step(RerunSession.from_dict(session.to_dict()), seen, policy, NOW + 61)
    assert isinstance(answer, Rerun)
    assert answer.overrides == overrides


def cancelled(**changes: Any) -> RunSeen:
    """A run that was cancelled in its second command."""
    stopped = (*steps("dbt seed", "dbt build", failed=False)[:-1], step(5, "dbt build", 30))
    return RunSeen(run(101, 30, steps=stopped, **changes))


def test_a_run_that_nobody_known_cancelled_follows_the_policy() -> None:
    """``on_unknown_cancel`` starts the cancelled command and those after it; by default nothing is rerun."""
    policy = RerunPolicy(on_unknown_cancel=RerunAction.RERUN_FROM_STEP, wait=wait_fixed(0))
    answer = play(cancelled(), policy=policy)[1]
    assert isinstance(answer, Rerun)
    assert answer.overrides["steps_override"] == list(COMMANDS[1:])
    assert "dbt records neither who cancelled the run nor why" in answer.reason
    assert isinstance(play(cancelled(), policy=RerunPolicy())[1], Fail)


@pytest.mark.parametrize(
    "changes",
    [{"cancelled_by": "ann"}, {"status_message": "Cancelled by user."}],
)
def test_a_persons_cancel_is_never_unknown(changes: dict[str, Any]) -> None:
    """What a person stopped is not rerun, and ``on_unknown_cancel`` is not asked."""
    policy = RerunPolicy(on_unknown_cancel=RerunAction.RERUN_FROM_START, wait=wait_fixed(0))
    answer = play(cancelled(**changes), policy=policy)[1]
    assert isinstance(answer, Fail)
    assert answer.kind == "cancelled"


@pytest.mark.parametrize("words", ["This run timed out after running for 1 hour", "waiting for capacity"])
def test_a_limits_cancel_is_for_the_rules_to_decide(words: str) -> None:
    """A run that a time limit or the platform's capacity ended cannot be resumed: by rule, from its failed step."""
    rules = [RerunRule(any_node("timed_out", "throttled"))]
    stopped = cancelled(status_message=words, retry_not_supported_reason="RETRY_NOT_FAILED_RUN")
    answer = play(stopped, policy=RerunPolicy(rules=rules, wait=wait_fixed(0)))[1]
    assert isinstance(answer, Rerun)
    assert answer.action is RerunAction.RERUN_FROM_STEP
    assert answer.overrides["steps_override"] == list(COMMANDS[1:])
    assert answer.why_not_wanted == "a cancelled run cannot be resumed"
    answer = play(stopped, policy=RerunPolicy(rules=[RerunRule(any_node("transient"))]))[1]
    assert isinstance(answer, Fail)
    assert answer.kind == "cancelled"


def test_reruns_of_unknown_cancels_are_bounded() -> None:
    """P5: the policy's stop holds for them, too."""
    policy = RerunPolicy(on_unknown_cancel="rerun_from_start", wait=wait_fixed(0), stop=stop_after_attempt(1))  # type: ignore[arg-type]
    answer = play(cancelled(), policy=policy)[1]
    assert isinstance(answer, Fail)
    assert answer.kind == "exhausted"


def test_an_earlier_try_is_remembered_with_its_diagnosis() -> None:
    """P5: what a new Airflow try reads again of earlier runs counts for progress, with limits of its own, too."""
    runs = [run(101), run(102, retrying_run_id=101)]
    seen: tuple[StepResults, ...] = results(node("model.shop.a", message="deadlock detected"))
    session = RerunSession.of_chain(runs, now=NOW, deadline=None)
    for earlier in runs[:-1]:
        session = session.recalling(diagnose(earlier, seen))
    session, answer = next_step(session, RunSeen(runs[-1], seen), PATIENT, NOW)
    assert isinstance(answer, Rerun)
    _, answer = next_step(session, RunSeen(run(103), seen), PATIENT, NOW)
    assert isinstance(answer, Fail)
    assert "no progress" in answer.reason
