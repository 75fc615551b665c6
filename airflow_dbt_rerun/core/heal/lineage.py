"""Find the runs of a job that belong to one piece of work, by the marker in their cause and by their reruns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_dbt_rerun.core.dbt.models import Run, RunTrigger

CAUSE_MAX_LENGTH = 255
"""Characters. The platform refuses longer causes; the official provider cuts at the same length."""


_OURS = "[dbt-rerun "
_REPAIRS = re.compile(r"\[dbt-rerun \w+>(\d+)\]")


@dataclass(frozen=True, slots=True)
class Marker:
    """Identifies a run as ours: a short hash of the work it was started for.

    It comes first in the cause, so a cause that is too long loses its tail, not the marker.
    """

    key: str

    @classmethod
    def of(cls, *parts: object) -> Marker:
        """Return the marker of one piece of work, for example of dag, run, task, map index and life."""
        return cls(hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16])

    def cause(self, text: str, *, of_run: int | None = None) -> str:
        """Return a cause with the marker in front, cut to the length that the platform accepts.

        :param of_run: the failed run that this one repairs, if any.
        """
        return f"{self._prefix(of_run)} {text}"[:CAUSE_MAX_LENGTH]

    def is_in(self, run: Run) -> bool:
        """Return whether a run, read with its trigger, was started for this work: as its first run or a repair."""
        ours = (f"{_OURS}{self.key}]", f"{_OURS}{self.key}>")
        return run.trigger is not None and run.trigger.cause.startswith(ours)

    def repairs(self, run: Run, of_run: int | None) -> bool:
        """Return whether we started a run to repair exactly ``of_run`` or, if that is None, as the first run."""
        return run.trigger is not None and run.trigger.cause.startswith(self._prefix(of_run))

    def _prefix(self, of_run: int | None) -> str:
        return f"{_OURS}{self.key}]" if of_run is None else f"{_OURS}{self.key}>{of_run}]"


def is_already_handled(run: Run) -> bool:
    """Return whether a run, read with its trigger, is a rerun or was started by a task of this package."""
    trigger = run.trigger or RunTrigger()
    return run.retrying_run_id is not None or trigger.cause_category == "rerun" or trigger.cause.startswith(_OURS)


def chain(runs: Iterable[Run], marker: Marker, *, after: int | None = None) -> tuple[Run, ...]:
    """Return the runs of one piece of work among a job's runs, oldest first.

    A run belongs to the work by its marker, or because it resumes a run that does: a rerun from failure carries no
    cause of ours (see :func:`rerun_of`).

    :param after: the run, started outside this work, that the work repairs, if any; it is not returned.
    """
    found: list[Run] = []
    ordered = sorted(runs, key=lambda each: each.id)
    last = next((run for run in ordered if run.id == after), None)
    for run in ordered:
        if marker.is_in(run) or (last is not None and run is rerun_of(last, ordered)):
            found.append(last := run)  # noqa: PERF401 - each depends on the previous one
    return tuple(found)


def rerun_of(failed: Run, runs: Iterable[Run]) -> Run | None:
    """Return the platform's rerun from failure of ``failed`` among its job's runs; None if there is none.

    It is recognised by ``retrying_run_id``. If the platform leaves that null, the job's very next run counts as the
    rerun if its cause category is ``rerun``: only a job's newest run can be resumed, so a later rerun resumes
    another run.
    """
    newer = [run for run in runs if run.id > failed.id and run.job_id == failed.job_id]
    named = next((run for run in newer if run.retrying_run_id == failed.id), None)
    if named is not None or not failed.is_error or not newer:
        return named
    upcoming = min(newer, key=lambda run: run.id)
    category = upcoming.trigger.cause_category if upcoming.trigger else None
    return upcoming if upcoming.retrying_run_id is None and category == "rerun" else None


def repaired_run(run: Run, previous: Run | None) -> int | None:
    """Return the id of the run that ``run`` repairs, no matter what started it; None if it repairs none.

    :param previous: the job's previous run: the resumed one if the platform leaves ``retrying_run_id`` null.
    """
    if run.retrying_run_id is not None:
        return run.retrying_run_id
    if run.trigger is None:
        return None
    if marked := _REPAIRS.match(run.trigger.cause):
        return int(marked[1])
    return previous.id if previous is not None and run.trigger.cause_category == "rerun" else None
