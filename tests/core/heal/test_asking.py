"""The loop asks a person, and goes on with the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tenacity import stop_after_attempt, stop_after_delay

from airflow_dbt_rerun.core.heal.loop import LONGEST_QUESTION, next_step
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Fail, Rerun, Succeed, WaitForRun
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.question_text import escaped, question_body
from airflow_dbt_rerun.core.heal.report import tell
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.conditions import every
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule
from airflow_dbt_rerun.core.policy.question import Question
from tests.core.builders import SYNTAX, node, results, run

NOW = 1_000.0
FAILURE, START, FAIL = RerunAction.RERUN_FROM_FAILURE, RerunAction.RERUN_FROM_START, RerunAction.FAIL
BROKEN = RunSeen(run(101), results(node(message=SYNTAX), node("model.shop.customers", "skipped")))
HEALED = RunSeen(
    run(102, 10, retrying_run_id=101),
    results(node("model.shop.orders", "success"), node("model.shop.customers", "success")),
    before=BROKEN.results,
)


def asking(question: Question | None = None, **policy: object) -> RerunPolicy:
    """A policy that asks about bugs."""
    return RerunPolicy(rules=[RerunRule(every("code"), RerunAction.ASK, question=question)], **policy)  # type: ignore[arg-type]


def ask(policy: RerunPolicy, deadline: float | None = None) -> tuple[RerunSession, AskPerson]:
    """See the failure; return the question."""
    session, step = next_step(RerunSession(NOW, deadline), BROKEN, policy, NOW)
    assert isinstance(step, AskPerson)
    return session, step


def test_failure_is_asked_about_and_not_decided_again() -> None:
    """However often the run is read meanwhile, the same question is open, also across JSON."""
    session, step = ask(asking())
    again = RerunSession.from_dict(session.to_dict())
    assert again == session
    assert next_step(again, BROKEN, asking(), NOW + 60)[1] == step
    assert step.question.options == (FAILURE, START, FAIL)


@pytest.mark.parametrize("answer", [FAILURE, START])
def test_answer_is_carried_out(answer: RerunAction) -> None:
    """As the person said, whatever the rules say of such a failure; the report names who it was."""
    session, _ = ask(asking())
    session = session.answered(answer, "op answered", NOW + 60)
    session, step = next_step(session, BROKEN, asking(), NOW + 60)
    assert isinstance(step, Rerun)
    assert (step.action, step.of_run, step.reason) == (answer, 101, "op answered")
    assert session.attempts[-1].decision == f"{answer}: op answered"
    session, step = next_step(session, HEALED, asking(), NOW + 90)
    if answer is FAILURE:
        assert isinstance(step, Succeed)
        assert session.attempts[-1].proof == "verified"


def test_give_up_is_final() -> None:
    """A person who gives up is not asked again, and Airflow does not retry."""
    session, _ = ask(asking())
    session, step = next_step(session.answered(FAIL, "op answered: give up", NOW), BROKEN, asking(), NOW)
    assert isinstance(step, Fail)
    assert (step.kind, step.retryable, step.why) == ("failed", False, "op answered: give up")


def test_answer_does_not_overrule_what_has_become_of_the_run() -> None:
    """P1: a run that somebody repaired in dbt meanwhile is not rerun."""
    session, _ = ask(asking())
    session = session.answered(FAILURE, "op answered", NOW + 60)
    _, step = next_step(session, replace(BROKEN, run=run(101, 10)), asking(), NOW + 60)
    assert isinstance(step, Succeed)


def test_time_of_a_question_does_not_count_but_its_reruns_do() -> None:
    """A person may sleep: the limits go on from where they were. A policy still asks no more often than it may."""
    policy = asking(Question(patience=90_000), stop=stop_after_attempt(2) | stop_after_delay(7_200))
    session, _ = ask(policy)
    late = NOW + 80_000
    session = session.answered(FAILURE, "op answered", late)
    session, step = next_step(session, BROKEN, policy, late)
    assert isinstance(step, Rerun)
    assert session.began_at == NOW
    again = RunSeen(run(102, retrying_run_id=101), BROKEN.results)
    _, step = next_step(session, again, policy, late + 10)
    assert isinstance(step, Fail)
    assert "after 2 attempts in all" in step.reason


@pytest.mark.parametrize(
    ("patience", "stop", "deadline", "until"),
    [
        (60, stop_after_delay(7_200), None, NOW + 60),
        (None, stop_after_delay(7_200), None, NOW + 7_200),
        (None, stop_after_attempt(3), NOW + 500, NOW + 500),
        (60, stop_after_attempt(3), NOW + 50, NOW + 50),
        (None, stop_after_attempt(3), None, NOW + LONGEST_QUESTION),
    ],
)
def test_question_ends(patience: float | None, stop: object, deadline: float | None, until: float) -> None:
    """By its patience, the policy's limit or the task's timeout, whichever is first; never without end."""
    _, step = ask(asking(Question(patience=patience), stop=stop), deadline)
    assert step.question.until == until


def test_question_is_logged_as_a_warning() -> None:
    """P4: what is asked, until when, and what happens without an answer."""
    session, step = ask(asking(Question(patience=60)))
    last = list(tell(RerunSession(NOW), session, step))[-1].text
    assert last == (
        "Asking a person until 1970-01-01 00:17:40 UTC: rerun from failure, rerun from start, give up "
        "(without an answer: give up)"
    )


def test_text_of_a_question() -> None:
    """Run, failing nodes with messages and files, what each answer would do, and what happens without one."""
    _, step = ask(asking(Question(patience=60)))
    body = question_body(replace(step, run=replace(step.run, job_name="nightly")))
    assert body.startswith("dbt run [101](https://dbt.example/runs/101/) of job nightly ended in Error.")
    assert '| model orders (models/orders.sql) | Parser Error: syntax error at or near "selec" | code |' in body
    assert "* **Rerun from failure** runs the 2 failed or skipped nodes again, and the commands after them" in body
    assert "* **Rerun from start** runs the whole job again" in body
    assert "* **Give up** fails this task" in body
    assert "Without an answer until 1970-01-01 00:17 UTC: **Give up**." in body


def test_message_draws_nothing() -> None:
    """A database's words cannot add a link, a column or a tag to the question."""
    assert escaped("[x](http://y) | <b> *z* `q`") == r"\[x\]\(http://y\) \| \<b\> \*z\* \`q\`"


@pytest.mark.parametrize("ended", [20, 30])
def test_newer_run_that_failed_does_not_overrule_a_person(ended: int) -> None:
    """It may have failed long before the answer; the failed command runs again, since the run cannot be resumed."""
    session, _ = ask(asking())
    session = session.answered(FAILURE, "op answered", NOW + 60)
    newer = run(150, ended)
    stuck = replace(BROKEN.run, can_retry=False, retry_not_supported_reason="RETRY_NOT_LATEST_RUN")
    seen = replace(BROKEN, run=stuck, newer=(newer,), newest=newer)
    _, step = next_step(session, seen, asking(), NOW + 60)
    assert isinstance(step, Rerun)
    assert step.action is RerunAction.RERUN_FROM_STEP


@pytest.mark.parametrize("status", [3, 10])
def test_newer_run_that_does_the_work_is_taken(status: int) -> None:
    """Whatever a person ordered: nothing runs twice."""
    session, _ = ask(asking())
    session = session.answered(FAILURE, "op answered", NOW + 60)
    newer = run(150, status)
    stuck = replace(BROKEN.run, can_retry=False, retry_not_supported_reason="RETRY_NOT_LATEST_RUN")
    _, step = next_step(session, replace(BROKEN, run=stuck, newer=(newer,), newest=newer), asking(), NOW + 60)
    assert step == WaitForRun(150)
