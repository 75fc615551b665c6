"""The former path of the sensor's trigger, which rows of Airflow's database from before 0.1.0 may hold."""

from airflow_dbt_rerun.triggers import DbtCloudRunArrivalTrigger

__all__ = ["DbtCloudRunArrivalTrigger"]
