"""Operators that run and heal a dbt Cloud job, or rerun one failed run."""

from airflow_dbt_rerun.operators.job import DbtCloudJobOperator, DbtCloudRerunOperator

__all__ = ["DbtCloudJobOperator", "DbtCloudRerunOperator"]
