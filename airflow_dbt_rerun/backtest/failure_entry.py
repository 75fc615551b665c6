"""One failure on the page: a line, and behind it the evidence, each policy's decision and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from airflow_dbt_rerun.backtest.failures import PastFailure
from airflow_dbt_rerun.backtest.history import ended_at
from airflow_dbt_rerun.backtest.plots import PERHAPS
from airflow_dbt_rerun.backtest.replay import Planned
from airflow_dbt_rerun.backtest.totals import nodes_to_run
from airflow_dbt_rerun.backtest.verdicts import Judged
from airflow_dbt_rerun.backtest.words import VERDICTS, span
from airflow_dbt_rerun.core.dbt.results import short_name
from airflow_dbt_rerun.core.messages import listed
from airflow_dbt_rerun.core.policy.action_words import imperative
from airflow_dbt_rerun.core.policy.actions import RerunAction

_SHOWN = 6

Row = tuple[str, str]
"""A name and its value, as HTML."""


def entry(failure: PastFailure, policies: Sequence[tuple[str, Judged]]) -> str:
    """Return a failure as HTML.

    :param policies: the name of each policy, and what it would have done.
    """
    failed = datetime.fromtimestamp(int(failure.ended), UTC)
    chips = "".join(_chip(name if len(policies) > 1 else "", judged) for name, judged in policies)
    rows = list(_of_failure(failure))
    for name, judged in policies:
        rows += _of_policy(name if len(policies) > 1 else "", judged)
    time = f'<time datetime="{failed.isoformat()}">{failed:%Y-%m-%d %H:%M}</time>'
    line = f"{time}<span>{escape(failure.job_name)}</span><span>{escape(failure.kind)}</span><span>{chips}</span>"
    facts = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in rows)
    return f'<details class="failure"><summary>{line}</summary><dl>{facts}</dl></details>'


def _chip(name: str, judged: Judged) -> str:
    kind = PERHAPS if judged.may_have_healed else str(judged.verdict).replace(" ", "-")
    words = "not known, may have healed" if judged.may_have_healed else VERDICTS[judged.verdict]
    before = f"{escape(name)}: " if name else ""
    return f'<span class="chip"><i class="b-{kind}"></i>{before}{words}</span> '


def _of_failure(failure: PastFailure) -> Iterator[Row]:
    run, diagnosis = failure.run, failure.diagnosis
    link = f'<a href="{escape(run.href)}">{run.id}</a>' if run.href else str(run.id)
    yield "run", f"{link}, {escape(run.status_name)}"
    for finding in diagnosis.findings[:_SHOWN]:
        yield "found", escape(str(finding))
    if len(diagnosis.findings) > _SHOWN:
        yield "", f"and {len(diagnosis.findings) - _SHOWN} more"
    yield "evidence", escape(diagnosis.evidence)
    yield "what came next", _next(failure)


def _next(failure: PastFailure) -> str:
    if failure.next is None:
        return "no later run"
    following = failure.next
    words = f"run {following.run.id}, {following.starter}: {following.run.status_name}"
    words += f" after {span(following.seconds)}"
    success = failure.success
    if success is not None and success.run.id != following.run.id:
        after = span(ended_at(success.run) - failure.ended)
        words += f"; the first success was run {success.run.id} after {after}"
    return escape(words)


def _of_policy(name: str, judged: Judged) -> Iterator[Row]:
    before = f"{escape(name)}: " if name else ""
    yield f"{before}decision", escape(f"{judged.replay.action.replace('_', ' ')}: {judged.replay.reason}")
    for planned in judged.replay.planned[:_SHOWN]:
        yield "rerun", escape(_planned(planned, judged))
    if judged.reruns and judged.replay.ended:
        yield "then gives up", escape(judged.replay.ended)
    if nodes := nodes_to_run(judged):
        yield "would run", escape(listed([short_name(node) for node in nodes], _SHOWN))
    yield f"{before}verdict", escape(f"{VERDICTS[judged.verdict]}: {judged.case}; {judged.why}")


def _planned(planned: Planned, judged: Judged) -> str:
    after = planned.earliest - judged.failure.ended, planned.latest - judged.failure.ended
    when = f"{span(after[0])} to {span(after[1])} after the failure"
    if planned.follows is not None:
        return f"{when}: run {planned.follows} is there already, so it waits for that"
    instead = f" ({planned.why_not_wanted})" if planned.why_not_wanted else ""
    return f"{when}: {imperative(RerunAction(planned.action))}{instead}"


__all__ = ["entry"]
