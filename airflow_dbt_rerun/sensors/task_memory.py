"""Facts that a task keeps from one try or poke to the next, as far as Airflow can store them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY = "dbt_rerun_sensor"


class TaskMemory:
    """Store facts of one life of a task instance: plain JSON, by name.

    On Airflow 3.3 and newer, its task state store keeps them across processes. Older versions have only XComs,
    which are cleared at every poke and try, so the facts are lost with the process.

    :param context: Airflow's task context.
    :param life: identifies this life; a cleared task begins a new one, without facts.
    """

    def __init__(self, context: Mapping[str, Any], life: str) -> None:
        self._store = context.get("task_state_store")
        kept = self._store.get(KEY) if self._store is not None else None
        self._facts: dict[str, Any] = {"life": life}
        if isinstance(kept, dict) and kept.get("life") == life:
            self._facts = dict(kept)

    def get(self, name: str) -> Any:
        """Return a fact, or None."""
        return self._facts.get(name)

    def keep(self, **facts: Any) -> None:
        """Store facts. Unchanged facts cause no write."""
        known = {**self._facts, **facts}
        if known != self._facts and self._store is not None:
            self._store.set(KEY, known)
        self._facts = known
