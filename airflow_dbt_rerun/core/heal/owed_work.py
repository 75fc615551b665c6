"""Find what a chain of reruns owes beyond the recorded nodes, and the commands that cover all of it.

An interrupted command leaves no record of its unfinished nodes, and a resumed run that does not mention a node does
not prove that the node is gone. Commands that run as a whole, from the first failed one on, settle both.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.dbt.commands import forgotten_options, words_of
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.heal.attempt import RUNS_EVERYTHING, Attempt
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunAction

WHOLE_COMMANDS = frozenset({RerunAction.RERUN_FROM_STEP, *RUNS_EVERYTHING})
"""Kinds of rerun that run commands unchanged: a node that they leave out may be no longer in the project."""


def owed_commands(session: RerunSession) -> tuple[str, ...]:
    """Return the commands that cover everything the newest attempt owes: those of the chain's first rerun."""
    repaired = session.repaired_by(session.attempts[-1].run_id)
    return next((a.resumes for a in session.attempts if a.of_run in repaired and a.resumes), ())


def other_commands(session: RerunSession, run: Run) -> frozenset[tuple[str, ...]]:
    """Return the words of the commands that a rerun runs besides the failed one, which it resumes or repeats."""
    known = next((attempt for attempt in session.attempts if attempt.run_id == run.id), None)
    resumes = known.resumes if known else session.plan.commands if session.plan else ()
    commands = run.commands if session.kind_of(run.id) in RUNS_EVERYTHING else resumes[1:]
    return frozenset(map(words_of, commands))


def out_of_reach(session: RerunSession) -> frozenset[int]:
    """Return the runs whose failed command the newest attempt does not run: a later command failed since."""
    newest = session.attempts[-1]
    if newest.kind in RUNS_EVERYTHING:
        return frozenset()
    return frozenset(a.of_run for a in session.attempts if a.of_run and len(a.resumes) > len(newest.resumes))


def is_uncounted(session: RerunSession) -> bool:
    """Return whether a run was resumed that may have left work out, and no later attempt settled it.

    Its undone work was not fully known, or dbt did not know the options of its command.

    Reruns started by this package never do that; those of a person or of the platform may.
    """
    attempts = session.attempts
    return any(
        attempt.kind == RerunAction.RERUN_FROM_FAILURE
        and _may_leave_out(attempts, attempt)
        and not any(_settles(later, attempt) for later in attempts[place:])
        for place, attempt in enumerate(attempts, start=1)
    )


def _may_leave_out(attempts: tuple[Attempt, ...], resumed: Attempt) -> bool:
    failed = next((attempt for attempt in attempts if attempt.run_id == resumed.of_run), None)
    if failed is None or failed.diagnosis is None:
        return False
    forgotten = forgotten_options(resumed.resumes[0], failed.diagnosis.get("keeps")) if resumed.resumes else ()
    return failed.diagnosis.get("undone") is None or bool(forgotten)


def _settles(later: Attempt, resumed: Attempt) -> bool:
    whole = later.kind in WHOLE_COMMANDS and len(later.resumes) >= len(resumed.resumes)
    return whole or later.kind in RUNS_EVERYTHING
