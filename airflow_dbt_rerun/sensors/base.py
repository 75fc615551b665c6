"""Base class of the sensors: what they share once they know which run they wait for."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import (
    AirflowSkipException,
    BaseOperator,
    BaseSensorOperator,
    PokeReturnValue,
    conf,
)

from airflow_dbt_rerun.api.endpoints import number
from airflow_dbt_rerun.config.arguments import checked
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.heal.next_steps import Fail
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import (
    DbtConfigError,
    DbtRunError,
    DbtRunSensorTimeout,
    DbtRunTimeout,
    DbtRunUnwatchable,
)
from airflow_dbt_rerun.operators.base import HealingOperator
from airflow_dbt_rerun.operators.lives import markers
from airflow_dbt_rerun.sensors.task_memory import TaskMemory

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class HealingSensor(HealingOperator, BaseSensorOperator):
    """Wait for a run that this task did not start, and heal it by a policy. A base class, not for use by itself.

    It never starts a first run, and never cancels a run that it did not start.

    While it waits, it works as any sensor: ``mode="poke"`` keeps the worker, ``mode="reschedule"`` frees it between
    two pokes, ``deferrable=True`` waits in the triggerer. A heal keeps the worker in both modes; a deferrable task
    heals from the triggerer, too.

    It has the parameters of :class:`~airflow_dbt_rerun.operators.base.HealingOperator` except ``check_interval``,
    and those of Airflow's sensors.

    :param policy: when to rerun the run, how, and when to give up; None reruns nothing.
    :param poke_interval: seconds between two pokes, and between two polls of the run.
    :param timeout: seconds until the run has started and ended, all reruns included. Defaults to Airflow's
        ``[sensors] default_timeout``. From Airflow 3.3 on, and in mode ``reschedule``, an Airflow retry does not
        restart this clock; otherwise it does.
    :param soft_fail: skip the task instead of failing it if the run failed, was cancelled, or did not start or end
        in time. If the run could not be read, the task fails nevertheless.
    """

    _memory: TaskMemory
    _given: tuple[int, int]
    """The job and the run that was found."""

    def __init__(
        self,
        *,
        poke_interval: timedelta | float = 60,
        timeout: timedelta | float | None = None,
        soft_fail: bool = False,
        **kwargs: Any,
    ) -> None:
        if "check_interval" in kwargs:
            raise DbtConfigError("check_interval is an argument of the operators: give the sensor poke_interval")
        seconds = checked("poke_interval", self.takes["poke_interval"], poke_interval)
        if timeout is None:
            timeout = conf.getfloat("sensors", "default_timeout")
        super().__init__(
            poke_interval=seconds,
            check_interval=seconds,
            timeout=checked("timeout", self.takes["timeout"], timeout),
            soft_fail=checked("soft_fail", self.takes["soft_fail"], soft_fail),
            **kwargs,
        )

    # --- Until the run exists

    def execute(self, context: Context) -> Any:
        """Poke until the work is done; a deferrable sensor defers as soon as it has to wait."""
        self._read_arguments()
        self._memory = TaskMemory(context, next(markers(context["ti"])).key)
        self._prepare(context)
        self._until = self._began(context) + self._seconds_allowed()
        return BaseSensorOperator.execute(self, context)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look for the run once; if it exists, see it through to its end.

        In mode ``reschedule`` a run in progress is left alone until it has ended.
        """
        run = self._awaited_run()
        if run is not None:
            self._publisher(context).show_run(run)
        frees_worker = self.reschedule and not self.deferrable
        if run is not None and (run.is_terminal or not frees_worker):
            return PokeReturnValue(is_done=True, xcom_value=self._see_through(context, run, self._until))
        if time.time() >= self._until:
            self._give_up_waiting(run)
        if self.deferrable:
            self._defer_until_arrival()
        return False

    def _prepare(self, context: Context) -> None:
        """Find out, before the clock starts, what to wait for."""

    @abstractmethod
    def _awaited_run(self) -> Run | None:
        """Return the run to wait for, or None if it does not exist yet."""

    def _defer_until_arrival(self) -> None:
        """Wait in the triggerer for a run that does not exist yet."""

    def _give_up_waiting(self, run: Run | None) -> NoReturn:
        why = self._why_none() if run is None else f"dbt run {run.id} did not end in time: its status is "
        raise self._or_skip(DbtRunSensorTimeout(why + (run.status_name if run else ""), run=run))

    def _why_none(self) -> str:
        """Say that no run came."""
        return "the run did not start in time"

    def _began(self, context: Context) -> float:
        """Return when this life of the task began, in epoch seconds: later tries do not restart the clock."""
        began: float | None = self._memory.get("began")
        if began is None and self.reschedule:
            began = _first_reschedule(context)
        self._memory.keep(began=time.time() if began is None else began)
        return float(self._memory.get("began"))

    # --- Once the run exists

    def _see_through(self, context: Context, run: Run, deadline: float) -> int:
        self._given = (run.job_id, run.id)
        return self._run_to_end(context, deadline)

    def work(self, context: Context) -> Work:
        """Return the found run to repair, marked for this life of the task instance."""
        instance: Any = context["ti"]
        job_id, run_id = self._given
        reason = f"Rerun via Apache Airflow by task '{self.task_id}' in the {instance.dag_id} DAG."
        marker = next(markers(instance))
        return Work(job_id, marker, reason, of_run=run_id, fits=self._fits())

    def _fits(self) -> Callable[[Run], bool]:
        """Return whether another run of the job may stand for the one that was found, if it is superseded."""
        return lambda _: True

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> int:
        """Resume after waiting in the triggerer for the run to end, or for the pause before a rerun."""
        self._recall((event or {}).get("session"))
        return super().execute_complete(context, event)

    def answered(self, context: Context, event: dict[str, Any], session: dict[str, Any]) -> int:
        """Resume with a person's answer."""
        self._recall(session)
        return super().answered(context, event, session)

    @abstractmethod
    def _recall(self, session: Mapping[str, Any] | None) -> None:
        """Take the run to heal from the memory of a heal."""

    # --- Failing, or skipping

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume as an operator does.

        With ``soft_fail``, Airflow's sensors would skip here on any error; this sensor skips alike in all modes.
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
            raise self._or_skip(late) from error
        except DbtRunUnwatchable:
            raise  # the run's end is unknown: that must not be skipped
        except DbtRunError as error:
            raise self._or_skip(error) from error

    def _or_skip(self, error: DbtRunError) -> Exception:
        return AirflowSkipException(str(error)) if self.soft_fail else error


def given_in(session: Mapping[str, Any] | None) -> int | None:
    """Return the id of the first run in the memory of a heal."""
    attempts = (session or {}).get("attempts") or ()
    return number("run_id", attempts[0]["run_id"]) if attempts else None


def _first_reschedule(context: Context) -> float | None:
    """Return when Airflow 3 first rescheduled this sensor, in epoch seconds; None on Airflow 2."""
    instance: Any = context["ti"]
    ask = getattr(instance, "get_first_reschedule_date", None)
    moment: datetime | None = ask(context) if ask else None
    return moment.timestamp() if moment else None
