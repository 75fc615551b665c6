"""The loop: for everything that can be seen, the one thing to do next."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run, RunStatus, RunStep, RunTrigger
from airflow_dbt_rerun.core.dbt.results import NodeResult
from airflow_dbt_rerun.core.heal.held import SHADOW, acts, held_back
from airflow_dbt_rerun.core.heal.lineage import FoundRerun, Marker
from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import Fail, NextStep, Rerun, StartRun, Succeed, WaitForRun
from airflow_dbt_rerun.core.heal.observations import NoRun, NotReadable, Observation, Refused, RunSeen
from airflow_dbt_rerun.core.heal.planned import PlannedRerun
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.heal.wording import cause_of
from airflow_dbt_rerun.core.policy.conditions import any_node, every
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule, Superseded
from tests.core.builders import COMMANDS, RESET, SYNTAX, node, results, run, state, step, steps
from tests.examples import examples

NOW = 1_000.0
AT_ONCE = RerunPolicy(wait=wait_fixed(0))
ORDERS, CUSTOMERS = "model.shop.orders", "model.shop.customers"


def start(deadline: float | None = None) -> RerunSession:
    """A session in which nothing has happened yet."""
    return RerunSession(NOW, deadline)


def failed(run_id: int = 101, message: str = RESET, **changes: Any) -> RunSeen:
    """A run in Error: orders failed with this message, customers was skipped."""
    nodes = results(node(ORDERS, message=message), node(CUSTOMERS, "skipped"), node("seed.shop.raw", "success"))
    return RunSeen(run(run_id, **changes), nodes)


def healed(run_id: int = 102, *done: str) -> RunSeen:
    """A green rerun from failure that did these nodes."""
    nodes = results(*(node(name, "success") for name in done or (ORDERS, CUSTOMERS)))
    return RunSeen(run(run_id, 10, retrying_run_id=101), nodes, before=failed().results)


def play(seen: list[Observation], policy: RerunPolicy | None = AT_ONCE) -> tuple[RerunSession, NextStep]:
    """Show one thing after the other; give the last answer."""
    session, answer = start(), None
    for each in seen:
        session, answer = next_step(session, each, policy, NOW)
    assert answer is not None
    return session, answer


def test_nothing_there_starts_a_run() -> None:
    """Attempt 1 is triggered only if no run was found."""
    assert play([NoRun()])[1] == StartRun()


@pytest.mark.parametrize("status", [1, 2, 3, 4, 99])
def test_run_that_goes_on_is_watched(status: int) -> None:
    """P1: a run in progress is waited for; an unknown status counts as in progress."""
    assert play([RunSeen(run(status=status))])[1] == WaitForRun(101)


def test_first_success_is_success() -> None:
    """A first run that succeeds is done, in one attempt."""
    session, answer = play([NoRun(), RunSeen(run(status=10))])
    assert isinstance(answer, Succeed)
    assert len(session.attempts) == 1


@pytest.mark.parametrize("status", [20, 30])
@pytest.mark.parametrize("policy", [None, AT_ONCE])
def test_success_that_a_step_contradicts_is_not_done(status: int, policy: RerunPolicy | None) -> None:
    """P1: dbt ends a job at its first failed command, so one of the two statuses is wrong."""
    shown = (step(4, "dbt seed"), step(5, "dbt build", status))
    _, answer = play([RunSeen(run(status=10, steps=shown))], policy)
    assert isinstance(answer, Fail)
    assert answer.kind == "hollow"
    assert "step 5" in answer.reason


@pytest.mark.parametrize(
    "shown",
    [
        (step(4, "dbt seed"), step(5, "dbt build", 3), step(6, "dbt docs generate")),
        (step(4, "dbt seed"),),
    ],
    ids=["in progress", "missing"],
)
def test_step_that_is_not_shown_as_done_is_not_claimed(shown: tuple[RunStep, ...]) -> None:
    """P1: dbt's own status counts, and the report does not say more than the record."""
    session, answer = play([RunSeen(run(status=10, steps=shown))])
    assert isinstance(answer, Succeed)
    assert str(session.attempts[-1].proof) == "not verifiable"
    assert "not verifiable" in (session.attempts[-1].verification or "")


@pytest.mark.parametrize("box", ["dbt source freshness", "dbt docs generate"])
def test_box_that_failed_does_not_fail_a_run(box: str) -> None:
    """The boxes of a job's settings may fail (docs.getdbt.com/docs/deploy/job-commands)."""
    assert isinstance(play([RunSeen(run(status=10, steps=(step(4, box, 20), step(5, "dbt build"))))])[1], Succeed)


def test_run_from_start_without_readable_steps_is_not_verified() -> None:
    """P1: its status alone does not tell that the commands ran."""
    policy = RerunPolicy(rules=[RerunRule(any_node("transient"), RerunAction.RERUN_FROM_START)], wait=wait_fixed(0))
    for shown, proof in (
        (steps(*COMMANDS, failed=False), "verified"),
        ((), "not verifiable"),
    ):
        session, _ = play([failed()], policy)
        session, answer = next_step(session, RunSeen(run(102, 10, steps=shown)), policy, NOW)
        assert isinstance(answer, Succeed)
        assert str(session.attempts[-1].proof) == proof


def test_transient_failure_is_rerun_from_failure() -> None:
    """The main road: Error, diagnosed transient, resumed, verified, done."""
    session, answer = play([RunSeen(run(status=1)), failed()])
    assert isinstance(answer, Rerun)
    assert (answer.action, answer.of_run) == (RerunAction.RERUN_FROM_FAILURE, 101)
    assert "transient" in answer.reason
    session, answer = next_step(session, healed(), AT_ONCE, NOW)
    assert isinstance(answer, Succeed)
    assert [attempt.run_id for attempt in session.attempts] == [101, 102]
    assert session.attempts[1].of_run == 101
    assert session.attempts[1].resumes == ("dbt build", "dbt docs generate")
    assert (session.attempts[1].nodes_run, session.attempts[1].nodes_saved) == (2, 1)


def test_permanent_failure_is_not_rerun() -> None:
    """A syntax error fails at once, for good, with its diagnosis."""
    _, answer = play([failed(message=SYNTAX)])
    assert isinstance(answer, Fail)
    assert (answer.kind, answer.retryable) == ("failed", False)
    assert answer.diagnosis is not None
    assert answer.diagnosis.verdict is Category.CODE
    assert "syntax error" in answer.reason


def test_waits_before_the_rerun_then_reads_again() -> None:
    """The rerun waits for its moment; the run is read again before anything is posted (P1)."""
    policy = RerunPolicy(wait=wait_fixed(60))
    session, answer = next_step(start(), failed(), policy, NOW)
    assert answer == WaitForRun(101, until=NOW + 60)
    session, answer = next_step(session, failed(), policy, NOW + 59)
    assert answer == WaitForRun(101, until=NOW + 60)
    _, answer = next_step(session, failed(), policy, NOW + 60)
    assert isinstance(answer, Rerun)


def test_decision_is_asked_once_for_each_failed_run() -> None:
    """A jittered wait is drawn once, however often the run is read meanwhile."""
    policy = RerunPolicy()
    session, first = next_step(start(), failed(), policy, NOW)
    _, second = next_step(session, failed(), policy, NOW + 1)
    assert first == second


def test_run_that_recovered_while_waiting_is_not_rerun() -> None:
    """P1: only a status 20 read a moment ago starts a rerun."""
    session, _ = next_step(start(), failed(), RerunPolicy(wait=wait_fixed(60)), NOW)
    _, answer = next_step(session, RunSeen(run(status=10)), RerunPolicy(), NOW + 60)
    assert isinstance(answer, Succeed)


def test_without_policy_a_failure_is_only_reported() -> None:
    """A sensor without a policy has no side effects."""
    _, answer = play([failed()], policy=None)
    assert isinstance(answer, Fail)
    assert answer.diagnosis is not None


def test_hollow_heal_is_rerun_once_from_its_step() -> None:
    """P6: a green rerun that left an owed node undone is not a success: the failed command runs once as a whole."""
    session, answer = play([failed(), healed(102, ORDERS)])
    assert isinstance(answer, Rerun)
    assert (answer.action, answer.of_run) == (RerunAction.RERUN_FROM_STEP, 102)
    assert answer.overrides["steps_override"] == ["dbt build", "dbt docs generate"]
    assert CUSTOMERS in (session.attempts[-1].verification or "")
    session, answer = next_step(session, RunSeen(run(103, 10)), AT_ONCE, NOW)
    assert isinstance(answer, Succeed)
    assert [attempt.of_run for attempt in session.attempts] == [None, 101, 102]


@pytest.mark.parametrize(
    ("policy", "why"),
    [
        (RerunPolicy(wait=wait_fixed(0), stop=stop_after_attempt(2)), "limit reached: after 2 attempts in all"),
        (None, "no policy was given"),
    ],
)
def test_hollow_heal_without_room_for_more_fails(policy: RerunPolicy | None, why: str) -> None:
    """P5, P6: within the limits only; then it fails, and names what was not done."""
    session, _ = play([failed()])
    session, answer = next_step(session, healed(102, ORDERS), policy, NOW)
    assert isinstance(answer, Fail)
    assert answer.kind == "hollow"
    assert CUSTOMERS in answer.reason
    assert why in answer.reason
    assert answer.diagnosis is not None
    assert [finding.subject for finding in answer.diagnosis.findings] == [CUSTOMERS]


def test_second_hollow_heal_is_the_end() -> None:
    """P5, P6: what was hollow twice is not tried a third time."""
    patient = RerunPolicy(wait=wait_fixed(0), stop=stop_after_attempt(9))
    whole = replace(healed(103), results=results(node(ORDERS, "error"), node(CUSTOMERS, "success")))
    session, answer = play([failed(), healed(102, ORDERS), whole], patient)
    assert isinstance(answer, Fail)
    assert "an earlier run was hollow too" in answer.reason
    assert [attempt.hollow for attempt in session.attempts] == [False, True, True]


def test_resume_that_dbt_refused_is_run_anew() -> None:
    """A retry that could not find what to retry (a renamed node, an earlier no-op) is not a failure of the work."""
    for words in (
        "Runtime Error\n  Could not find previous run in 'target' target directory",
        "Compilation Error\n  Couldn't find model 'model.shop.orders' -- does it exist or is it disabled?",
        "[error] [Generic (dbt1000)]: No failed nodes found in run_results.json - nothing to retry",
    ):
        refused = step(4, "dbt retry", 20, f"Encountered an error:\n{words}\ndbt command failed")
        _, answer = play([failed(), RunSeen(run(102, steps=(refused,), retrying_run_id=101))])
        assert isinstance(answer, Rerun), words
        assert answer.action is RerunAction.RERUN_FROM_STEP
        assert answer.overrides["steps_override"] == ["dbt build", "dbt docs generate"]
        assert "dbt itself could not resume the run" in answer.reason


def test_green_rerun_without_artifacts_is_accepted_and_said() -> None:
    """Where the artifacts cannot be had, dbt's own status counts, and the report says that nothing was verified."""
    session, answer = play([failed(), RunSeen(run(102, 10, retrying_run_id=101))])
    assert isinstance(answer, Succeed)
    assert "not verifiable" in (session.attempts[-1].verification or "")


def test_attempts_are_bounded() -> None:
    """P5: with three attempts in all, the third failure ends it; Airflow's own retries may go on."""
    session, answer = play([failed(101), failed(102, RESET + "b"), failed(103, RESET + "c")])
    assert isinstance(answer, Fail)
    assert (answer.kind, answer.retryable) == ("exhausted", True)
    assert len(session.attempts) == 3


def test_progress_goes_on() -> None:
    """Another node failing is progress of a kind: a patient policy goes on."""
    patient = RerunPolicy(wait=wait_fixed(0), stop=stop_after_attempt(50))
    other = RunSeen(run(103), results(node(CUSTOMERS)))
    _, answer = play([failed(101), failed(102), other], patient)
    assert isinstance(answer, Rerun)


@pytest.mark.parametrize(
    ("reason", "action"),
    [
        (None, RerunAction.RERUN_FROM_FAILURE),
        ("RETRY_NO_RUN_RESULTS", RerunAction.RERUN_FROM_STEP),
        ("RETRY_UNSUPPORTED_CMD", RerunAction.RERUN_FROM_STEP),
        ("RETRY_UNSUPPORTED_VERSION", RerunAction.RERUN_FROM_STEP),
        ("RETRY_NOT_FAILED_RUN", None),
        ("RETRY_SOMETHING_NEW", None),
    ],
)
def test_what_is_possible_decides_the_kind(reason: str | None, action: RerunAction | None) -> None:
    """Design 5, table "why not from failure": each reason has its own alternative, and states it."""
    seen = failed(can_retry=reason is None, retry_not_supported_reason=reason)
    _, answer = play([seen])
    if action is None:
        assert isinstance(answer, Fail)
    else:
        assert isinstance(answer, Rerun)
        assert answer.action is action
        assert (answer.why_not_wanted is not None) == (reason is not None)


def test_from_failed_step_runs_that_command_and_those_after_it() -> None:
    """A rerun from the failed step leaves the finished commands alone and carries the overrides over."""
    trigger = RunTrigger("x", "api", {"schema_override": "night", "threads_override": 8})
    seen = failed(can_retry=False, retry_not_supported_reason="RETRY_NO_RUN_RESULTS", trigger=trigger)
    _, answer = play([seen])
    assert isinstance(answer, Rerun)
    assert answer.overrides == {
        "schema_override": "night",
        "threads_override": 8,
        "steps_override": ["dbt build", "dbt docs generate"],
    }


def test_commands_of_a_resumed_run_are_those_it_took_up() -> None:
    """The platform may show the job's commands on a retry of a run that had its own: these are not run instead."""
    own = RunTrigger("x", "api", {"steps_override": ["dbt a", "dbt b"]})
    first = failed(commands=("dbt a", "dbt b"), steps=steps("dbt a", "dbt b"), trigger=own)
    second = failed(
        102,
        RESET + "again",
        commands=("dbt of the job",),
        steps=(step(1, "Clone git repository", 20, "fatal: Connection timed out"),),
        can_retry=False,
        retry_not_supported_reason="RETRY_NO_RUN_RESULTS",
    )
    _, answer = play([first, second])
    assert isinstance(answer, Rerun)
    assert answer.overrides["steps_override"] == ["dbt b"]


def test_failed_clone_runs_all_commands() -> None:
    """When a built-in step failed, no command had run yet."""
    seen = RunSeen(
        run(
            steps=(step(1, "Clone git repository", 20, "fatal: could not read from remote: Connection timed out"),),
            can_retry=False,
            retry_not_supported_reason="RETRY_NO_RUN_RESULTS",
        )
    )
    _, answer = play([seen])
    assert isinstance(answer, Rerun)
    assert answer.overrides["steps_override"] == ["dbt seed", "dbt build", "dbt docs generate"]


def test_unknown_commands_are_not_guessed() -> None:
    """Without the job's commands a rerun from the failed step would be a full rebuild: refused."""
    seen = failed(can_retry=False, retry_not_supported_reason="RETRY_NO_RUN_RESULTS", commands=())
    _, answer = play([seen])
    assert isinstance(answer, Fail)
    assert "the job's commands could not be read" in answer.reason


def test_full_rebuild_only_where_it_is_named() -> None:
    """fallback="rerun_from_start" is the word that allows a full rebuild; it keeps the first run's overrides."""
    policy = RerunPolicy(wait=wait_fixed(0), fallback=RerunAction.RERUN_FROM_START)
    trigger = RunTrigger("x", "api", {"steps_override": ["dbt build -s a"]})
    seen = failed(can_retry=False, retry_not_supported_reason="RETRY_NO_RUN_RESULTS", trigger=trigger)
    _, answer = play([seen], policy)
    assert isinstance(answer, Rerun)
    assert answer.action is RerunAction.RERUN_FROM_START
    assert answer.overrides == {"steps_override": ["dbt build -s a"]}


def test_failed_hook_is_rerun_from_its_step() -> None:
    """dbt retry is green and leaves a failed hook undone (dbt-core 1.11): its command runs again instead."""
    hook = node("operation.shop.shop-on-run-end-0", message="Connection reset by peer")
    _, answer = play([RunSeen(run(), results(hook, node(ORDERS, "success")))])
    assert isinstance(answer, Rerun)
    assert answer.action is RerunAction.RERUN_FROM_STEP


@pytest.mark.parametrize(
    ("command", "hurdle", "words"),
    [
        ("dbt --warn-error build", node(ORDERS), "ignores --warn-error"),
        ("dbt build", node("operation.shop.shop-on-run-start-0", message=RESET), "hook"),
    ],
)
def test_what_dbt_retry_would_lose_is_run_from_its_step(command: str, hurdle: NodeResult, words: str) -> None:
    """P6: the known silent no-ops of dbt retry are not tried: the failed command runs as a whole instead."""
    seen = RunSeen(
        run(commands=(command,), steps=steps(command)), results(hurdle, node(CUSTOMERS, "skipped"), index=4)
    )
    _, answer = play([seen])
    assert isinstance(answer, Rerun)
    assert answer.action is RerunAction.RERUN_FROM_STEP
    assert words in (answer.why_not_wanted or "")


def test_failure_without_a_failed_node_is_not_resumed() -> None:
    """P6: stale results of an earlier command, or an interrupted one's, hold no failed node to resume."""
    lost = step(5, "dbt build", 20, "Encountered an error:\nConnection reset by peer")
    seen = RunSeen(run(steps=(*steps("dbt seed", failed=False), lost)), results(node("seed.shop.raw", "success")))
    _, answer = play([seen])
    assert isinstance(answer, Rerun)
    assert answer.action is RerunAction.RERUN_FROM_STEP
    assert "no failed node is recorded" in (answer.why_not_wanted or "")


def superseded_by(newer: Run) -> RunSeen:
    """A failed run that dbt does not resume since the job has a newer one."""
    seen = failed(can_retry=False, retry_not_supported_reason="RETRY_NOT_LATEST_RUN")
    return replace(seen, newer=(newer,), newest=newer)


@pytest.mark.parametrize("policy", list(Superseded))
def test_superseded(policy: Superseded) -> None:
    """P3: when the job has a newer run, the policy's word decides: adopt it, fail, or run from start."""
    seen = superseded_by(run(150, status=3))
    session, answer = play([seen], RerunPolicy(wait=wait_fixed(0), superseded=policy))
    if policy in (Superseded.ADOPT, Superseded.ADOPT_AND_RERUN):
        assert answer == WaitForRun(150)
        assert session.attempts[-1].ours is False
    elif policy is Superseded.FAIL:
        assert isinstance(answer, Fail)
        assert "newer run, 150" in answer.reason
    else:
        assert isinstance(answer, Rerun)
        assert answer.action is RerunAction.RERUN_FROM_START


def test_a_newer_run_that_is_not_followed_is_told_with_its_status() -> None:
    """It did the same work: there is no difference to name."""
    _, answer = play(
        [superseded_by(run(150, status=20))], RerunPolicy(wait=wait_fixed(0), superseded=Superseded.FAIL)
    )
    assert isinstance(answer, Fail)
    assert "newer run, 150, which does not stand for this one: its status is Error" in answer.reason


@pytest.mark.parametrize("status", [10, 20])
def test_adopted_newer_run_speaks_for_itself(status: int) -> None:
    """A newer run that succeeds did the work; one that fails is not ours to rerun."""
    seen = superseded_by(run(150, status=3))
    newer = RunSeen(run(150, 10)) if status == 10 else failed(150)
    _, answer = play([seen, newer])
    assert isinstance(answer, Succeed if status == 10 else Fail)


def test_shadow_follows_no_newer_run() -> None:
    """The task ends as it would without a policy: the failure counts, whatever a newer run has done."""
    seen = superseded_by(run(150, status=10))
    session, step = play([seen])
    assert acts(step, seen)
    session, end = held_back(session, step, seen, SHADOW)
    assert "the policy would follow run 150" in end.reason
    assert ([attempt.run_id for attempt in session.attempts], end.run) == ([101], seen.run)


def test_watching_a_run_is_no_act() -> None:
    """Nothing is held back while a run goes on, or where dbt itself replaced one that was queued."""
    going = RunSeen(run(status=3))
    assert not acts(play([going])[1], going)
    cancelled = RunSeen(run(101, 30), newer=(run(150, 3),))
    assert not acts(play([cancelled])[1], cancelled)


@pytest.mark.parametrize("kind", ["adopted", "from start"])
@pytest.mark.parametrize(
    ("after", "still_there", "end"),
    [
        ({ORDERS: "success", CUSTOMERS: "success"}, (), "verified"),
        ({ORDERS: "success"}, (), "verified"),
        ({ORDERS: "success"}, (CUSTOMERS,), "hollow"),
        ({ORDERS: "success", CUSTOMERS: "skipped"}, (), "hollow"),
        ({"model.shop.other": "success"}, (ORDERS, CUSTOMERS), "hollow"),
        ({"model.shop.other": "success"}, None, "not verifiable"),
    ],
)
def test_whole_run_has_to_have_done_what_was_left(
    kind: str, after: dict[str, str], still_there: tuple[str, ...] | None, end: str
) -> None:
    """P6: a run of all commands may select other nodes than the run before it (``source_status:fresher+``)."""
    nodes = results(*(node(name, status) for name, status in after.items()))
    there = None if still_there is None else frozenset(still_there)
    if kind == "adopted":
        session, _ = play([superseded_by(run(150, status=3))])
    else:
        policy = RerunPolicy(
            rules=[RerunRule(any_node("transient"), RerunAction.RERUN_FROM_START)], wait=wait_fixed(0)
        )
        session, _ = play([failed()], policy)
    shown = run(150, 10, steps=steps(*COMMANDS, failed=False))
    green = RunSeen(shown, nodes, before=failed().results, still_there=there)
    session, answer = next_step(session, green, AT_ONCE, NOW)
    assert str(session.attempts[-1].proof) == end
    assert isinstance(answer, Fail if end == "hollow" else Succeed)


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"environment_id": 2},
        {"project_id": 2},
        {"git_branch": "dev"},
        {"trigger": RunTrigger("", "rerun", {"schema_override": "sandbox"})},
        {"trigger": RunTrigger("", "rerun", {"target_name_override": "dev"})},
    ],
    ids=str,
)
def test_rerun_that_built_elsewhere_is_not_the_work(elsewhere: dict[str, Any]) -> None:
    """P3: its node results are right, and about another place."""
    place: dict[str, Any] = {"environment_id": 1, "project_id": 1, "git_branch": "main"}
    for changes, end in ((place, Succeed), ({**place, **elsewhere}, Fail)):
        session, answer = play([failed(**place)])
        green = replace(healed(), run=run(102, 10, retrying_run_id=101, **changes))
        session, answer = next_step(session, green, AT_ONCE, NOW)
        assert isinstance(answer, end)
    assert isinstance(answer, Fail)
    assert answer.kind == "hollow"


def test_branch_that_a_rule_chose_is_no_other_place() -> None:
    """A policy may rerun from a branch with a fix."""
    rule = RerunRule(any_node("transient"), RerunAction.RERUN_FROM_STEP, overrides={"git_branch": "fix"})
    session, _ = play([failed(git_branch="main")], RerunPolicy(rules=[rule], wait=wait_fixed(0)))
    trigger = RunTrigger("x", "api", {"git_branch": "fix", "steps_override": ["dbt build"]})
    fixed = replace(healed(), run=run(102, 10, git_branch="fix", trigger=trigger))
    assert isinstance(next_step(session, fixed, AT_ONCE, NOW)[1], Succeed)


@pytest.mark.parametrize("done", [(ORDERS, CUSTOMERS), (ORDERS,)])
def test_somebody_elses_rerun_of_our_run_is_verified(done: tuple[str, ...]) -> None:
    """P6, P9: a rerun started outside the task owes the same work as ours, and is never cancelled."""
    theirs = run(150, status=3, retrying_run_id=101)
    seen = replace(superseded_by(theirs), rerun=FoundRerun(theirs))
    session, answer = play([seen, healed(150, *done)])
    assert session.attempts[-1].ours is False
    assert isinstance(answer, Succeed if len(done) == 2 else Rerun)


def test_adopted_newer_run_is_rerun_where_the_policy_says_so() -> None:
    """superseded="adopt_and_rerun" makes the newer run's failure ours to heal."""
    policy = RerunPolicy(wait=wait_fixed(0), superseded=Superseded.ADOPT_AND_RERUN)
    seen = superseded_by(run(150, status=3))
    session, answer = play([seen, failed(150, RESET + "b")], policy)
    assert isinstance(answer, Rerun)
    assert answer.of_run == 150
    assert [attempt.ours for attempt in session.attempts] == [True, False]


def test_newer_run_that_did_other_work_is_not_adopted() -> None:
    """P11: then our failed command and those after it run again, and the reason names what differs."""
    other = run(150, 10, commands=("dbt build --select other",))
    _, answer = play([superseded_by(other)])
    assert isinstance(answer, Rerun)
    assert (answer.action, answer.of_run) == (RerunAction.RERUN_FROM_STEP, 101)
    assert "150, which did other work (commands dbt build --select other instead of" in str(answer.why_not_wanted)


def test_work_is_that_of_the_first_attempt() -> None:
    """A rerun from the step runs fewer commands; a run of all of them still stands for the work."""
    first = failed()
    again = run(
        102, commands=("dbt build",), job_commands=COMMANDS, can_retry=False, trigger=RunTrigger("x", "api")
    )
    stuck = replace(
        superseded_by(run(150, 10)), run=replace(again, retry_not_supported_reason="RETRY_NOT_LATEST_RUN")
    )
    session = RerunSession(0.0).following(first.run)
    plan = PlannedRerun(101, RerunAction.RERUN_FROM_STEP, 0.0, 0.0, "x", ("dbt build",))
    _, answer = next_step(replace(session, plan=plan), stuck, AT_ONCE, 0.0)
    assert answer == WaitForRun(150)


def test_newer_run_that_is_not_listed_yet_is_no_reason_to_start_another() -> None:
    """P2: dbt says that there is one, so nothing is posted before it can be looked at."""
    unlisted = failed(can_retry=False, retry_not_supported_reason="RETRY_NOT_LATEST_RUN")
    _, answer = play([unlisted])
    assert isinstance(answer, Fail)
    assert "does not list it" in answer.reason


@pytest.mark.parametrize("policy", [None, RerunPolicy()], ids=["detects", "heals"])
def test_run_that_dbt_cancelled_for_the_next_one_is_followed(policy: RerunPolicy | None) -> None:
    """dbt's scheduler cancels a queued run when the next one is queued: that is no failure."""
    scheduled = RunTrigger("scheduled", "scheduled")
    cancelled = RunSeen(run(101, 30, trigger=scheduled), newer=(run(150, 3, trigger=scheduled),))
    session, answer = play([cancelled, RunSeen(run(150, 10, trigger=scheduled))], policy)
    assert isinstance(answer, Succeed)
    assert [attempt.kind for attempt in session.attempts] == ["trigger", "superseded_by"]


@pytest.mark.parametrize(
    "newer",
    [
        run(150, 3, trigger=RunTrigger("x", "api")),
        run(150, 3, trigger=RunTrigger("scheduled", "scheduled", {"schema_override": "x"})),
    ],
    ids=["another trigger", "other work"],
)
def test_other_newer_runs_do_not_explain_a_cancellation(newer: Run) -> None:
    """Only the next run of the same trigger and the same work does."""
    cancelled = RunSeen(run(101, 30, trigger=RunTrigger("scheduled", "scheduled")), newer=(newer,))
    _, answer = play([cancelled])
    assert isinstance(answer, Fail)


def test_cancelled_run_that_had_begun_was_not_in_the_queue() -> None:
    """P2: whoever stopped it, dbt's scheduler did not, so a newer run does not stand for it by itself."""
    scheduled = RunTrigger("scheduled", "scheduled")
    begun = run(101, 30, trigger=scheduled, steps=(step(4, "dbt seed", 30),))
    _, answer = play([RunSeen(begun, newer=(run(150, 3, trigger=scheduled),))], None)
    assert isinstance(answer, Fail)


def test_rerun_that_may_be_of_another_run_is_not_rerun() -> None:
    """P3: where dbt does not record what a rerun resumes, it may not be ours; if it fails, a person decides."""
    seen = replace(failed(102), certain=False)
    session, answer = play([failed(), seen])
    assert isinstance(answer, Fail)
    assert "may not be part of this work" in answer.reason
    assert session.attempts[-1].ours is False


@pytest.mark.parametrize("place", ["schema_override", "target_name_override", "git_sha", "github_pull_request_id"])
def test_run_with_a_place_of_its_own_is_not_resumed(place: str) -> None:
    """P13: dbt does not document what a resumed run keeps, so the overrides are sent again."""
    seen = failed(trigger=RunTrigger("x", "api", {place: "elsewhere"}))
    _, answer = play([seen])
    assert isinstance(answer, Rerun)
    assert answer.action is RerunAction.RERUN_FROM_STEP
    assert answer.overrides[place] == "elsewhere"


@pytest.mark.parametrize("who", ["ann", None])
def test_cancelled_run_is_not_rerun(who: str | None) -> None:
    """What a person cancelled ends it for good, whether the audit names them or the message says so."""
    _, answer = play([RunSeen(run(status=30, cancelled_by=who, status_message="Cancelled by user."))])
    assert isinstance(answer, Fail)
    assert (answer.kind, answer.retryable) == ("cancelled", False)


def test_unreadable_run_is_neither_failed_nor_succeeded() -> None:
    """P1: "could not poll" is its own ending, whatever the policy says."""
    _, answer = play([NotReadable("no answer for 600 s")])
    assert answer == Fail("no answer for 600 s", kind="unwatchable", retryable=True)


def test_deleted_run_is_unwatchable() -> None:
    """A run that vanished is not started again."""
    _, answer = play([RunSeen(run(status=3)), NoRun()])
    assert isinstance(answer, Fail)
    assert answer.kind == "unwatchable"


def test_refused_rerun_ends_with_the_platforms_words() -> None:
    """An unexplained refusal is reported, not repeated."""
    _, answer = play([failed(), Refused(run(), "Run can not be retried")])
    assert isinstance(answer, Fail)
    assert "Run can not be retried" in answer.reason


def test_deadline_ends_the_watch() -> None:
    """P5: after the deadline a run that goes on is given up on, as a timeout and not as a failure of the run."""
    _, answer = next_step(start(deadline=NOW + 10), RunSeen(run(status=3)), AT_ONCE, NOW + 10)
    assert isinstance(answer, Fail)
    assert answer.kind == "timeout"


def test_no_attempt_is_planned_past_the_deadline() -> None:
    """P5: a wait that would end after the timeout is not begun."""
    policy = RerunPolicy(wait=wait_fixed(60))
    _, answer = next_step(start(deadline=NOW + 30), failed(), policy, NOW)
    assert isinstance(answer, Fail)
    assert answer.kind == "exhausted"


def test_session_survives_json() -> None:
    """Only plain JSON crosses to the triggerer: what comes back is the same, mid-plan too."""
    session, _ = next_step(start(NOW + 9_999), failed(), RerunPolicy(), NOW)
    plain = session.to_dict()
    assert json.loads(json.dumps(plain)) == plain
    assert RerunSession.from_dict(plain).to_dict() == plain


def test_session_of_another_version_is_refused() -> None:
    """A session that this version cannot read is named, not guessed at."""
    with pytest.raises(ValueError, match="version 99"):
        RerunSession.from_dict({"version": 99})


def test_memory_is_rebuilt_from_the_platform() -> None:
    """P2: after a crash the attempts so far are read back from the runs themselves, and count until the limits."""
    first = run(101, created_at="1970-01-01 00:10:00+00:00")
    second = run(102, retrying_run_id=101, trigger=RunTrigger("", "rerun"), steps=steps("dbt retry"))
    third = run(103)
    session = RerunSession.of_chain([first, second, third], now=NOW, deadline=None)
    assert session.started_at == 600.0
    assert [attempt.run_id for attempt in session.attempts] == [101, 102]
    assert session.attempts[1].kind == RerunAction.RERUN_FROM_FAILURE
    assert session.attempts[1].resumes == ("dbt build", "dbt docs generate")
    patient = RerunPolicy(wait=wait_fixed(0), stop=stop_after_attempt(4))
    session, answer = next_step(session, failed(103, RESET + "c"), patient, NOW)
    assert isinstance(answer, Rerun)
    session, answer = next_step(session, failed(104, RESET + "d"), patient, NOW)
    assert isinstance(answer, Fail)
    assert "attempt 4" in answer.reason


@pytest.mark.parametrize(
    "action", [each for each in RerunAction if each not in (RerunAction.FAIL, RerunAction.ASK)]
)
def test_rebuilt_memory_knows_each_kind_of_rerun(action: RerunAction) -> None:
    """P4: after a crash the report says of each rerun what it was, read from its cause or its category."""
    resumed = action is RerunAction.RERUN_FROM_FAILURE
    cause = Marker.of("work").cause(cause_of(action, 101, "reset"), of_run=101)
    trigger = RunTrigger("", "rerun") if resumed else RunTrigger(cause, "api", {"steps_override": ["dbt build"]})
    rerun = run(102, 10, retrying_run_id=101 if resumed else None, trigger=trigger)
    session = RerunSession.of_chain([run(101), rerun], now=NOW, deadline=None).following(rerun)
    assert (session.attempts[1].kind, session.attempts[1].of_run) == (action, 101)
    assert session.attempts[1].resumes == {
        RerunAction.RERUN_FROM_FAILURE: ("dbt build", "dbt docs generate"),
        RerunAction.RERUN_FROM_START: (),
    }.get(action, rerun.commands)


def test_a_try_after_the_limits_were_reached_has_limits_of_its_own() -> None:
    """P5: Airflow's retry of an exhausted heal resumes the failed run, as often as the policy allows once more."""
    runs = [run(101), run(102, retrying_run_id=101), run(103, retrying_run_id=102)]
    session = RerunSession.of_chain(runs, now=NOW, deadline=None)
    for run_id in (103, 104):
        session, answer = next_step(session, failed(run_id, RESET + str(run_id)), AT_ONCE, NOW)
        assert isinstance(answer, Rerun)
    session, answer = next_step(session, failed(105, RESET + "x"), AT_ONCE, NOW)
    assert isinstance(answer, Fail)
    assert answer.kind == "exhausted"
    assert len(session.attempts) == 5


# --- For any sequence of observations -------------------------------------------------------------------------

MESSAGES = st.sampled_from([RESET, SYNTAX, "Binder Error: x", "deadlock detected", "gibberish", "FATAL: no"])
REASONS = st.sampled_from(
    [None, "RETRY_NO_RUN_RESULTS", "RETRY_UNSUPPORTED_CMD", "RETRY_NOT_LATEST_RUN", "RETRY_NOT_FAILED_RUN", "NEW"]
)
POLICIES = st.builds(
    RerunPolicy,
    rules=st.sampled_from(
        [
            RerunPolicy().rules,
            [RerunRule(any_node(*Category))],
            [RerunRule(every(Category.UNKNOWN), RerunAction.RERUN_FROM_START), RerunRule(any_node(*Category))],
            [],
        ]
    ),
    stop=st.integers(1, 5).map(stop_after_attempt),
    wait=st.sampled_from([wait_fixed(0), wait_fixed(30)]),
    superseded=st.sampled_from(list(Superseded)),
)


class World:
    """A platform of nothing but random outcomes, to drive the loop with."""

    def __init__(self, data: st.DataObject) -> None:
        """Begin with no runs at all."""
        self.data = data
        self.now = NOW
        self.runs: list[Run] = []

    def start(self, **changes: Any) -> RunSeen:
        """Start a run, of which the end is not known yet."""
        self.runs.append(run(101 + len(self.runs), status=RunStatus.QUEUED, **changes))
        return RunSeen(self.runs[-1])

    def read(self, run_id: int) -> Observation:
        """Read a run: in progress, ended in some way, or unreadable. An end never changes."""
        known = next((each for each in self.runs if each.id == run_id), run(run_id, 3))
        if known.is_terminal and known.id != 101:
            return RunSeen(known)
        status = self.data.draw(st.sampled_from([1, 3, 10, 20, 20, 20, 30, 77]), "status")
        if self.data.draw(st.integers(0, 15)) == 0:
            return NotReadable("no answer")
        reason = self.data.draw(REASONS, "reason")
        now = run(run_id, status, can_retry=reason is None and status == 20, retry_not_supported_reason=reason)
        newest = run(900, 3) if reason == "RETRY_NOT_LATEST_RUN" else None
        nodes = results(node(ORDERS, message=self.data.draw(MESSAGES)), node(CUSTOMERS, "skipped"))
        return RunSeen(now, nodes, before=nodes, newest=newest)


def may_be_rerun_though_no_error(seen: Run, session: RerunSession) -> bool:
    """The two exceptions: a green run that was proven hollow, and a run that no person cancelled."""
    return session.attempts[-1].hollow if seen.is_success else seen.is_cancelled and seen.cancelled_by is None


@settings(max_examples=examples(400), deadline=None)
@given(data=st.data(), policy=POLICIES)
def test_whatever_is_seen_it_ends_in_bounds(data: st.DataObject, policy: RerunPolicy) -> None:
    """P1, P5: it ends, reruns only after a status 20 just read, and never more often than the policy allows."""
    world, session, seen = World(data), start(deadline=NOW + 5_000), NoRun()
    reruns, polls = 0, 0
    observation: Observation = seen
    while True:
        session, answer = next_step(session, observation, policy, world.now)
        assert RerunSession.from_dict(session.to_dict()).to_dict() == session.to_dict()
        if isinstance(answer, (Succeed, Fail)):
            break
        if isinstance(answer, Rerun):
            assert isinstance(observation, RunSeen)
            assert observation.run.id == answer.of_run
            assert observation.run.is_error or may_be_rerun_though_no_error(observation.run, session)
            reruns += 1
            observation = world.start()
        elif isinstance(answer, StartRun):
            assert not session.attempts
            observation = world.start()
        else:
            assert isinstance(answer, WaitForRun)
            polls += 1
            world.now = answer.until if answer.until is not None else world.now + 600
            observation = world.read(answer.run_id)
    assert polls < 60
    limit = next(n for n in range(1, 7) if policy.stop(replace(state(), attempt_number=n)))  # type: ignore[arg-type]
    assert reruns <= limit - 1
    if isinstance(answer, Succeed):
        assert isinstance(observation, RunSeen)
        assert observation.run.status == 10
