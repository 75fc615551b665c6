"""Collect the messages that no signature knows, each with the runs that show it: material for a new signature."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from airflow_dbt_rerun.backtest.aftermath import Tells
from airflow_dbt_rerun.backtest.failures import PastFailure
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.diagnosis import Finding, unchanging_words


@dataclass(frozen=True, slots=True)
class Unheard:
    """A message that no signature knows.

    :param shape: the message with ``#`` for numbers and ids, and ``<node>`` for the node's own name.
    :param run_ids: the runs that show it, oldest first.
    :param passed: how many of them were followed by a success of the same commit.
    :param mended: how many by a success of another one.
    """

    shape: str
    run_ids: tuple[int, ...]
    passed: int
    mended: int


def unheard_messages(failures: Sequence[PastFailure]) -> list[Unheard]:
    """Return the messages that no signature knows, the most frequent first."""
    groups: defaultdict[str, dict[int, PastFailure]] = defaultdict(dict)
    for failure in failures:
        for finding in failure.diagnosis.findings:
            if finding.category is Category.UNKNOWN and finding.message:
                groups[_shape(finding)][failure.run.id] = failure
    found = (_unheard(shape, list(own.values())) for shape, own in groups.items())
    return sorted(found, key=lambda each: (-len(each.run_ids), each.shape))


def _unheard(shape: str, failures: Sequence[PastFailure]) -> Unheard:
    ends = [failure.success.tells for failure in failures if failure.success]
    run_ids = tuple(failure.run.id for failure in failures)
    return Unheard(shape, run_ids, ends.count(Tells.GONE), ends.count(Tells.MENDED))


def _shape(finding: Finding) -> str:
    own = finding.message.replace(finding.name, "<node>") if finding.is_node else finding.message
    return unchanging_words(own)
