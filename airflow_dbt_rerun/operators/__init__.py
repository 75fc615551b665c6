"""Operators that run and heal a dbt Cloud job, rerun one failed run, or read from dbt."""

from airflow_dbt_rerun.operators.job import DbtCloudJobOperator, DbtCloudRerunOperator
from airflow_dbt_rerun.operators.reading import (
    DbtCloudGetJobRunArtifactOperator,
    DbtCloudListJobRunsOperator,
    DbtCloudListJobsOperator,
)

__all__ = [
    "DbtCloudGetJobRunArtifactOperator",
    "DbtCloudJobOperator",
    "DbtCloudListJobRunsOperator",
    "DbtCloudListJobsOperator",
    "DbtCloudRerunOperator",
]
