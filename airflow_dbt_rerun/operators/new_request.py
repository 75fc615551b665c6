"""Tell a request of a person from Airflow's own retry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

BY_EVENTS = ("asset_triggered", "dataset_triggered")
"""Types of DAG runs that asset events start: an event may be repeated, which asks for nothing new."""


def is_new_request(context: Mapping[str, Any], *, retries: int | None) -> bool:
    """Return whether this is the first try that a DAG run, or a clear of the task, asked for.

    Airflow raises ``max_tries`` on a clear only: what exceeds the task's ``retries`` were tries before the clear.
    """
    instance = context["ti"]
    before = int(getattr(instance, "max_tries", 0) or 0) - int(retries or 0)
    if int(getattr(instance, "try_number", 0) or 0) > before + 1:
        return False
    return before > 0 or _run_type(context) not in BY_EVENTS


def _run_type(context: Mapping[str, Any]) -> str:
    run_type = getattr(context.get("dag_run"), "run_type", "")
    return str(getattr(run_type, "value", run_type))
