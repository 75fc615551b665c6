"""Triggers. Airflow's database stores them by their paths in this package, so these paths never change."""

from typing import TYPE_CHECKING

from airflow_dbt_rerun._lazy import lazy_names

if TYPE_CHECKING:
    from airflow_dbt_rerun.triggers.arrival import DbtCloudRunArrivalTrigger
    from airflow_dbt_rerun.triggers.asset_events import DbtCloudJobRunEventTrigger
    from airflow_dbt_rerun.triggers.run import DbtCloudRunTrigger

__all__ = ["DbtCloudJobRunEventTrigger", "DbtCloudRunArrivalTrigger", "DbtCloudRunTrigger"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "arrival": ("DbtCloudRunArrivalTrigger",),
        "asset_events": ("DbtCloudJobRunEventTrigger",),
        "run": ("DbtCloudRunTrigger",),
    },
)
