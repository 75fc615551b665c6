"""Wait for a run of a job that Airflow did not start, and heal it where a policy says so."""

from airflow_dbt_rerun.sensors.job import DbtCloudJobSensor

__all__ = ["DbtCloudJobSensor"]
