"""The words for each kind of rerun: what will be done, and what a run did; dbt's own page says the like."""

from __future__ import annotations

from airflow_dbt_rerun.core.policy.action_words import ACTION_WORDS
from airflow_dbt_rerun.core.policy.rules import RerunAction

_OTHERS = {
    "trigger": "was triggered",
    "given": "was there before",
    "superseded_by": "is newer than run {} of the same job",
}


def did(kind: str, of_run: int | None) -> str:
    """Tell what a run did, after its name: ``resumed run 101 from its failed step``.

    :param kind: that of an :class:`~airflow_dbt_rerun.core.heal.session.Attempt`.
    """
    words = _OTHERS.get(kind) or ACTION_WORDS[RerunAction(kind)].did
    return words.format(of_run)


def cause_of(action: RerunAction, of_run: int, why: str) -> str:
    """Word the cause of a new run, so that :func:`action_in` can read its kind from dbt's own record."""
    return f"It {did(action, of_run)}, since {why}"


def action_in(cause: str, of_run: int) -> RerunAction | None:
    """Read from a run's cause which kind of rerun it is; None if it does not say so."""
    return next((action for action in ACTION_WORDS if f"It {did(action, of_run)}," in cause), None)
