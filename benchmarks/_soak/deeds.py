"""What a soak does to the stack: each method is the event of that name in the schedule."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from random import Random

import psutil  # type: ignore[import-untyped]

from benchmarks._soak.plan import Piece
from benchmarks._soak.schedule import Event
from benchmarks._soak.stack import CONNECTION, TRIGGERER, TRIGGERERS, WORKERS, Stack
from tests.support import Json

LONGEST_UNTIL_SCHEDULED = 40.0
"""Seconds from the start of a wave until dbt's scheduler starts the run that a sensor waits for."""

TRIGGERER_AWAY = 20.0
"""Seconds."""


class Deeds:
    """Carries out events.

    :param dice: chooses victims among what there is at that moment
    """

    def __init__(self, stack: Stack, dice: Random) -> None:
        self._stack = stack
        self._dice = dice
        self.done: Counter[str] = Counter()
        self.marked: set[Piece] = set()
        self.clears: Counter[Piece] = Counter()

    def do(self, event: Event) -> list[Event]:
        """Carry out an event, and return those that follow from it."""
        follow: list[Event] | None = getattr(self, event.what)(event)
        return follow or []

    # --- Work

    def wave(self, event: Event) -> list[Event]:
        """Start the tasks of a wave, and lay down when dbt starts the runs that its sensors wait for."""
        pieces = [piece for piece in self._stack.pieces if piece.wave == event.details["wave"]]
        dag_id = pieces[0].dag_id
        self._stack.dag_runs[dag_id] = self._stack.airflow.trigger(dag_id)
        moments = ((piece, event.moment + self._dice.uniform(0, LONGEST_UNTIL_SCHEDULED)) for piece in pieces)
        return [Event(at, "dbt_schedules", {"job": piece.node}) for piece, at in moments if piece.is_sensor]

    def dbt_schedules(self, event: Event) -> None:
        """Let dbt's own scheduler start a run."""
        platform = self._stack.dbt.now
        platform.control("POST", f"jobs/{platform.jobs[event.details['job']]}/schedule")

    # --- The API and dbt

    def fault(self, event: Event) -> None:
        """Add a fault of the API."""
        self._stack.dbt.now.control("POST", "faults", event.details)
        self.done[f"fault: {_kind(event.details)}"] += 1

    def hollow(self, _: Event) -> None:
        """Let dbt's retries succeed without doing anything, from now on."""
        self._stack.dbt.now.behave(retry_runs="nothing")
        self.done["times in which retries are hollow"] += 1

    def whole(self, _: Event) -> None:
        """Let dbt's retries do their work again."""
        self._stack.dbt.now.behave(retry_runs="unfinished")

    def restart(self, event: Event) -> None:
        """Restart the platform; its runs in progress fail, and its faults are forgotten."""
        crash = event.details.get("crash", False)
        self._stack.dbt.restart(crash=crash)
        self.done[f"platform {'crashed' if crash else 'restarted'}"] += 1

    def rotate(self, event: Event) -> None:
        """Give the connection a new token, then the platform."""
        self._stack.set_token("PATCH", f"connections/{CONNECTION}", self._stack.dbt.new_token())
        self.restart(event)
        self.done["token rotated"] += 1

    # --- Kills

    def kill_child(self, event: Event) -> list[Event]:
        """Kill a busy child of a Celery worker, with its task or (as often) without; or try again later."""
        busy = [
            child
            for name in WORKERS
            for child in psutil.Process(self._stack.airflow.processes[name].pid).children()
            if child.children()
        ]
        if not busy:
            return [Event(event.moment + 1, "kill_child")]
        child, with_task = self._dice.choice(busy), self._dice.random() < 0.5
        kill([child, *(child.children(recursive=True) if with_task else ())])
        self.done[f"worker child killed, its task {'too' if with_task else 'orphaned'}"] += 1
        return []

    def kill_triggerer(self, event: Event) -> list[Event]:
        """Kill a triggerer, for a while."""
        victim = self._dice.choice([name for name in TRIGGERERS if name in self._stack.airflow.processes])
        self._stack.airflow.kill(victim)
        self.done["triggerer killed"] += 1
        return [Event(event.moment + TRIGGERER_AWAY, "start_triggerer", {"name": victim})]

    def start_triggerer(self, event: Event) -> None:
        """Start a triggerer again."""
        self._stack.airflow.start(event.details["name"], TRIGGERER)

    # --- People

    def mark(self, event: Event) -> list[Event]:
        """Mark a task failed, or try again later."""
        if not (piece := self._victim("running", "deferred")):
            return [Event(event.moment + 1, "mark")]
        dag_id, task_id, index = piece.place
        at = f"dags/{dag_id}/dagRuns/{self._stack.dag_runs[dag_id]}/taskInstances/{task_id}"
        if not self._stack.click("PATCH", at if index < 0 else f"{at}/{index}", {"new_state": "failed"}):
            return [Event(event.moment + 1, "mark")]  # it has ended meanwhile
        self.marked.add(piece)
        self.done["task marked failed"] += 1
        return []

    def clear(self, event: Event) -> list[Event]:
        """Clear a task, or try again later."""
        if not (piece := self._victim("running", "deferred", "success", "failed")):
            return [Event(event.moment + 1, "clear")]
        dag_id, task_id, index = piece.place
        body: Json = {"dry_run": False, "only_failed": False, "dag_run_id": self._stack.dag_runs[dag_id]}
        body["task_ids"] = [task_id if index < 0 else (task_id, index)]
        if not self._stack.click("POST", f"dags/{dag_id}/clearTaskInstances", body):
            return [Event(event.moment + 1, "clear")]
        self.marked.discard(piece)
        self.clears[piece] += 1
        self.done["task cleared"] += 1
        return []

    def _victim(self, *states: str) -> Piece | None:
        instances = self._stack.instances()
        found = [piece for piece in self._stack.pieces if instances.get(piece.place, ("", 0))[0] in states]
        return self._dice.choice(found) if found else None


def kill(processes: Sequence[psutil.Process]) -> None:
    """End processes as a lack of memory does."""
    for process in processes:
        with suppress(psutil.NoSuchProcess, ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def _kind(fault: Json) -> str:
    return " ".join(str(fault[name]) for name in ("kind", "status", "method") if name in fault)
