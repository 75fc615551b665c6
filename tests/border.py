"""Airflow's side of an operator, as small as it can be: a task instance that remembers, and the way of a deferral.

What is real: the operator, its trigger (rebuilt from its serialized form), the hook, HTTP and dbt. Only what
Airflow does around them is played.
"""

from __future__ import annotations

import asyncio
import copy
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

from airflow.exceptions import AirflowRescheduleException
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_dbt_rerun.operators.base import HealingOperator


@dataclass
class TaskInstance:
    """One task instance: its identity, and the XComs it pushed, in order."""

    dag_id: str = "shop"
    run_id: str = "scheduled__2026-11-23"
    task_id: str = "build"
    map_index: int = -1
    max_tries: int = 0
    try_number: int = 1
    id: str = "0199-one"
    pushed: list[tuple[str, Any]] = field(default_factory=list)
    rescheduled: datetime | None = None
    """When it asked for the first time to be executed later."""

    def xcom_push(self, key: str, value: Any) -> None:
        """Store an XCom, which must be JSON as in Airflow."""
        self.pushed.append((key, json.loads(json.dumps(value))))

    def xcom(self, key: str) -> Any:
        """Give the newest value of a key."""
        return [value for name, value in self.pushed if name == key][-1]

    def get_first_reschedule_date(self, _: Any) -> datetime | None:
        """Return since when a sensor waits."""
        return self.rescheduled


class TaskStore:
    """Airflow 3.3's memory of a task instance: it outlives tries, pokes and clears."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def get(self, key: str) -> Any:
        """Give a value, or None."""
        return json.loads(self._values.get(key, "null"))

    def set(self, key: str, value: Any) -> None:
        """Store a value, which must be JSON as in Airflow."""
        self._values[key] = json.dumps(value)


def run_task(
    operator: HealingOperator, instance: TaskInstance | None = None, context: Mapping[str, Any] | None = None
) -> int:
    """Run a task as Airflow would, through all its deferrals and reschedules; each time it is a fresh copy.

    :param context: what Airflow's context holds besides the task instance.
    """
    # Airflow 2's notifiers ask for the DAG, and take none.
    full: Any = {"dag": None, "ti": instance or TaskInstance(task_id=operator.task_id), **(context or {})}
    run_id: int
    try:
        run_id = execute(operator, full)
    except TaskDeferred as deferred:
        wait = deferred
    else:
        return run_id
    while True:
        event = asyncio.run(first_event(wait.trigger))
        try:
            run_id = fresh_copy(operator).resume_execution(wait.method_name, {"event": event}, full)
        except TaskDeferred as deferred:
            wait = deferred
        else:
            return run_id


def execute(operator: HealingOperator, context: Any) -> int:
    """Execute a task, again and again if it asks for that (soon: the moment that it names is for the scheduler)."""
    while True:
        try:
            run_id: int = fresh_copy(operator).execute(context)
        except AirflowRescheduleException:
            context["ti"].rescheduled = context["ti"].rescheduled or datetime.now(UTC)
            time.sleep(0.02)
        else:
            return run_id


def fresh_copy(operator: HealingOperator) -> HealingOperator:
    """Give the operator as a new worker would have it: nothing cached."""
    again = copy.copy(operator)
    again.__dict__.pop("hook", None)
    return again


async def first_event(trigger: Any) -> dict[str, Any]:
    """Run a trigger as the triggerer would: rebuilt from plain JSON, its one event as plain JSON."""
    path, arguments = trigger.serialize()
    module, name = path.rsplit(".", 1)
    rebuilt = getattr(import_module(module), name)(**json.loads(json.dumps(arguments)))
    events = [event async for event in rebuilt.run()]
    assert len(events) == 1
    payload: dict[str, Any] = json.loads(json.dumps(events[0].payload))
    return payload
