"""What a chain of reruns owes beyond the nodes on record, and which commands would make good all of it.

A command that was interrupted leaves no record of what it had not finished, and a resume that is silent about a
node does not mean that the node is gone. Commands that run as a whole, from the first failed one on, settle both.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.heal.session import RUNS_EVERYTHING, Attempt, RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunAction

WHOLE_COMMANDS = frozenset({RerunAction.RERUN_FROM_STEP, RerunAction.RERUN_FROM_START})
"""Kinds of rerun that run commands as they are, so that what they leave out is no longer in the project."""


def owed_commands(session: RerunSession) -> tuple[str, ...]:
    """Name the commands that make good whatever the newest attempt owes: those of the chain's first rerun."""
    owing = session.repaired_by(session.attempts[-1].run_id)
    return next((a.resumes for a in session.attempts if a.of_run in owing and a.resumes), ())


def out_of_reach(session: RerunSession) -> frozenset[int]:
    """Name the runs whose failed command the newest attempt does not run: a later one failed since."""
    newest = session.attempts[-1]
    return frozenset(a.of_run for a in session.attempts if a.of_run and len(a.resumes) > len(newest.resumes))


def is_uncounted(session: RerunSession) -> bool:
    """Whether a run was resumed of which nobody knows all that it left undone, and that was not settled since.

    No rerun of ours does that: a person's does, or the platform's own.
    """
    attempts = session.attempts
    return any(
        attempt.kind == RerunAction.RERUN_FROM_FAILURE
        and _nobody_counted(attempts, attempt.of_run)
        and not any(_settles(later, attempt) for later in attempts[place:])
        for place, attempt in enumerate(attempts, start=1)
    )


def _nobody_counted(attempts: tuple[Attempt, ...], run_id: int | None) -> bool:
    failed = next((attempt for attempt in attempts if attempt.run_id == run_id), None)
    return failed is not None and failed.diagnosis is not None and failed.diagnosis.get("undone") is None


def _settles(later: Attempt, resumed: Attempt) -> bool:
    whole = later.kind in WHOLE_COMMANDS and len(later.resumes) >= len(resumed.resumes)
    return whole or later.kind in RUNS_EVERYTHING
