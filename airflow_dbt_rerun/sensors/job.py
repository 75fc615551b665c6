"""Wait for a run of a job that Airflow did not start, and heal it where a policy says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSkipException,
    BaseOperator,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_dbt_rerun.api.endpoints import get_job, number
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.heal.next_steps import Fail
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.watch.awaited_run import MATCHES, Awaited
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.reader import RunReader
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import (
    DbtConfigError,
    DbtJobUnusableError,
    DbtNotFoundError,
    DbtRunError,
    DbtRunSensorTimeout,
    DbtRunTimeout,
    DbtRunUnwatchable,
)
from airflow_dbt_rerun.operators.arguments import is_template
from airflow_dbt_rerun.operators.job import markers
from airflow_dbt_rerun.operators.job_base import OneJobOperator
from airflow_dbt_rerun.sensors.task_memory import TaskMemory
from airflow_dbt_rerun.triggers.arrival import ARRIVAL_OUTCOMES, ARRIVED, UNWATCHABLE, DbtCloudRunArrivalTrigger
from airflow_dbt_rerun.watching.search import find

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

Moment = datetime | str


class DbtCloudJobSensor(OneJobOperator, BaseSensorOperator):
    """Waits for a run that somebody else starts: dbt's own schedule, CI, or a person in dbt.

    The awaited run is the first (or latest) run of the job that was created at or after ``since`` and fits the
    filters. Reruns belong to the run that they repair. No such run yet is no error: the sensor waits. A run that is
    over already is decided upon at once.

    Without a policy the sensor only detects: it succeeds with the run, or fails with its diagnosis. With one it
    reruns the failed run, as :class:`~airflow_dbt_rerun.operators.job.DbtCloudJobOperator` would.

    What it does not do: it never starts the first run, and never cancels one that it did not start.

    While it waits, it works as any sensor: ``mode="poke"`` keeps the worker, ``mode="reschedule"`` frees it between
    two looks, ``deferrable=True`` waits in the triggerer. A heal keeps the worker in both modes; that of a
    deferrable task waits in the triggerer, too.

    It also has the parameters of :class:`~airflow_dbt_rerun.operators.job_base.OneJobOperator` (``job_id``
    or the three names), of :class:`~airflow_dbt_rerun.operators.base.HealingOperator` except ``check_interval``,
    and those of Airflow's sensors.

    :param since: a moment (datetime, or ISO text; UTC where it has no zone). By default the end of the data
        interval or, where the DAG run has none, the start of the DAG run.
    :param cause_categories: what may have started the run, in dbt's words: ``scheduled``, ``api``, ``ui``, ``ci``,
        ``merge``, ``rerun``, ...; anything, if not given.
    :param git_branch: the branch that it runs; a run that has not cloned yet is waited for.
    :param match: ``first``, or ``latest`` for the latest at the moment when there is one; the sensor stays with it
        (in mode ``reschedule`` from Airflow 3.3 on; before, a later run can take its place until it is over).
    :param policy: when to rerun the run, how, and when to give up; None reruns nothing.
    :param poke_interval: seconds between two looks, at the run, too.
    :param timeout: seconds for all of it: until the run comes, its end, and all reruns; by default Airflow's
        ``[sensors] default_timeout``. An Airflow retry does not start it anew from Airflow 3.3 on, and in mode
        ``reschedule``; else it does.
    :param soft_fail: skip instead of fail where the run failed, was cancelled, or did not come or end in time.
        Where nothing is known of it, the task fails all the same.
    :return: the id of the run that finished the work.
    :raises DbtRunFailed: if the run failed and nothing is to be rerun, or no rerun can heal it; Airflow does not
        retry this.
    :raises DbtRunSensorTimeout: if the time is up; Airflow does not retry this.
    :raises DbtRunExhausted: and the other errors of :class:`~airflow_dbt_rerun.operators.job.DbtCloudJobOperator`.
    """

    template_fields: Sequence[str] = (
        *OneJobOperator.template_fields,
        "since",
        "cause_categories",
        "git_branch",
        "match",
    )

    def __init__(
        self,
        *,
        since: Moment | None = None,
        cause_categories: Sequence[str] | str = (),
        git_branch: str | None = None,
        match: str = "first",
        poke_interval: timedelta | float = 60,
        timeout: timedelta | float | None = None,
        **kwargs: Any,
    ) -> None:
        self.since = since
        self.cause_categories = cause_categories
        self.git_branch = git_branch
        self.match = match
        self._has_looked = False
        if timeout is None:
            timeout = conf.getfloat("sensors", "default_timeout")
        super().__init__(
            poke_interval=poke_interval, check_interval=_seconds(poke_interval), timeout=_seconds(timeout), **kwargs
        )

    def _check_arguments(self) -> None:
        if self.check_interval <= 0:
            raise DbtConfigError(f"poke_interval takes a number of seconds above zero, not {self.check_interval}")
        super()._check_arguments()
        if not is_template(self.since):
            self._since_given()
        if not is_template(self.match):
            self._checked_match()

    def _since_given(self) -> datetime | None:
        try:
            moment = datetime.fromisoformat(self.since.strip()) if isinstance(self.since, str) else self.since
        except ValueError as error:
            raise DbtConfigError(f"since must be a moment, not {self.since!r}") from error
        if moment is not None and not isinstance(moment, datetime):
            raise DbtConfigError(f"since must be a moment, not {self.since!r}")
        return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)

    def _checked_match(self) -> str:
        if self.match not in MATCHES:
            raise DbtConfigError(f"match is one of {', '.join(MATCHES)}, not {self.match!r}")
        return self.match

    # --- Until the run is there

    def execute(self, context: Context) -> Any:
        """Look, as a sensor of Airflow does: until the work is done, or there is something to defer for."""
        self._memory = TaskMemory(context, next(markers(context["ti"], retries=self.retries)).key)
        self._awaited = self._what_is_awaited(context)
        self._until = self._began(context) + self._seconds_allowed()
        return BaseSensorOperator.execute(self, context)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look once: not there yet, or seen to its end.

        In mode ``reschedule`` a run that is going is left alone until it is over.
        """
        run = self._look()
        if run is not None:
            self._publisher(context).show_run(run)
        leaves = self.reschedule and not self.deferrable
        if run is not None and (run.is_terminal or not leaves):
            return PokeReturnValue(is_done=True, xcom_value=self._see_through(context, run, self._until))
        if time.time() >= self._until:
            self._give_up_waiting(run)
        if self.deferrable:
            self._defer_until_arrival()
        return False

    def _what_is_awaited(self, context: Context) -> Awaited:
        categories = self.cause_categories
        return Awaited(
            job_id=self._checked_job_id(),
            since=(self._since_given() or _due(context)).timestamp(),
            cause_categories=(categories,) if isinstance(categories, str) and categories else tuple(categories),
            git_branch=self.git_branch or None,
            match=self._checked_match(),
        )

    def _checked_job_id(self) -> int:
        """Find out once which job it is, and that it is there: for a job that is not, a sensor waits in vain."""
        asked = [str(name) for name in (self.job_id, self.project_name, self.environment_name, self.job_name)]
        known = self._memory.get("job")
        if known and known["asked"] == asked:
            return int(known["id"])
        job_id = self._job_id()
        try:
            job = self.hook.send(get_job(job_id))
        except DbtNotFoundError as error:
            raise DbtJobUnusableError(
                f"job {job_id} does not exist (any more), or the token may not see it: correct job_id, or give the "
                "token access to its project, then clear this task"
            ) from error
        if job.deactivated:
            self.log.warning(
                "Job %s %r is deactivated: dbt will not run it before it is activated", job.id, job.name
            )
        self._memory.keep(job={"asked": asked, "id": job_id})
        return job_id

    def _began(self, context: Context) -> float:
        """Tell when this life of the task looked first: later tries do not start the clock anew."""
        began: float | None = self._memory.get("began")
        if began is None and self.reschedule:
            began = _first_reschedule(context)
        self._memory.keep(began=time.time() if began is None else began)
        return float(self._memory.get("began"))

    def _look(self) -> Run | None:
        """Look whether the run is there. One that was found stays the one, whatever comes after it."""
        kept, awaited = self._memory.get("found"), self._awaited.to_dict()
        if kept and kept["awaited"] == awaited:
            return self._ask(lambda: self.hook.get_run(kept["run_id"], include_related=()))
        if not self._has_looked:
            self.log.info("Looking for %s", self._awaited)
        run = self._ask(lambda: find(self.hook.send, self._awaited, time.time()))
        if run is not None:
            self._memory.keep(found={"run_id": run.id, "awaited": awaited})
        return run

    def _ask(self, question: Callable[[], Run | None]) -> Run | None:
        # What is wrong from the start is told at once; later, trouble of the API may pass.
        patient, self._has_looked = self._has_looked or self.reschedule, True
        reader = RunReader(self.hook.client, pace=self._pace(), log=self.log)
        return reader.patiently(question) if patient else question()

    def _defer_until_arrival(self) -> NoReturn:
        self.defer(
            trigger=DbtCloudRunArrivalTrigger(
                dbt_cloud_conn_id=self.dbt_cloud_conn_id,
                account_id=self.account_id,
                awaited=self._awaited.to_dict(),
                hook_params=self.hook_params,
                **replace(self._pace(), deadline=self._until).to_dict(),
            ),
            method_name=self.execute_arrived.__name__,
        )

    def execute_arrived(self, context: Context, event: dict[str, Any] | None = None) -> int:
        """Go on where the triggerer's wait for the run ended: read what is there afresh."""
        if not event or event.get("outcome") not in ARRIVAL_OUTCOMES:
            raise DbtRunUnwatchable(f"the triggerer sent {event!r}, which says nothing about a run")
        self._awaited = Awaited.from_dict(event["awaited"])
        if event["outcome"] == UNWATCHABLE:
            raise DbtRunUnwatchable(f"cannot look for {self._awaited}: {event['reason']}")
        self._memory = TaskMemory(context, next(markers(context["ti"], retries=self.retries)).key)
        if event["outcome"] == ARRIVED:
            self._memory.keep(found={"run_id": event["run_id"], "awaited": event["awaited"]})
        self._has_looked = True
        run = self._look()
        if run is None:
            self._give_up_waiting(None)
        self._publisher(context).show_run(run)
        return self._see_through(context, run, event["deadline"])

    def _give_up_waiting(self, run: Run | None) -> NoReturn:
        if run is None:
            raise self._softly(DbtRunSensorTimeout(f"{self._awaited} did not come in time{self._what_came()}"))
        raise self._softly(DbtRunSensorTimeout(f"dbt run {run.id} is not over in time: {run.status_name}", run=run))

    def _what_came(self) -> str:
        """Name the newest run: a ``since`` that is a little late is easily seen so."""
        reader = RunReader(self.hook.client, pace=Pace(tolerance=0.0), log=self.log)
        newest = next(iter(reader.newest_runs(self._awaited.job_id)), None)
        if newest is None:
            return "; the job has no run"
        by = newest.trigger.cause_category if newest.trigger else None
        what = f"created at {newest.created_at}, by {by or 'nobody knows whom'}, on branch {newest.git_branch}"
        return f"; the job's newest run is {newest.id}, {what}"

    # --- When the run is there

    def _see_through(self, context: Context, run: Run, deadline: float) -> int:
        self._given = (run.job_id, run.id)
        return self._run_to_end(context, deadline)

    def work(self, context: Context) -> Work:
        """Repair the run that was found, as this life of this task instance."""
        instance: Any = context["ti"]
        job_id, run_id = self._given
        reason = f"Rerun via Apache Airflow by task '{self.task_id}' in the {instance.dag_id} DAG."
        return Work(job_id, next(markers(instance, retries=self.retries)), reason, of_run=run_id)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> int:
        """Go on where the triggerer's wait for the run's end, or for a moment, ended."""
        if run_id := _given_in(event):
            self._given = (self.hook.get_run(run_id, include_related=()).job_id, run_id)
        return super().execute_complete(context, event)

    # --- How it fails

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as any operator.

        Airflow's sensors would skip here (``soft_fail``) whatever went wrong; this one skips in all modes alike.
        """
        of = BaseSensorOperator if self.never_fail else BaseOperator
        return of.resume_execution(self, next_method, next_kwargs, context)

    def _give_up(self, session: RerunSession, step: Fail) -> NoReturn:
        try:
            super()._give_up(session, step)
        except DbtRunTimeout as error:
            late = DbtRunSensorTimeout(
                str(error), run=error.run, diagnosis=error.diagnosis, attempts=error.attempts
            )
            raise self._softly(late) from error
        except DbtRunUnwatchable:
            raise  # nothing is known of the run: that must not pass for a skip
        except DbtRunError as error:
            raise self._softly(error) from error

    def _softly(self, error: DbtRunError) -> Exception:
        return AirflowSkipException(str(error)) if self.soft_fail else error


def _seconds(duration: timedelta | float) -> float:
    """Read a duration; what is none is refused where the arguments are checked."""
    return duration.total_seconds() if isinstance(duration, timedelta) else duration


def _due(context: Context) -> datetime:
    """Tell from when on a run counts: DAG runs by hand or by an asset may have no data interval (Airflow 3)."""
    moment: datetime | None = context.get("data_interval_end") or context["dag_run"].start_date
    if moment is None:
        raise DbtConfigError("this DAG run has neither a data interval nor a start: give since")
    return moment


def _first_reschedule(context: Context) -> float | None:
    """Ask Airflow 3 when this sensor was rescheduled first; Airflow 2 counts for itself."""
    instance: Any = context["ti"]
    ask = getattr(instance, "get_first_reschedule_date", None)
    moment: datetime | None = ask(context) if ask else None
    return moment.timestamp() if moment else None


def _given_in(event: Mapping[str, Any] | None) -> int | None:
    """Find the run that the sensor was given in the memory that travels with an event."""
    attempts = ((event or {}).get("session") or {}).get("attempts") or ()
    return number("run_id", attempts[0]["run_id"]) if attempts else None
