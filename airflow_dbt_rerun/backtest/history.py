"""The past of a job, as values: each failure as it was seen when it happened, and what came after it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile

from airflow_dbt_rerun.backtest.collected import Collected, Details
from airflow_dbt_rerun.core.dbt.executed import was_edited_since
from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import RetryNotSupported, Run
from airflow_dbt_rerun.core.heal.lineage import repaired_run
from airflow_dbt_rerun.core.heal.observations import RunSeen


@dataclass(frozen=True)
class JobHistory:
    """The runs of one job, oldest first.

    :param repairs: the run that a run resumes or repairs, by the ids of both.
    """

    job_id: int
    runs: tuple[Run, ...]
    repairs: Mapping[int, int]

    @cached_property
    def by_id(self) -> Mapping[int, Run]:
        """The runs by their ids."""
        return {run.id: run for run in self.runs}

    @cached_property
    def _times(self) -> Mapping[int, tuple[float, float]]:
        """When each run was created and when it began: there are thousands, and each failure asks for them."""
        return {run.id: (created_at(run), began_at(run)) for run in self.runs}

    def _newer(self, run: Run) -> tuple[Run, ...]:
        return self.runs[bisect_right(self.runs, run.id, key=lambda each: each.id) :]

    def before(self, run: Run) -> tuple[Run, ...]:
        """Return the older runs, oldest first."""
        return self.runs[: bisect_left(self.runs, run.id, key=lambda each: each.id)]

    def after(self, run: Run) -> tuple[Run, ...]:
        """Return the runs that were started after the end of this one, and have ended, oldest first."""
        ended = ended_at(run)
        return tuple(each for each in self._newer(run) if self._times[each.id][1] >= ended and each.is_terminal)

    def without_help(self, run: Run, moment: float) -> tuple[Run, ...]:
        """Return the runs that were there at a moment, oldest first, as if nobody had helped after ``run`` failed.

        :param moment: epoch seconds. Older runs than ``run`` are included.
        """
        there = takewhile(lambda each: self._times[each.id][0] <= moment, self._newer(run))
        return (*self.before(run), run, *(each for each in there if not self._is_help(each, run)))

    def _is_help(self, later: Run, failed: Run) -> bool:
        """Return whether a later run is a person's answer to a failure: its rerun, or a run by hand."""
        by_hand = later.trigger is not None and later.trigger.cause_category == "ui"
        return by_hand or self.root(later) == failed.id

    def chain(self, run: Run) -> tuple[int, ...]:
        """Return the ids of the runs whose work a rerun continues, oldest first; nothing if it repairs none."""
        found: list[int] = []
        at = run.id
        while (repaired := self.repairs.get(at)) is not None and repaired not in found:
            found.append(at := repaired)
        return tuple(reversed(found))

    def root(self, run: Run) -> int:
        """Return the id of the run whose work a rerun goes back to; its own id if it repairs none."""
        return (*self.chain(run), run.id)[0]

    def failed_in_a_row(self, run: Run) -> int:
        """Return how often the job had failed in a row when this run failed, this one included."""
        earlier = reversed([each for each in self.before(run) if each.is_terminal])
        return 1 + sum(each.is_error for each in takewhile(lambda each: not each.is_success, earlier))

    def commit_of(self, run: Run) -> str | None:
        """Return a run's commit. A run that failed before it had cloned has that of the run before it, if any."""
        if run.git_sha:
            return run.git_sha
        return next((each.git_sha for each in reversed(self.before(run)) if each.git_sha), None)


def histories(runs: Sequence[Run]) -> dict[int, JobHistory]:
    """Sort runs by their jobs.

    :param runs: with their triggers, oldest first.
    """
    by_job: defaultdict[int, list[Run]] = defaultdict(list)
    for run in runs:
        by_job[run.job_id].append(run)
    return {job_id: JobHistory(job_id, tuple(own), _repairs(own)) for job_id, own in by_job.items()}


def _repairs(runs: Sequence[Run]) -> dict[int, int]:
    found: dict[int, int] = {}
    previous: Run | None = None
    for run in runs:
        if (repaired := repaired_run(run, previous)) is not None:
            found[run.id] = repaired
        previous = run
    return found


def to_be_diagnosed(found: Collected) -> list[Run]:
    """Return the runs that did not succeed."""
    return [run for run in found.runs if run.is_error or run.is_cancelled]


def to_be_proven(found: Collected) -> list[Run]:
    """Return the green runs whose status alone is not enough: resumed ones, and those of a job edited meanwhile."""
    wanted: dict[int, Run] = {}
    for history in histories(found.runs).values():
        for failed in failures_of(history):
            wanted.update((run.id, run) for run in _doubtful(found, history, failed))
    return list(wanted.values())


def failures_of(history: JobHistory) -> Iterator[Run]:
    """Yield the runs that failed and would have been judged: reruns are part of what became of an earlier one."""
    for run in history.runs:
        if (run.is_error or run.is_cancelled) and run.id not in history.repairs:
            yield run


def _doubtful(found: Collected, history: JobHistory, failed: Run) -> Iterator[Run]:
    details, green = found.details.get(failed.id), [run for run in history.after(failed) if run.is_success]
    if details is None or not green:
        return
    if green[0].id in history.repairs:
        yield green[0]
    whole = next((run for run in green if run.id not in history.repairs), None)
    if whole is not None and was_edited_since(details.run, failed.created_at):
        yield whole


def as_then(details: Details, history: JobHistory) -> RunSeen:
    """Return a failed run as the operators would have seen it at its end, when it was the job's newest.

    Today dbt says of it that the job has a newer run, and how often the job has failed in a row by now.
    """
    run = replace(details.run, failed_runs=history.failed_in_a_row(details.run))
    if run.retry_not_supported_reason == RetryNotSupported.NOT_LATEST_RUN:
        reason = None if _has_results(details) else RetryNotSupported.NO_RUN_RESULTS
        run = replace(run, can_retry=reason is None, retry_not_supported_reason=reason)
    return RunSeen(run, details.results, facts=details.facts)


def _has_results(details: Details) -> bool:
    step = details.run.stopping_step
    return step is not None and any(artifact.step_index == step.index for artifact in details.results)


def with_job_of(run: Run, other: Run) -> Run:
    """Complete a listed run, which has no job, by the job that is shown with another run of it."""
    return replace(
        run,
        commands=run.commands or other.job_commands,
        job_commands=other.job_commands,
        job_target=other.job_target,
        job_dbt_version=other.job_dbt_version,
        job_updated_at=other.job_updated_at,
    )


def created_at(run: Run) -> float:
    """Return when a run was created, in epoch seconds."""
    return epoch(run.created_at) or 0.0


def began_at(run: Run) -> float:
    """Return when a run began, in epoch seconds; one that never did, when it was created."""
    return epoch(run.started_at) or created_at(run)


def ended_at(run: Run) -> float:
    """Return when a run ended, in epoch seconds."""
    return epoch(run.finished_at) or epoch(run.updated_at) or began_at(run)
