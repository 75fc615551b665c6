"""The words for each kind of attempt: what a run did, and the cause of a new run. dbt's own page uses the like."""

from __future__ import annotations

from airflow_dbt_rerun.core.policy.action_words import ACTION_WORDS
from airflow_dbt_rerun.core.policy.actions import RerunAction

_OTHERS = {
    "trigger": "was triggered",
    "given": "was started outside this task",
    "superseded_by": "is newer than run {} of the same job",
}


def did(kind: str, of_run: int | None, asked_by: str | None = None) -> str:
    """Return what a run did, to follow its name: ``resumed run 101 from its failed step``.

    :param kind: that of an :class:`~airflow_dbt_rerun.core.heal.attempt.Attempt`.
    :param asked_by: the person who asked to rerun it: the task itself may have started such a run before its clear.
    """
    if asked_by is not None:
        return f"is the run that {asked_by} asked to rerun"
    words = _OTHERS.get(kind) or ACTION_WORDS[RerunAction(kind)].did
    return words.format(of_run)


def cause_of(action: RerunAction, of_run: int, why: str) -> str:
    """Return the cause of a new run, from which :func:`action_in` can read its kind in dbt's own record."""
    return f"It {did(action, of_run)}, since {why}"


def action_in(cause: str, of_run: int) -> RerunAction | None:
    """Return the kind of rerun that a run's cause names; None if it names none."""
    return next((action for action in ACTION_WORDS if f"It {did(action, of_run)}," in cause), None)
