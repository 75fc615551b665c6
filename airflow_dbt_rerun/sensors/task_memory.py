"""What a task knows from one try, or poke, to the next, where Airflow keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

KEY = "dbt_rerun_sensor"


class TaskMemory:
    """Facts of one life of a task instance: plain JSON, by name.

    They outlive the process on Airflow 3.3 and newer (its task state store); before, XComs are all there is, and
    those are cleared at every poke and try, so the facts are forgotten with the process.

    :param context: Airflow's.
    :param life: names this life: a cleared task begins with no facts.
    """

    def __init__(self, context: Mapping[str, Any], life: str) -> None:
        self._store = context.get("task_state_store")
        kept = self._store.get(KEY) if self._store is not None else None
        self._facts: dict[str, Any] = {"life": life}
        if isinstance(kept, dict) and kept.get("life") == life:
            self._facts = dict(kept)

    def get(self, name: str) -> Any:
        """Give a fact, or None."""
        return self._facts.get(name)

    def keep(self, **facts: Any) -> None:
        """Keep facts. Those that are known already cost nothing."""
        known = {**self._facts, **facts}
        if known != self._facts and self._store is not None:
            self._store.set(KEY, known)
        self._facts = known
