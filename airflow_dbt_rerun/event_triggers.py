"""The former path of the asset watchers' trigger, which rows of Airflow's database from before 0.1.0 may hold."""

from airflow_dbt_rerun.triggers import DbtCloudJobRunEventTrigger

__all__ = ["DbtCloudJobRunEventTrigger"]
