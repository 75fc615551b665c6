"""What the installed Airflow can do, by what it has and not by its version."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec


@cache
def can_ask() -> bool:
    """Return whether a task can ask a person and wait for the answer (Airflow 3.1 and newer)."""
    try:
        return find_spec("airflow.sdk.execution_time.hitl") is not None
    except ModuleNotFoundError:
        return False
