"""Airflow operators that run or watch dbt Cloud jobs and rerun them from the point of failure by a policy.

Public names are loaded when they are first used: Airflow imports this package at every start, to read its
provider information, long before any of it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_dbt_rerun.arrivals import DbtCloudRunArrivalTrigger
    from airflow_dbt_rerun.core.categories import Category
    from airflow_dbt_rerun.core.conditions import (
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
    from airflow_dbt_rerun.core.diagnosis import Diagnosis, Finding, classify
    from airflow_dbt_rerun.core.policy import (
        DEFAULT_RULES,
        RerunAction,
        RerunDecision,
        RerunPolicy,
        RerunRule,
        Superseded,
    )
    from airflow_dbt_rerun.core.signatures import Signature
    from airflow_dbt_rerun.event_triggers import DbtCloudJobRunEventTrigger
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
    from airflow_dbt_rerun.operators import DbtCloudJobOperator, DbtCloudRerunOperator
    from airflow_dbt_rerun.sensors import DbtCloudJobSensor
    from airflow_dbt_rerun.triggers import DbtCloudRunTrigger

__version__ = "0.1.0"

__all__ = [
    "DEFAULT_RULES",
    "Category",
    "Condition",
    "DbtApiError",
    "DbtCloudJobOperator",
    "DbtCloudJobRunEventTrigger",
    "DbtCloudJobSensor",
    "DbtCloudRerunHook",
    "DbtCloudRerunOperator",
    "DbtCloudRunArrivalTrigger",
    "DbtCloudRunLink",
    "DbtCloudRunTrigger",
    "DbtConfigError",
    "DbtRerunError",
    "DbtRunCancelled",
    "DbtRunError",
    "DbtRunExhausted",
    "DbtRunFailed",
    "DbtRunSensorTimeout",
    "DbtRunTimeout",
    "DbtRunUnwatchable",
    "Diagnosis",
    "Finding",
    "RerunAction",
    "RerunDecision",
    "RerunPolicy",
    "RerunRule",
    "RerunState",
    "Signature",
    "Superseded",
    "any_node",
    "attempt_number",
    "classify",
    "every",
    "message",
    "node",
    "run",
    "step",
]

_ROOMS = {
    "arrivals": ("DbtCloudRunArrivalTrigger",),
    "core.categories": ("Category",),
    "core.conditions": (
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
    "core.diagnosis": ("Diagnosis", "Finding", "classify"),
    "core.policy": ("DEFAULT_RULES", "RerunAction", "RerunDecision", "RerunPolicy", "RerunRule", "Superseded"),
    "core.signatures": ("Signature",),
    "event_triggers": ("DbtCloudJobRunEventTrigger",),
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
    "operators": ("DbtCloudJobOperator", "DbtCloudRerunOperator"),
    "sensors": ("DbtCloudJobSensor",),
    "triggers": ("DbtCloudRunTrigger",),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
