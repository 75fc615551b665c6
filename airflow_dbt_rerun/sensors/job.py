"""Wait for a run of a job that Airflow did not start, and heal it if a policy says so."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

from airflow_dbt_rerun.api.endpoints import get_job
from airflow_dbt_rerun.config.arguments import Takes
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.watch.awaited_run import Awaited
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.reader import RunReader
from airflow_dbt_rerun.exceptions import (
    DbtConfigError,
    DbtJobUnusableError,
    DbtNotFoundError,
    DbtRunUnwatchable,
)
from airflow_dbt_rerun.operators.job_base import OneJobOperator
from airflow_dbt_rerun.operators.lives import markers
from airflow_dbt_rerun.sensors.base import HealingSensor, given_in
from airflow_dbt_rerun.sensors.takes import SENSOR
from airflow_dbt_rerun.sensors.task_memory import TaskMemory
from airflow_dbt_rerun.triggers.arrival import ARRIVAL_OUTCOMES, ARRIVED, UNWATCHABLE, DbtCloudRunArrivalTrigger
from airflow_dbt_rerun.watching.search import find

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

Moment = datetime | str


class DbtCloudJobSensor(HealingSensor, OneJobOperator):
    """Wait for a dbt run that Airflow did not start: one of dbt's own schedule, of CI, or of a person in dbt.

    The awaited run is the first (or latest) run of the job that was created at or after ``since`` and fits the
    filters. Reruns belong to the run that they repair. If there is no such run yet, the sensor waits. If the run
    has already ended, the sensor decides at once.

    Without a policy the sensor only detects: it succeeds with the run, or fails with its diagnosis. With a policy
    it reruns the failed run, as :class:`~airflow_dbt_rerun.operators.job.DbtCloudJobOperator` would.

    It also has the parameters of :class:`~airflow_dbt_rerun.operators.job_base.OneJobOperator` (``job_id``
    or the three names) and of :class:`~airflow_dbt_rerun.sensors.base.HealingSensor`. For one given run, use
    :class:`~airflow_dbt_rerun.sensors.run.DbtCloudRunSensor`.

    :param since: the earliest creation time of the run (a datetime, or ISO 8601 text; UTC if it has no time zone).
        Defaults to the end of the data interval or, if the DAG run has none, the start of the DAG run.
    :param cause_categories: what may have started the run, in dbt's terms: ``scheduled``, ``api``, ``ui``, ``ci``,
        ``merge``, ``rerun``, ... Defaults to any.
    :param git_branch: the git branch of the run. The branch of a run is known only once dbt has cloned it.
    :param match: ``first``, or ``latest`` for the latest run at the time when one is found. The sensor then keeps
        that run (in mode ``reschedule`` from Airflow 3.3 on; before, a later run may replace it until it ends).
    :return: the id of the run that finished the work.
    :raises DbtRunFailed: if the run failed and no policy is given, or no rerun can heal it; Airflow does not retry
        this.
    :raises DbtRunSensorTimeout: if the time is up; Airflow does not retry this.
    :raises DbtRunError: the other subclasses that
        :class:`~airflow_dbt_rerun.operators.job.DbtCloudJobOperator` lists.
    """

    takes: ClassVar[Takes] = SENSOR
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
        **kwargs: Any,
    ) -> None:
        if "run_id" in kwargs:
            raise DbtConfigError(
                "DbtCloudJobSensor waits for a run of a job: for one given run, use DbtCloudRunSensor"
            )
        self.since = since
        self.cause_categories = cause_categories
        self.git_branch = git_branch
        self.match = match
        self._has_searched = False
        super().__init__(**kwargs)

    # --- Until the run exists

    def _prepare(self, context: Context) -> None:
        self._awaited = self._what_to_await(context)

    def _what_to_await(self, context: Context) -> Awaited:
        return Awaited(
            job_id=self._checked_job_id(),
            since=(cast("datetime | None", self.since) or _due(context)).timestamp(),
            cause_categories=tuple(self.cause_categories),
            git_branch=self.git_branch,
            match=self.match,
        )

    def _checked_job_id(self) -> int:
        """Return the job's id, after checking once that it exists: a sensor of a missing job would wait in vain."""
        asked = [str(name) for name in (self.job_id, self.project_name, self.environment_name, self.job_name)]
        known = self._memory.get("job")
        if known and known["asked"] == asked:
            return int(known["id"])
        job_id = self._job_id()
        try:
            job = self.hook.send(get_job(job_id))
        except DbtNotFoundError as error:
            if error.user_message is None:
                raise  # dbt itself gives a reason: this is another host, or a gateway in between
            raise DbtJobUnusableError(
                f"job {job_id} does not exist, or the token may not see it: correct job_id, or give the token "
                "access to its project, then clear this task"
            ) from error
        if job.deactivated:
            self.log.warning(
                "Job %s %r is deactivated: dbt will not run it until it is activated; waiting", job.id, job.name
            )
        self._memory.keep(job={"asked": asked, "id": job_id})
        return job_id

    def _awaited_run(self) -> Run | None:
        """Return the awaited run, or None. Once a run is found, it stays the one, whatever follows it."""
        kept, awaited = self._memory.get("found"), self._awaited.to_dict()
        if kept and kept["awaited"] == awaited:
            return self._ask(lambda: self._kept_run(kept["run_id"]))
        if not self._has_searched:
            self.log.info("Waiting for %s", self._awaited)
        run = self._ask(lambda: find(self.hook.send, self._awaited, time.time()))
        if run is not None:
            self._memory.keep(found={"run_id": run.id, "awaited": awaited})
        return run

    def _kept_run(self, run_id: int) -> Run:
        run = self.hook.get_run(run_id, include_related=())
        if run.job_id != self._awaited.job_id:
            raise DbtRunUnwatchable(f"dbt run {run_id} is not one of job {self._awaited.job_id}: clear this task")
        return run

    def _ask(self, question: Callable[[], Run | None]) -> Run | None:
        # Errors of the first request are raised at once; later ones may pass and are retried.
        retries, self._has_searched = self._has_searched or self.reschedule, True
        reader = RunReader(self.hook.client, pace=self._pace(), log=self.log)
        return reader.patiently(question) if retries else question()

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
        """Resume after waiting for the run in the triggerer: read the run again."""
        if not event or event.get("outcome") not in ARRIVAL_OUTCOMES:
            raise DbtRunUnwatchable(
                f"the triggerer sent {event!r}, which has no known outcome: clear this task to try again"
            )
        self._read_arguments()
        self._awaited = Awaited.from_dict(event["awaited"])
        if self.job_id is not None and self._awaited.job_id != self._job_id():
            raise DbtRunUnwatchable(
                f"the triggerer searched job {self._awaited.job_id}, not this one: clear this task"
            )
        if event["outcome"] == UNWATCHABLE:
            raise DbtRunUnwatchable(f"cannot search for {self._awaited}: {event['reason']}")
        self._memory = TaskMemory(context, next(markers(context["ti"])).key)
        if event["outcome"] == ARRIVED:
            self._memory.keep(found={"run_id": event["run_id"], "awaited": event["awaited"]})
        self._has_searched = True
        run = self._awaited_run()
        if run is None:
            self._give_up_waiting(None)
        self._publisher(context).show_run(run)
        return self._see_through(context, run, event["deadline"])

    def _why_none(self) -> str:
        return f"{self._awaited} did not start in time{self._newest_run_in_words()}"

    def _newest_run_in_words(self) -> str:
        """Describe the job's newest run: it shows if ``since`` is a little too late."""
        reader = RunReader(self.hook.client, pace=Pace(tolerance=0.0), log=self.log)
        newest = next(iter(reader.newest_runs(self._awaited.job_id)), None)
        if newest is None:
            return "; the job has no run"
        by = newest.trigger.cause_category if newest.trigger else None
        what = f"created at {newest.created_at}, by {by or 'an unknown cause'}, on branch {newest.git_branch}"
        return f"; the job's newest run is {newest.id}, {what}"

    # --- Once the run exists

    def _fits(self) -> Callable[[Run], bool]:
        return Awaited(self._given[0], 0.0, tuple(self.cause_categories), self.git_branch).fits

    def _recall(self, session: Mapping[str, Any] | None) -> None:
        if run_id := given_in(session):
            # A run of another job than the argument's is refused where it is read.
            named = self.hook.get_run(run_id, include_related=()).job_id if self.job_id is None else self._job_id()
            self._given = (named, run_id)


def _due(context: Context) -> datetime:
    """Return the default of ``since``: in Airflow 3, manual and asset-triggered DAG runs lack a data interval."""
    moment: datetime | None = context.get("data_interval_end") or context["dag_run"].start_date
    if moment is None:
        raise DbtConfigError("this DAG run has neither a data interval nor a start date: give since")
    return moment
