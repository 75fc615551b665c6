"""Airflow operators that run or watch dbt Cloud jobs and rerun them from the point of failure by a policy."""

__version__ = "0.1.0"
