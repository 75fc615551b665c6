"""The way of a task into the triggerer and back: what it defers with, and what its event means."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_dbt_rerun.config.team_signatures import team_signatures
from airflow_dbt_rerun.core.heal.next_steps import WaitForRun
from airflow_dbt_rerun.core.heal.observations import Observation
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.signatures import Signature
from airflow_dbt_rerun.core.watch.one import Unwatchable
from airflow_dbt_rerun.engine.driver import Driver
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import DbtRunUnwatchable
from airflow_dbt_rerun.triggers.run import JOB, OUTCOMES, DbtCloudRunTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

WORK = "work"
"""Key, in the session of a deferred task, of the marker of its work."""


class DeferralMixin(BaseOperator):
    """Defers a heal to the triggerer, and resumes it when the event comes."""

    dbt_cloud_conn_id: str
    account_id: int | str | None
    cancel_on_kill: bool
    hook_params: dict[str, Any] | None
    _in_progress: Work | None
    _has_deferred = False

    @abstractmethod
    def _driver(self, context: Context, team: Sequence[Signature], usual: float | None = None) -> Driver:
        """Return the driver of this task's work."""

    @abstractmethod
    def _continue(self, context: Context, driver: Driver, session: RerunSession, seen: Observation) -> int:
        """Decide and act until the work has ended, or the task defers again."""

    @abstractmethod
    def _seconds_allowed(self) -> float:
        """Return the seconds that the whole work may take."""

    @abstractmethod
    def _limit_requests(self, seconds: float) -> None:
        """Send no request again after that many seconds from now."""

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> int:
        """Resume after a deferral: read the run again, then decide."""
        if not event or event.get("outcome") not in OUTCOMES:
            raise DbtRunUnwatchable(
                f"the triggerer sent {event!r}, which has no known outcome: nothing is rerun; "
                "clear this task to try again"
            )
        self._has_deferred = True
        # An edit of the Variable must not break a heal in progress: invalid entries are left out.
        driver = self._driver(context, team_signatures(self.log, strict=False), event.get("usual"))
        session = self._remembered(event, driver.work)
        if session is None:
            self._limit_requests(self._seconds_allowed())
            session, seen = driver.begin(deadline=time.time() + self._seconds_allowed())
            self._in_progress = driver.work
        else:
            self._take_up(driver, session)
            seen = self._seen(driver, session, event)
        return self._continue(context, driver, session, seen)

    def _take_up(self, driver: Driver, session: RerunSession) -> None:
        self._in_progress = replace(driver.work, theirs=session.theirs)
        if session.deadline is not None:
            self._limit_requests(session.deadline - time.time())

    def _remembered(self, event: Mapping[str, Any], work: Work) -> RerunSession | None:
        """Read the session from the event; None if it cannot be used and has to be rebuilt from dbt's records.

        Another version of this package may have written it. Also, Airflow 3.0 can resume a cleared task with the
        event of a deferral that predates the clear (apache/airflow#62845); that event describes earlier runs.
        """
        memory = event.get("session")
        if isinstance(memory, Mapping) and memory.get(WORK) not in (None, work.marker.key):
            self.log.warning(
                "Resumed by an event that predates the clear; reading the runs of this task from dbt again"
            )
            return None
        try:
            session = RerunSession.from_dict(event["session"])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            self.log.warning(
                "Cannot use the session of the deferral (%s); reading the runs of this task from dbt again", error
            )
            return None
        if session.run_id != event.get("run_id"):
            self.log.warning(
                "The event is about dbt run %s, but its session waits for run %s; "
                "reading the runs of this task from dbt again",
                event.get("run_id"),
                session.run_id,
            )
            return None
        return session

    def _seen(self, driver: Driver, session: RerunSession, event: Mapping[str, Any]) -> Observation:
        assert session.run_id is not None
        if event["outcome"] == "unwatchable":
            return driver.observe_after(session, Unwatchable(session.run_id, str(event.get("reason"))))
        return driver.observe(session, session.run_id)

    def _carried(self, driver: Driver, session: RerunSession) -> dict[str, Any]:
        """Return the session as a task takes it along while it has no worker."""
        marker = self._in_progress and self._in_progress.marker.key
        return {**session.to_dict(), WORK: marker, JOB: driver.work.job_id}

    def _defer_until(self, driver: Driver, session: RerunSession, step: WaitForRun) -> NoReturn:
        self.defer(
            trigger=DbtCloudRunTrigger(
                dbt_cloud_conn_id=self.dbt_cloud_conn_id,
                account_id=self.account_id,
                run_id=step.run_id,
                session=self._carried(driver, session),
                until=step.until,
                cancel_on_kill=self.cancel_on_kill and is_ours(session),
                hook_params=self.hook_params,
                **replace(driver.pace, deadline=session.deadline).to_dict(),
            ),
            method_name=self.execute_complete.__name__,
        )


def is_ours(session: RerunSession) -> bool:
    """Return whether the newest run was started by this task, and so may be cancelled by it."""
    return session.current is not None and session.current.ours
