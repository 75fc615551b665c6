"""What the later runs of a job tell about a failure: whether its cause was gone or still there at their time.

A later run tells something only if it did the same work. A green one tells that the cause was gone if it also was
of the same commit: else the commit may have mended it. A red one tells that the cause was still there if one of the
same nodes failed with the same message, whatever its commit. Nothing is read from what came after the job's first
success: a failure after that is another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from airflow_dbt_rerun.backtest.collected import Collected, Details
from airflow_dbt_rerun.backtest.history import JobHistory, began_at, ended_at, with_job_of
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.executed import contradicting_step, executed, was_edited_since
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.same_work import differences
from airflow_dbt_rerun.core.heal.verify import verify

CONTINUOUS = 60 * 60.0
"""Seconds between two failures of the same kind that count as one trouble, where a trouble can pass by itself."""

LASTING = frozenset({Category.CODE, Category.TEST_FAILED, Category.ACCESS, Category.RESOURCES})
"""Categories of troubles that do not pass by themselves: seen twice, they were there in between."""

_COMMIT = "commit "
"""How a difference of the commit that a run was asked for begins; the commit itself is compared apart."""


class Tells(StrEnum):
    """What a later run tells about the cause of a failure."""

    GONE = "gone"
    STILL_THERE = "still there"
    MENDED = "mended"
    """The work was done, but by another commit."""
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Later:
    """A later run of the job.

    :param moment: epoch seconds from which the cause was certainly gone or, if it was still there, up to which.
    :param why: why it tells that, in words.
    """

    run: Run
    tells: Tells
    moment: float
    why: str

    @property
    def is_success(self) -> bool:
        """Whether the work was done with it."""
        return self.tells in (Tells.GONE, Tells.MENDED)


def aftermath(
    failed: Details, history: JobHistory, found: Collected, diagnoses: Mapping[int, Diagnosis]
) -> tuple[Later, ...]:
    """Return what each later run tells, oldest first, up to the first that did the work.

    :param failed: the run that failed.
    :param diagnoses: of all runs that failed and could be read, by their ids.
    """
    judge = _Judge(failed, history, found, diagnoses)
    return tuple(judge.up_to_success())


@dataclass(frozen=True, slots=True)
class _Judge:
    failed: Details
    history: JobHistory
    found: Collected
    diagnoses: Mapping[int, Diagnosis]

    def up_to_success(self) -> Iterator[Later]:
        if differences(self.failed.run, self.failed.run):  # what it was to do is not known: nothing compares to it
            return
        last_seen = ended_at(self.failed.run)
        for run in self.history.after(self.failed.run):
            later = self._continuous(self._judge(run), last_seen)
            yield later
            if later.is_success:
                return
            if later.tells is Tells.STILL_THERE:
                last_seen = ended_at(run)

    def _continuous(self, later: Later, last_seen: float) -> Later:
        """Doubt that a cause that can pass by itself was there all the time, if it was long not seen."""
        ours = self.diagnoses.get(self.failed.run.id)
        lasts = ours is not None and ours.verdict in LASTING
        if later.tells is not Tells.STILL_THERE or lasts or later.moment - last_seen <= CONTINUOUS:
            return later
        return replace(
            later, tells=Tells.NOTHING, why="it failed in the same way, but the cause may have come back"
        )

    def _judge(self, run: Run) -> Later:
        if other := self._other_work(run):
            return Later(run, Tells.NOTHING, began_at(run), f"it did other work: {other}")
        if run.is_success:
            return self._of_green(run)
        if run.is_error:
            return self._of_red(run)
        return Later(run, Tells.NOTHING, began_at(run), "it was cancelled")

    def _of_green(self, run: Run) -> Later:
        if hollow := self._hollow(run):
            return Later(run, Tells.NOTHING, began_at(run), hollow)
        there, here = self.history.commit_of(self.failed.run), run.git_sha
        if there is None or here is None:
            return Later(run, Tells.MENDED, began_at(run), "its commit is not known")
        if there != here:
            return Later(run, Tells.MENDED, began_at(run), f"it was of commit {here[:8]}, not {there[:8]}")
        return Later(run, Tells.GONE, self._gone_from(run), "it did the same work, of the same commit")

    def _gone_from(self, run: Run) -> float:
        """Return from when the cause was certainly gone: a resumed run begins with what had failed.

        A whole run comes to that only after about the time that the failed run took to fail.
        """
        if run.id in self.history.repairs:
            return began_at(run)
        return began_at(run) + min(self.failed.run.seconds or 0.0, run.seconds or 0.0)

    def _of_red(self, run: Run) -> Later:
        ours, theirs = self.diagnoses.get(self.failed.run.id), self.diagnoses.get(run.id)
        if ours is None or theirs is None:
            return Later(run, Tells.NOTHING, began_at(run), "why it failed cannot be read")
        same = ours.failures & theirs.failures
        if same:
            return Later(run, Tells.STILL_THERE, began_at(run), "it failed in the same way")
        return Later(run, Tells.NOTHING, began_at(run), "it failed in another way")

    def _hollow(self, run: Run) -> str | None:
        """Say why a green run is no success, if it is none: P6 holds for people's reruns, too."""
        details = self.found.details.get(run.id)
        if details is None:
            return None
        if step := contradicting_step(details.run):
            return f"dbt calls it a success, but its step {step.index} was none"
        before = self._results_before(run)
        if run.id not in self.history.repairs or not (before and details.results):
            return None
        checked = verify(before, details.results)
        return checked.summary if checked.is_hollow else None

    def _results_before(self, run: Run) -> tuple[StepResults, ...]:
        """Return the node results of the runs that a rerun repairs, oldest first."""
        chain = [each for each in self.history.chain(run) if each in self.found.details]
        return tuple(artifact for each in chain for artifact in self.found.details[each].results)

    def _other_work(self, run: Run) -> str | None:
        """Say how a run, or the one that it resumes, did other work than the failed one; None if it did not."""
        root = self.history.root(run)
        if root == self.failed.run.id:
            return None
        whole = self.history.by_id.get(root, run)
        ours, details = self.failed.run, self.found.details.get(whole.id)
        if was_edited_since(ours, ours.created_at) and details is None and whole.is_success:
            return "the job was edited meanwhile"
        theirs = details.run if details else with_job_of(whole, ours)
        found = [each for each in differences(ours, theirs, executed(ours)) if not each.startswith(_COMMIT)]
        return "; ".join(found) or None
