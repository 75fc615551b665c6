"""Airflow operators that run or watch dbt Cloud jobs and rerun them from the point of failure by a policy.

Public names are loaded when they are first used: Airflow imports this package at every start, to read its
provider information, long before any of it is needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_dbt_rerun._lazy import lazy_names
from airflow_dbt_rerun._version import __version__

if TYPE_CHECKING:
    from airflow_dbt_rerun.core.categories import Category
    from airflow_dbt_rerun.core.dbt.models import RunStatus
    from airflow_dbt_rerun.core.diagnosis import Diagnosis, Finding, classify, diagnose
    from airflow_dbt_rerun.core.policy.conditions import (
        Condition,
        RerunState,
        any_node,
        attempt_number,
        every,
        message,
        node,
        run,
        step,
    )
    from airflow_dbt_rerun.core.policy.policy import (
        DEFAULT_RULES,
        Question,
        RerunAction,
        RerunDecision,
        RerunPolicy,
        RerunRule,
        Superseded,
    )
    from airflow_dbt_rerun.core.signatures import Signature
    from airflow_dbt_rerun.exceptions import (
        DbtApiError,
        DbtConfigError,
        DbtRerunError,
        DbtRunCancelled,
        DbtRunError,
        DbtRunExhausted,
        DbtRunFailed,
        DbtRunSensorTimeout,
        DbtRunTimeout,
        DbtRunUnwatchable,
    )
    from airflow_dbt_rerun.hooks import DbtCloudRerunHook
    from airflow_dbt_rerun.links import DbtCloudRunLink
    from airflow_dbt_rerun.operators import (
        DbtCloudGetJobRunArtifactOperator,
        DbtCloudJobOperator,
        DbtCloudListJobRunsOperator,
        DbtCloudListJobsOperator,
        DbtCloudRerunOperator,
    )
    from airflow_dbt_rerun.retry_policy import DbtRetryPolicy
    from airflow_dbt_rerun.sensors import DbtCloudJobSensor, DbtCloudRunSensor
    from airflow_dbt_rerun.triggers import (
        DbtCloudJobRunEventTrigger,
        DbtCloudRunArrivalTrigger,
        DbtCloudRunTrigger,
    )

__all__ = [
    "DEFAULT_RULES",
    "Category",
    "Condition",
    "DbtApiError",
    "DbtCloudGetJobRunArtifactOperator",
    "DbtCloudJobOperator",
    "DbtCloudJobRunEventTrigger",
    "DbtCloudJobSensor",
    "DbtCloudListJobRunsOperator",
    "DbtCloudListJobsOperator",
    "DbtCloudRerunHook",
    "DbtCloudRerunOperator",
    "DbtCloudRunArrivalTrigger",
    "DbtCloudRunLink",
    "DbtCloudRunSensor",
    "DbtCloudRunTrigger",
    "DbtConfigError",
    "DbtRerunError",
    "DbtRetryPolicy",
    "DbtRunCancelled",
    "DbtRunError",
    "DbtRunExhausted",
    "DbtRunFailed",
    "DbtRunSensorTimeout",
    "DbtRunTimeout",
    "DbtRunUnwatchable",
    "Diagnosis",
    "Finding",
    "Question",
    "RerunAction",
    "RerunDecision",
    "RerunPolicy",
    "RerunRule",
    "RerunState",
    "RunStatus",
    "Signature",
    "Superseded",
    "__version__",
    "any_node",
    "attempt_number",
    "classify",
    "diagnose",
    "every",
    "message",
    "node",
    "run",
    "step",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "core.categories": ("Category",),
        "core.dbt.models": ("RunStatus",),
        "core.diagnosis": ("Diagnosis", "Finding", "classify", "diagnose"),
        "core.policy.conditions": (
            "Condition",
            "RerunState",
            "any_node",
            "attempt_number",
            "every",
            "message",
            "node",
            "run",
            "step",
        ),
        "core.policy.policy": (
            "DEFAULT_RULES",
            "Question",
            "RerunAction",
            "RerunDecision",
            "RerunPolicy",
            "RerunRule",
            "Superseded",
        ),
        "core.signatures": ("Signature",),
        "exceptions": (
            "DbtApiError",
            "DbtConfigError",
            "DbtRerunError",
            "DbtRunCancelled",
            "DbtRunError",
            "DbtRunExhausted",
            "DbtRunFailed",
            "DbtRunSensorTimeout",
            "DbtRunTimeout",
            "DbtRunUnwatchable",
        ),
        "hooks": ("DbtCloudRerunHook",),
        "links": ("DbtCloudRunLink",),
        "operators": (
            "DbtCloudGetJobRunArtifactOperator",
            "DbtCloudJobOperator",
            "DbtCloudListJobRunsOperator",
            "DbtCloudListJobsOperator",
            "DbtCloudRerunOperator",
        ),
        "retry_policy": ("DbtRetryPolicy",),
        "sensors": ("DbtCloudJobSensor", "DbtCloudRunSensor"),
        "triggers": ("DbtCloudJobRunEventTrigger", "DbtCloudRunArrivalTrigger", "DbtCloudRunTrigger"),
    },
)
