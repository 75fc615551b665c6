"""Wait for a run that this task did not start, of a job or by its id, and heal it where a policy says so."""

from airflow_dbt_rerun.sensors.job import DbtCloudJobSensor
from airflow_dbt_rerun.sensors.run import DbtCloudRunSensor

__all__ = ["DbtCloudJobSensor", "DbtCloudRunSensor"]
