"""Airflow's side of an operator, as small as it can be: a task instance that remembers, and the way of a deferral.

What is real: the operator, its trigger (rebuilt from its serialized form), the hook, HTTP and dbt. Only what
Airflow does around them is played.
"""

from __future__ import annotations

import asyncio
import copy
import json
from dataclasses import dataclass, field
from typing import Any

from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_dbt_rerun.healing import HealingOperator
from airflow_dbt_rerun.triggers import DbtCloudRunTrigger


@dataclass
class TaskInstance:
    """One task instance: its identity, and the XComs it pushed, in order."""

    dag_id: str = "shop"
    run_id: str = "scheduled__2026-11-23"
    task_id: str = "build"
    map_index: int = -1
    max_tries: int = 0
    pushed: list[tuple[str, Any]] = field(default_factory=list)

    def xcom_push(self, key: str, value: Any) -> None:
        """Remember an XCom; Airflow would refuse what is no JSON."""
        self.pushed.append((key, json.loads(json.dumps(value))))

    def xcom(self, key: str) -> Any:
        """Give the newest value of a key."""
        return [value for name, value in self.pushed if name == key][-1]


def run_task(operator: HealingOperator, instance: TaskInstance | None = None) -> int:
    """Run a task as Airflow would, through all its deferrals; a resumed task is a fresh copy each time."""
    context: Any = {"ti": instance or TaskInstance(task_id=operator.task_id)}
    run_id: int
    try:
        run_id = copy.copy(operator).execute(context)
    except TaskDeferred as deferred:
        wait = deferred
    else:
        return run_id
    while True:
        event = asyncio.run(first_event(wait.trigger))
        try:
            return fresh_copy(operator).execute_complete(context, event)
        except TaskDeferred as deferred:
            wait = deferred


def fresh_copy(operator: HealingOperator) -> HealingOperator:
    """Give the operator as a new worker would have it: nothing cached."""
    again = copy.copy(operator)
    again.__dict__.pop("hook", None)
    return again


async def first_event(trigger: Any) -> dict[str, Any]:
    """Run a trigger as the triggerer would: rebuilt from plain JSON, its one event as plain JSON."""
    path, arguments = trigger.serialize()
    assert path == "airflow_dbt_rerun.triggers.DbtCloudRunTrigger"
    rebuilt = DbtCloudRunTrigger(**json.loads(json.dumps(arguments)))
    events = [event async for event in rebuilt.run()]
    assert len(events) == 1
    payload: dict[str, Any] = json.loads(json.dumps(events[0].payload))
    return payload
