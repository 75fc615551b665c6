"""Run a dbt Cloud job and heal it when it fails; rerun one failed run."""

from airflow_dbt_rerun.operators.job import DbtCloudJobOperator, DbtCloudRerunOperator

__all__ = ["DbtCloudJobOperator", "DbtCloudRerunOperator"]
