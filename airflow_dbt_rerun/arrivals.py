"""The path by which Airflow's database may still hold the sensor's trigger, from before 0.1.0."""

from airflow_dbt_rerun.triggers import DbtCloudRunArrivalTrigger

__all__ = ["DbtCloudRunArrivalTrigger"]
