"""Ask a person in Airflow's UI, and wait for the answer without a worker: Airflow 3.1 and newer."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator, TaskDeferred

from airflow_dbt_rerun import testing
from airflow_dbt_rerun.config.team_signatures import team_signatures
from airflow_dbt_rerun.core.heal.next_steps import AskPerson
from airflow_dbt_rerun.core.heal.planned import OpenQuestion
from airflow_dbt_rerun.core.heal.question_text import question_body, question_subject
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.action_words import answer_label
from airflow_dbt_rerun.core.policy.actions import RerunAction
from airflow_dbt_rerun.engine.driver import Driver
from airflow_dbt_rerun.operators.deferral import DeferralMixin
from airflow_dbt_rerun.operators.publishing import Publisher

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class AskingMixin(DeferralMixin, BaseOperator):
    """Asks a person which rerun it shall be, and goes on with the answer.

    The task waits in state *awaiting input* (Airflow 3.3 and newer) or *deferred* (3.1 and 3.2), in blocking mode,
    too. A clear or a retry asks anew, since it makes a new task instance.
    """

    @abstractmethod
    def _publisher(self, context: Context) -> Publisher:
        """Return what tells of the progress of this task."""

    def _ask_person(self, context: Context, driver: Driver, session: RerunSession, step: AskPerson) -> RerunSession:
        """Ask, and give the worker back; in test mode the default is the answer at once."""
        if testing.is_testing():
            return session.answered(step.question.default, "nobody is asked in test mode", time.time())
        _put(context, self.task_id, step)
        self._publisher(context).announce_question(session, step)
        raise _parked(context, step.question, {"session": self._carried(driver, session)})

    def answered(self, context: Context, event: dict[str, Any], session: dict[str, Any]) -> int:
        """Resume with an answer: read the run again, since it may have changed meanwhile, then carry it out."""
        self._has_deferred = True
        driver = self._driver(context, team_signatures(self.log, strict=False))
        attempts = session.get("attempts") or [{}]
        memory = self._remembered({"session": session, "run_id": attempts[-1].get("run_id")}, driver.work)
        if memory is None or memory.plan is None or memory.plan.question is None or memory.run_id is None:
            # What was asked is not known any more: whatever is to be decided now is asked again.
            memory, seen = driver.begin(deadline=time.time() + self._seconds_allowed())
            self._in_progress = driver.work
            return self._continue(context, driver, memory, seen)
        self._take_up(driver, memory)
        action, by = _answer(event, memory.plan.question)
        self.log.info("%s", by)
        run_id, memory = memory.run_id, memory.answered(action, by, time.time())
        return self._continue(context, driver, memory, driver.observe(memory, run_id))


def _put(context: Context, task_id: str, step: AskPerson) -> None:
    from airflow.sdk.execution_time.hitl import HITLUser, upsert_hitl_detail  # noqa: PLC0415 - Airflow 3.1

    instance: Any = context["ti"]
    users = [HITLUser(id=user, name=user) for user in step.question.assigned_users]
    upsert_hitl_detail(
        ti_id=instance.id,
        options=[answer_label(option) for option in step.question.options],
        subject=question_subject(task_id),
        body=question_body(step),
        defaults=[answer_label(step.question.default)],
        multiple=False,
        params={},
        assigned_users=users or None,
    )


def _parked(context: Context, question: OpenQuestion, kwargs: dict[str, Any]) -> BaseException:
    """Return what leaves the worker until there is an answer, or the time is up."""
    seconds = max(question.until - time.time(), 1.0)
    method = AskingMixin.answered.__name__
    try:
        from airflow.sdk.exceptions import TaskAwaitingInput  # noqa: PLC0415 - Airflow 3.3
    except ImportError:
        trigger = _hitl_trigger(context, question, seconds)
        return TaskDeferred(trigger=trigger, method_name=method, kwargs=kwargs)
    awaited: BaseException = TaskAwaitingInput(
        method_name=method, kwargs=kwargs, timeout=timedelta(seconds=seconds)
    )
    return awaited


def _hitl_trigger(context: Context, question: OpenQuestion, seconds: float) -> Any:
    from airflow.providers.standard.triggers.hitl import HITLTrigger  # noqa: PLC0415 - Airflow 3.1 and 3.2

    instance: Any = context["ti"]
    return HITLTrigger(
        ti_id=instance.id,
        options=[answer_label(option) for option in question.options],
        defaults=[answer_label(question.default)],
        params={},
        multiple=False,
        timeout_datetime=datetime.now(UTC) + timedelta(seconds=seconds),
    )


def _answer(event: Mapping[str, Any], question: OpenQuestion) -> tuple[RerunAction, str]:
    """Return the answer of an event and who gave it; without a usable one the default, or nothing is rerun."""
    if event.get("timedout") or event.get("error_type") == "timeout":
        return question.default, f"nobody answered in time, so: {answer_label(question.default).lower()}"
    if "error" in event:
        return RerunAction.FAIL, f"the question could not be asked: {event['error']}"
    user = event.get("responded_by_user") or {}
    who = user.get("name") or user.get("id") or "a person"
    chosen = (event.get("chosen_options") or [None])[0]
    action = next((option for option in question.options if answer_label(option) == chosen), None)
    if action is None:  # Airflow shows the first question of a try again, with its options
        return RerunAction.FAIL, f"{who} answered {chosen!r}, which is not among the answers to this question"
    return action, f"{who} answered: {answer_label(action).lower()}"
