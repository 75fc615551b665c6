"""Wait for one given run, and heal it if a policy says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from airflow_dbt_rerun.config.arguments import Takes
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.engine.reader import RunReader
from airflow_dbt_rerun.exceptions import DbtRunUnwatchable
from airflow_dbt_rerun.operators.arguments import required_id
from airflow_dbt_rerun.sensors.base import HealingSensor, given_in
from airflow_dbt_rerun.sensors.takes import RUN_SENSOR

FIRST_PATIENCE = 60.0
"""Seconds. About one run in a hundred answers 404 just after it was triggered; a wrong id does for ever."""


class DbtCloudRunSensor(HealingSensor):
    """Wait for one given dbt run, for example one that a task with ``wait_for_termination=False`` has started.

    Without a policy the sensor only detects: it succeeds with the run, or fails with its diagnosis. With a policy
    it reruns the failed run, as :class:`~airflow_dbt_rerun.operators.job.DbtCloudJobOperator` would. If the run has
    already ended, the sensor decides at once; if it was rerun already, the rerun counts.

    It also has the parameters of :class:`~airflow_dbt_rerun.sensors.base.HealingSensor`.

    :param run_id: the run to wait for, often the output of another task.
    :return: the id of the run that finished the work.
    :raises DbtRunFailed: if the run failed and no policy is given, or no rerun can heal it; Airflow does not retry
        this.
    :raises DbtRunSensorTimeout: if the time is up; Airflow does not retry this.
    :raises DbtNotFoundError: if there is no such run.
    :raises DbtRunError: the other subclasses that
        :class:`~airflow_dbt_rerun.operators.job.DbtCloudJobOperator` lists.
    """

    takes: ClassVar[Takes] = RUN_SENSOR
    template_fields: Sequence[str] = (*HealingSensor.template_fields, "run_id")

    def __init__(self, *, run_id: int | str, **kwargs: Any) -> None:
        self.run_id = run_id
        self._has_asked = False
        super().__init__(**kwargs)

    def _awaited_run(self) -> Run:
        run_id = required_id("run_id", self.run_id)
        pace = self._pace()
        if not (self._has_asked or self.reschedule):
            pace = replace(pace, tolerance=min(pace.tolerance, FIRST_PATIENCE))
        self._has_asked = True
        reader = RunReader(self.hook.client, pace=pace, log=self.log)
        return reader.patiently(lambda: self.hook.get_run(run_id, include_related=()))

    def _recall(self, session: Mapping[str, Any] | None) -> None:
        self._read_arguments()
        run = self._awaited_run()
        if given_in(session) not in (None, run.id):
            raise DbtRunUnwatchable(f"the heal was about another run than {run.id}: clear this task")
        self._given = (run.job_id, run.id)
