"""Read, in the triggerer, the state of the task that a trigger belongs to."""

from __future__ import annotations

from typing import Any

OVER = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
"""States of a task instance that has ended."""


async def is_over(instance: Any) -> bool:
    """Return whether a person ended a deferred task, or it was deleted.

    Airflow stops a trigger for other reasons, too: the triggerer stops or another one takes over (the task is then
    still deferred, apache/airflow#73454), or the task was cleared (its new life then decides about the run).

    :param instance: the trigger's ``task_instance``.
    """
    from asgiref.sync import sync_to_async  # noqa: PLC0415 - a part of Airflow; not needed to parse a DAG

    states = await sync_to_async(_states)(instance)
    return not states or any(state in OVER for state in states)


def _states(instance: Any) -> list[str | None]:
    """Return the task instance's state in a list, which is empty if it no longer exists."""
    try:
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance  # noqa: PLC0415
    except ImportError:
        return _states_in_database(instance)
    found = RuntimeTaskInstance.get_task_states(
        dag_id=instance.dag_id,
        task_ids=[instance.task_id],
        run_ids=[instance.run_id],
        map_index=instance.map_index,
    )
    return list((found.get(instance.run_id) or {}).values())


def _states_in_database(instance: Any) -> list[str | None]:
    """Read the state from Airflow's database, as a triggerer may on Airflow 2."""
    from airflow.models.taskinstance import TaskInstance  # noqa: PLC0415
    from airflow.utils.session import create_session  # noqa: PLC0415

    with create_session() as session:
        rows = session.query(TaskInstance.state).filter(
            TaskInstance.dag_id == instance.dag_id,
            TaskInstance.task_id == instance.task_id,
            TaskInstance.run_id == instance.run_id,
            TaskInstance.map_index == instance.map_index,
        )
        return [state for (state,) in rows]
