"""Each action in words: one table for logs, reports, causes, policies and the command line.

dbt's own page uses *Rerun from start* and *Rerun from failure*.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dbt_rerun.core.policy.actions import RerunAction


@dataclass(frozen=True, slots=True)
class ActionWords:
    """An action in the forms that sentences need."""

    how: str
    """After *rerun*: ``from failure``."""
    did: str
    """After a run's name, with the repaired run's id for ``{}``: ``resumed run {} from its failed step``."""


ACTION_WORDS = {
    RerunAction.RERUN_FROM_FAILURE: ActionWords("from failure", "resumed run {} from its failed step"),
    RerunAction.RERUN_FROM_STEP: ActionWords("from the failed step", "reran run {} from its failed step"),
    RerunAction.RERUN_FROM_START: ActionWords("from start", "reran run {} from start"),
    RerunAction.REBUILD_TESTED: ActionWords(
        "by rebuilding what the failed tests check", "rebuilt what the failed tests of run {} check"
    ),
}
"""The actions that start a run."""


def imperative(action: RerunAction) -> str:
    """Return an action as an instruction: ``rerun from failure``."""
    if action is RerunAction.FAIL:
        return "do not rerun; a person is needed"
    if action is RerunAction.ASK:
        return "ask a person"
    return f"rerun {ACTION_WORDS[action].how}"


def decision_words(decision: str | None) -> str:
    """Return what attempts keep, ``rerun_from_failure: why``, for people: ``rerun from failure: why``."""
    action, _, why = (decision or "").partition(": ")
    return f"{imperative(RerunAction(action))}: {why}" if action in set(RerunAction) else str(decision)


def answer_label(action: RerunAction) -> str:
    """Return an action as the button of a question: ``Rerun from failure``, ``Give up``."""
    return "Give up" if action is RerunAction.FAIL else imperative(action).capitalize()
