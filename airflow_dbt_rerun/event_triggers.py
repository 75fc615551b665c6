"""The path by which Airflow's database may still hold the asset watchers' trigger, from before 0.1.0."""

from airflow_dbt_rerun.triggers import DbtCloudJobRunEventTrigger

__all__ = ["DbtCloudJobRunEventTrigger"]
