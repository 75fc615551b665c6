"""What the reports of many tasks say together. Plain values in, plain JSON out."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

HEALED, SUCCEEDED, IN_PROGRESS = "healed", "succeeded", "in progress"

MOST_LISTED = 300
"""Most heals that are listed one by one."""

CHRONIC_DAYS = 3
"""Days on which a task was healed, from which on the job counts as broken, if they are half of its days."""

Report = Mapping[str, Any]

_SHOWN = ("subject", "resource_type", "category", "message")
"""What the list shows of each failed node."""


@dataclass(frozen=True, slots=True)
class Heal:
    """The report of one task instance, as found in XCom."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    at: datetime
    report: Report

    @classmethod
    def from_row(cls, row: Sequence[Any]) -> Self:
        """Build from a row of XCom; what is no report, as a reference of a custom backend, becomes an empty one."""
        dag_id, run_id, task_id, map_index, at, value = row
        return cls(dag_id, run_id, task_id, map_index, at, _read(value))

    @property
    def outcome(self) -> str:
        """How it ended; an empty text if that is not readable."""
        return str(self.report.get("outcome") or "")

    @property
    def attempts(self) -> Sequence[Report]:
        """The dbt runs, oldest first."""
        return [each for each in self.report.get("attempts") or () if isinstance(each, Mapping)]

    @property
    def findings(self) -> list[Report]:
        """What failed in any attempt."""
        return [each for attempt in self.attempts for each in attempt.get("findings") or ()]

    @property
    def has_failed(self) -> bool:
        """Whether a dbt run failed, whatever became of it."""
        return self.needs_person or any(attempt.get("verdict") for attempt in self.attempts)

    @property
    def needs_person(self) -> bool:
        """Whether the work was given up, or healed by what a person decided."""
        by_person = self.outcome == HEALED and any(attempt.get("by_person") for attempt in self.attempts)
        return by_person or self.outcome not in ("", HEALED, SUCCEEDED, IN_PROGRESS)

    @property
    def healed_itself(self) -> bool:
        """Whether the work was healed without anybody's help."""
        return self.outcome == HEALED and not self.needs_person

    @property
    def would_be_rerun(self) -> bool:
        """Whether shadow mode or a pause held a rerun back."""
        return bool(self.attempts) and self.attempts[-1].get("would") not in (None, "ask")

    def to_dict(self) -> dict[str, Any]:
        """Return a row for people."""
        found = self._failure
        return {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "task_id": self.task_id,
            "map_index": self.map_index,
            "at": self.at.isoformat(),
            "outcome": self.outcome,
            "is_asking": (self.report.get("now") or {}).get("doing") == "asking",
            "job_id": self.report.get("job_id"),
            "job_name": self.report.get("job_name"),
            "reason": self.report.get("reason"),
            "reruns": self.report.get("reruns"),
            "findings": [{name: each.get(name) for name in _SHOWN} for each in found.get("findings") or ()],
            "found": found.get("found"),
        }

    @property
    def _failure(self) -> Report:
        """The newest attempt with findings."""
        return next((each for each in reversed(self.attempts) if each.get("findings")), {})


def statistics(heals: Sequence[Heal]) -> dict[str, Any]:
    """Return counts, what was saved, the tasks and signatures that fail most, and the newest heals.

    :param heals: the newest first.
    """
    readable = [heal for heal in heals if heal.outcome]
    failed = [heal for heal in readable if heal.has_failed]
    return {
        "counts": {**_counts(readable), "unreadable": len(heals) - len(readable)},
        "saved": _saved([heal for heal in readable if heal.healed_itself]),
        "tasks": _tasks(readable),
        "signatures": _signatures(failed),
        "heals": [heal.to_dict() for heal in failed[:MOST_LISTED]],
        "heals_left": max(len(failed) - MOST_LISTED, 0),
    }


def _read(value: Any) -> Report:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {}
    return value if isinstance(value, Mapping) else {}


def _counts(heals: Sequence[Heal]) -> dict[str, int]:
    return {
        "task_runs": len(heals),
        "dbt_runs": sum(len(heal.attempts) for heal in heals),
        "failed": sum(heal.has_failed for heal in heals),
        "healed": sum(heal.healed_itself for heal in heals),
        "person": sum(heal.needs_person for heal in heals),
        "in_progress": sum(heal.outcome == IN_PROGRESS for heal in heals),
        "would": sum(heal.would_be_rerun for heal in heals),
    }


def _saved(healed: Iterable[Heal]) -> dict[str, float]:
    """Return what the heals saved: nodes not run again, an estimate of their time, and hours of waiting."""
    nodes, seconds, unattended = 0, 0.0, 0.0
    for heal in healed:
        first = heal.attempts[0].get("seconds") or 0.0 if heal.attempts else 0.0
        unattended += max((heal.report.get("seconds") or 0.0) - first, 0.0)
        for attempt in heal.attempts:
            nodes += attempt.get("nodes_saved") or 0
            seconds += _seconds_saved(attempt, first)
    return {"nodes": nodes, "seconds": round(seconds, 1), "unattended_seconds": round(unattended, 1)}


def _seconds_saved(rerun: Report, first: float) -> float:
    """Estimate dbt's time for the nodes that a rerun left out: by its own mean, at most the first run's time."""
    run, saved = rerun.get("nodes_run"), rerun.get("nodes_saved")
    if not run or not saved:
        return 0.0
    mean = float(rerun.get("seconds") or 0.0) / run
    return float(min(mean * saved, first))


def _tasks(heals: Sequence[Heal]) -> list[dict[str, Any]]:
    """Return the tasks that failed, those that fail most first."""
    by_task: dict[tuple[str, str], list[Heal]] = defaultdict(list)
    for heal in heals:
        by_task[heal.dag_id, heal.task_id].append(heal)
    rows = (_task(*key, group) for key, group in by_task.items())
    return sorted((row for row in rows if row["failed"]), key=lambda row: (-row["failed"], -row["task_runs"]))


def _task(dag_id: str, task_id: str, heals: Sequence[Heal]) -> dict[str, Any]:
    days = {heal.at.date() for heal in heals}
    healed_days = {heal.at.date() for heal in heals if heal.outcome == HEALED}
    reports = [heal.report for heal in reversed(heals) if heal.report.get("job_id")]
    jobs = {report["job_id"]: report.get("job_name") for report in reports}  # the newest name of each
    return {
        "dag_id": dag_id,
        "task_id": task_id,
        "jobs": [{"id": job, "name": name} for job, name in sorted(jobs.items())],
        **_counts(heals),
        "days": len(days),
        "healed_days": len(healed_days),
        "is_chronic": len(healed_days) >= CHRONIC_DAYS and 2 * len(healed_days) >= len(days),
        "latest": heals[0].to_dict(),
    }


def _signatures(failed: Sequence[Heal]) -> list[dict[str, Any]]:
    """Return the known errors in order of how many runs of tasks they stopped; each counts once a task run."""
    runs: Counter[tuple[str, str]] = Counter()
    tasks: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for heal in failed:
        for key in {(str(each.get("signature") or ""), str(each.get("category") or "")) for each in heal.findings}:
            runs[key] += 1
            tasks[key].add((heal.dag_id, heal.task_id))
    return [
        {"signature": key[0] or None, "category": key[1], "task_runs": count, "tasks": len(tasks[key])}
        for key, count in runs.most_common(20)
    ]
