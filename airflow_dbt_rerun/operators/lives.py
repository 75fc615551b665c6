"""The lives of a task instance: each clear begins a new one, and each marks its dbt runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_dbt_rerun.core.heal.lineage import Marker


def markers(instance: Any, *, retries: int | None) -> Iterator[Marker]:
    """Yield the marker of this life of a task instance, then those of its earlier lives, newest first.

    An Airflow retry continues a life; a clear begins a new one. Airflow raises ``max_tries`` on a clear only, so
    the amount by which it exceeds the task's ``retries`` numbers the life.
    """
    life = int(getattr(instance, "max_tries", 0) or 0) - int(retries or 0)
    identity = (instance.dag_id, instance.run_id, instance.task_id, instance.map_index)
    yield Marker.of(*identity, life)
    yield from (Marker.of(*identity, earlier) for earlier in range(life - 1, -1, -1))
