"""What is owed beyond the nodes on record: after interruptions, silent retries and steps that failed later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import Fail, NextStep, Rerun, Succeed
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule
from tests.core.builders import node, results, run, step, steps

ORDERS, CUSTOMERS, TEST = "model.shop.orders", "model.shop.customers", "test.shop.unique_orders.1a2b"
COMMANDS = ("dbt run", "dbt test")
INTERRUPTED = "\x1b[33mExited because of keyboard interrupt\x1b[0m\nDone. PASS=0 WARN=0 ERROR=1 SKIP=0 TOTAL=1"
RESUMES = RerunPolicy(rules=[RerunRule(lambda _: True)], wait=wait_fixed(0), stop=stop_after_attempt(9))
UNREADABLE = "Encountered an error:\nConnection reset by peer"


def failed(run_id: int, command: str, *found: StepResults, logs: str = "Completed with 1 error") -> RunSeen:
    """A run that failed in this command; before it, all others were fine."""
    ran = COMMANDS[: COMMANDS.index(command)]
    last = step(4 + len(ran), command, 20, logs)
    seen = run(run_id, commands=COMMANDS, steps=(*steps(*ran, failed=False), last) if ran else (last,))
    return RunSeen(seen, tuple(found))


def of_run(run_id: int, *found: StepResults) -> tuple[StepResults, ...]:
    """What the platform has of a run."""
    return tuple(replace(each, run_id=run_id) for each in found)


def at_command(number: int, *nodes: Any) -> tuple[StepResults, ...]:
    """The results of the so-many-th command."""
    return results(*nodes, index=3 + number)


def play(*seen: RunSeen, session: RerunSession | None = None) -> tuple[RerunSession, NextStep]:
    """Show one run after the other; give the last answer."""
    session, answer = session or RerunSession(0.0), None
    for each in seen:
        session, answer = next_step(session, each, RESUMES, 1.0)
    assert answer is not None
    return session, answer


def is_whole_rerun_of(answer: NextStep, *commands: str) -> bool:
    """Whether these commands are to run as they are."""
    return (
        isinstance(answer, Rerun)
        and answer.action is RerunAction.RERUN_FROM_STEP
        and answer.overrides["steps_override"] == list(commands)
    )


@pytest.mark.parametrize("kept", [[node(ORDERS)], [node(ORDERS, "success")]], ids=["after a failure", "before any"])
def test_interrupted_run_is_not_resumed(kept: list[Any]) -> None:
    """P6: unfinished nodes are not recorded, so a retry would silently leave them out."""
    seen = failed(101, "dbt run", *at_command(1, *kept), logs=INTERRUPTED)
    _, answer = play(seen)
    assert is_whole_rerun_of(answer, *COMMANDS)
    assert isinstance(answer, Rerun)
    assert "interrupted" in (answer.why_not_wanted or "")
    assert diagnose(seen.run, seen.results).undone is None


def test_interrupted_run_is_not_rebuilt_by_names() -> None:
    """P6: a build of the named nodes would leave out the same."""
    manifest = {
        TEST: {"fqn": ["shop", "unique_orders"], "depends_on": {"nodes": [ORDERS]}},
        ORDERS: {"fqn": ["shop", "orders"]},
    }
    seen = failed(101, "dbt run", *at_command(1, node(TEST, "fail")), logs=INTERRUPTED)
    seen = replace(seen, facts=ManifestFacts.from_artifact({"nodes": manifest}))
    policy = RerunPolicy(rules=[RerunRule(lambda _: True, RerunAction.REBUILD_TESTED)], wait=wait_fixed(0))
    _, answer = next_step(RerunSession(0.0), seen, policy, 1.0)
    assert is_whole_rerun_of(answer, *COMMANDS)


@pytest.mark.parametrize(
    ("logs", "kept"),
    [(INTERRUPTED, [node(ORDERS)]), (INTERRUPTED, [node(CUSTOMERS, "success")]), (UNREADABLE, [])],
    ids=["interrupted after a failure", "interrupted", "died early"],
)
@pytest.mark.parametrize("ended", ["green", "failed later", "failed later, at once"])
def test_resume_by_a_person_of_what_nobody_counted(logs: str, kept: list[Any], ended: str) -> None:
    """P6: the named nodes are done and later commands ran nodes, but what was never begun is not done: hollow."""
    first = failed(101, "dbt run", *at_command(1, *kept), logs=logs)
    session, _ = play(first)
    session = replace(session, plan=None).planning(run(102, retrying_run_id=101), after=first.run)
    before = of_run(101, *at_command(1, *kept)) or of_run(101, *results())
    done = (*at_command(1, *(node(each.unique_id, "success") for each in kept)), *at_command(2, node(TEST, "pass")))
    if ended == "green":
        session, answer = play(RunSeen(run(102, 10), done, before=before), session=session)
    else:
        later = at_command(2, node(TEST)) if ended == "failed later" else ()
        session, answer = play(failed(102, "dbt test", *later, logs=UNREADABLE), session=session)
        assert isinstance(answer, Rerun)
        then = of_run(102, *done[:1], *later)
        session, answer = play(RunSeen(run(103, 10), done[1:], before=(*before, *then)), session=session)
    assert "more undone than is recorded" in (session.attempts[-1].verification or "")
    assert is_whole_rerun_of(answer, *COMMANDS)
    whole = RunSeen(run(104, 10), (*at_command(1, node(ORDERS, "success")), *done[1:]), before=before)
    assert isinstance(play(whole, session=session)[1], Succeed)


def test_rerun_from_start_settles_what_nobody_counted() -> None:
    """P6: a heal that began anew owes nothing of before: its later resume is not called hollow."""
    first = failed(101, "dbt run", *at_command(1, node(ORDERS)), logs=INTERRUPTED)
    session, _ = play(first)
    session = replace(session, plan=None).planning(run(102, retrying_run_id=101), after=first.run)
    from_start = replace(RESUMES, rules=(RerunRule(lambda _: True, RerunAction.RERUN_FROM_START),))
    lost = failed(102, "dbt run", *at_command(1, node(ORDERS)))
    session, answer = next_step(session, lost, from_start, 1.0)
    assert isinstance(answer, Rerun)
    assert answer.action is RerunAction.RERUN_FROM_START
    session, _ = play(failed(103, "dbt run", *at_command(1, node(ORDERS))), session=session)
    done = RunSeen(
        run(104, 10), at_command(1, node(ORDERS, "success")), before=of_run(103, *at_command(1, node(ORDERS)))
    )
    assert isinstance(play(done, session=session)[1], Succeed)


@pytest.mark.parametrize("at_once", [False, True], ids=["with results", "before its first node"])
def test_silent_retry_before_a_later_failure(*, at_once: bool) -> None:
    """P6: a node that a green ``dbt retry`` left out is still owed when only a later command is rerun."""
    owed = at_command(1, node(ORDERS), node(CUSTOMERS, "success"))
    later = () if at_once else at_command(2, node(TEST))
    session, answer = play(
        failed(101, "dbt run", *owed),
        failed(102, "dbt test", *later, logs=UNREADABLE),
    )
    assert isinstance(answer, Rerun)
    assert answer.action is (RerunAction.RERUN_FROM_STEP if at_once else RerunAction.RERUN_FROM_FAILURE)
    before = (*of_run(101, *owed), *of_run(102, *at_command(1), *later))
    done = at_command(2, node(TEST, "pass"))
    session, answer = play(RunSeen(run(103, 10), done, before=before), session=session)
    assert ORDERS in (session.attempts[-1].verification or "")
    assert is_whole_rerun_of(answer, *COMMANDS)


def test_renamed_node_of_a_later_command_is_gone() -> None:
    """P6: the other way round: a node that its own command, run as a whole, no longer names is not owed."""
    first, second = at_command(1, node(CUSTOMERS)), at_command(2, node(ORDERS))
    refused = "Encountered an error:\nCouldn't find model 'orders' -- does it exist or is it disabled?"
    session, answer = play(
        failed(101, "dbt run", *first),
        failed(102, "dbt test", *second),
        failed(103, "dbt test", logs=refused),
    )
    assert is_whole_rerun_of(answer, "dbt test")
    before = (*of_run(101, *first), *of_run(102, *at_command(1, node(CUSTOMERS, "success")), *second))
    done = at_command(2, node("model.shop.purchases", "success"))
    session, answer = play(RunSeen(run(104, 10), done, before=before), session=session)
    assert isinstance(answer, Succeed)
    assert "no longer in the project" in answer.reason


def test_rerun_in_another_environment_is_not_the_work() -> None:
    """P1: the job was moved to another environment meanwhile, so its green rerun built elsewhere."""
    seen = failed(101, "dbt run", *at_command(1, node(ORDERS)))
    here = replace(seen, run=replace(seen.run, environment_id=3))
    session, answer = play(here)
    assert isinstance(answer, Rerun)
    elsewhere = run(102, 10, retrying_run_id=101, environment_id=4, commands=COMMANDS)
    done = RunSeen(elsewhere, at_command(1, node(ORDERS, "success")), before=here.results)
    _, end = play(done, session=session)
    assert isinstance(end, Fail)
    assert end.kind == "hollow"
    assert "ran in environment 4, and not in 3 as the run that failed" in end.reason
    _, same = play(replace(done, run=replace(elsewhere, environment_id=3)), session=session)
    assert isinstance(same, Succeed)


def test_rerun_from_the_step_that_stops_short_is_not_the_work() -> None:
    """P1: it was to run two commands, and its steps show one."""
    session, answer = play(failed(101, "dbt run", *at_command(1, node(ORDERS)), logs=INTERRUPTED))
    assert is_whole_rerun_of(answer, *COMMANDS)
    short = run(102, 10, commands=COMMANDS, steps=steps("dbt run", failed=False))
    _, end = play(RunSeen(short, at_command(1, node(ORDERS, "success"))), session=session)
    assert isinstance(end, Fail)
    assert "executed dbt run, and not all of dbt run; dbt test" in end.reason


def test_resumed_run_that_does_not_show_all_commands_is_not_verifiable() -> None:
    """How dbt names the steps of a resumed run is not documented, so that is neither a proof nor a failure."""
    seen = failed(101, "dbt run", *at_command(1, node(ORDERS)))
    session, _ = play(seen)
    resumed = run(102, 10, retrying_run_id=101, commands=COMMANDS, steps=steps("dbt retry", failed=False))
    done = RunSeen(resumed, at_command(1, node(ORDERS, "success")), before=seen.results)
    session, end = play(done, session=session)
    assert isinstance(end, Succeed)
    assert session.attempts[-1].proof == "not verifiable"
