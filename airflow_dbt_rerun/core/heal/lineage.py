"""Find the runs of a job that belong to one piece of work, by the marker in their cause and by their reruns."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import RetryNotSupported, Run, RunTrigger
from airflow_dbt_rerun.core.heal.same_work import is_in_same_place

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

    def is_denied_by(self, run: Run) -> bool:
        """Return whether a run's own record says that it was started for something else: it bears another cause.

        The rerun from failure of a run bears no cause of ours in any case.
        """
        trigger = run.trigger or RunTrigger()
        is_rerun = run.retrying_run_id is not None or trigger.cause_category == "rerun"
        return bool(trigger.cause) and not is_rerun and not self.is_in(run)

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
    cause of ours (see :func:`find_rerun`). Where two runs resume the same one, the line that leads to the newest
    counts: a job's runs follow each other, so it says last what has become of the work.

    :param after: the run, started outside this work, that the work repairs, if any; it is not returned.
    """
    ordered = sorted(runs, key=lambda run: run.id)
    lines: dict[int, tuple[Run, ...]] = {run.id: () for run in ordered if run.id == after}
    for run in ordered:
        repaired = _repaired(run, ordered) & lines.keys()
        if run.id == after:
            continue
        if repaired:
            lines[run.id] = (*lines[max(repaired)], run)
        elif marker.is_in(run):
            lines[run.id] = (*_newest(lines), run)
    return _newest(lines)


def _newest(lines: Mapping[int, tuple[Run, ...]]) -> tuple[Run, ...]:
    return lines[max(lines)] if lines else ()


def _repaired(run: Run, runs: Sequence[Run]) -> set[int]:
    """Return the runs that ``run`` resumes, or can be resuming, in the place where it builds."""
    resumed = _parents(run, runs)
    return {each.id for each in runs if each.id in resumed and is_in_same_place(each, run)}


@dataclass(frozen=True, slots=True)
class FoundRerun:
    """The rerun from failure of a run."""

    run: Run
    certain: bool = True
    """False if dbt does not record which run it resumes, and more than one is possible."""


def find_rerun(failed: Run, runs: Iterable[Run]) -> FoundRerun | None:
    """Find the platform's rerun from failure of ``failed`` among its job's runs.

    It is recognised by ``retrying_run_id``. If the platform leaves that null, a newer run with cause category
    ``rerun`` counts that can have resumed this one: ours or unclear, so no second rerun may be posted. If the run
    was resumed twice, as by two people at once, the newer rerun counts.

    A rerun without the overrides of the failed run's place does not belong to the work: where it builds is not on
    record. This package never resumes a run with such overrides.

    :param runs: runs of the job, with their triggers; older ones help to tell which run a rerun can have resumed.
    """
    others = (run for run in runs if run.job_id == failed.job_id and run.id != failed.id)
    known = sorted((failed, *others), key=lambda run: run.id)
    found: dict[int, FoundRerun] = {}
    for run in known:
        resumed = _repaired(run, known)
        if failed.id in resumed and resumed.isdisjoint(found):  # otherwise it resumes one of those found
            found[run.id] = FoundRerun(run, certain=_parents(run, known) == {failed.id})
    return found[max(found)] if found else None


def _parents(run: Run, runs: Sequence[Run]) -> set[int]:
    """Return the run that a rerun from failure resumes or, if dbt does not record that, those it can resume."""
    if run.retrying_run_id is not None:
        return {run.retrying_run_id}
    is_unnamed = run.trigger is not None and run.trigger.cause_category == "rerun"
    return _possible_parents(run, runs) if is_unnamed else set()


def _possible_parents(rerun: Run, runs: Sequence[Run]) -> set[int]:
    """Return the runs that a rerun without a recorded parent can have resumed: those that had failed by then.

    dbt's documents have two readings: only a job's newest run can be resumed (``RETRY_NOT_LATEST_RUN``), or each
    failed run that no newer run has succeeded after (docs.getdbt.com/docs/deploy/retry-jobs). What the platform
    says of its other failed runs may tell which one is in force.
    """
    before = [run for run in runs if run.id < rerun.id]
    failed = [run for run in before if run.is_error and not _certainly_ended_after(run, rerun)]
    if _only_newest_can_be_resumed(runs):
        return {run.id for run in failed if run is before[-1]}
    return {run.id for run in failed if not _has_success_between(run, rerun, before)}


def _certainly_ended_after(run: Run, rerun: Run) -> bool:
    created, ended = epoch(rerun.created_at), epoch(run.finished_at)
    return created is not None and ended is not None and ended > created


def _only_newest_can_be_resumed(runs: Sequence[Run]) -> bool:
    """Return whether a failed run is refused as not the latest although no newer run has succeeded."""
    reason = RetryNotSupported.NOT_LATEST_RUN
    return any(
        run.is_error
        and run.retry_not_supported_reason == reason
        and not any(other.is_success for other in runs if other.id > run.id)
        for run in runs
    )


def _has_success_between(failed: Run, rerun: Run, runs: Sequence[Run]) -> bool:
    """Return whether a newer run had certainly succeeded before the rerun was created."""
    created = epoch(rerun.created_at)
    ends = (epoch(run.finished_at) for run in runs if run.id > failed.id and run.is_success)
    return created is not None and any(end is not None and end <= created for end in ends)


def uncertain_in(runs: Iterable[Run], work: Sequence[Run], *, after: int | None = None) -> frozenset[int]:
    """Return which runs of a chain may as well be the rerun of a run outside it.

    :param runs: the job's runs, as :func:`chain` takes them.
    :param work: what :func:`chain` returned for them.
    :param after: as there.
    """
    known = tuple(runs)
    first = next((run for run in known if run.id == after), None)
    before = (*((first,) if first else ()), *work)
    found = (find_rerun(one, known) for one in before)
    return frozenset(each.run.id for each in found if each and not each.certain and each.run in work)


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
