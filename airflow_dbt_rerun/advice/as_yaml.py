"""Write a proposed policy as YAML that a person can read and agree to line by line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any

from airflow_dbt_rerun.advice.advise import ATTEMPTS, Advice
from airflow_dbt_rerun.advice.chronic import Chronic, Flaky
from airflow_dbt_rerun.advice.rules import Count, Kept, ProposedRule
from airflow_dbt_rerun.advice.unheard import Unheard
from airflow_dbt_rerun.backtest.totals import Totals
from airflow_dbt_rerun.backtest.verdicts import Verdict
from airflow_dbt_rerun.backtest.words import range_of
from airflow_dbt_rerun.backtest.words import span as _span
from airflow_dbt_rerun.core.messages import counted, listed

_WIDTH = 110
_SHOWN = 8
_RUNS_SHOWN = 3
_LONGEST_MESSAGE = 160

_PLAIN = re.compile(r"[a-z][a-z_]*")
_WORDS_OF_YAML = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})


def as_yaml(advice: Advice, compared: Mapping[str, Totals]) -> str:
    """Return the proposed policy with its evidence as comments.

    :param compared: the sums of the default policy and of this one, by the names ``default`` and ``proposed``.
    """
    lines = [*_head(advice, compared), "", "rules:"]
    for rule in advice.rules:
        lines += [*_comment(_evidence(rule), "  "), *_rule(rule)]
    lines += [*_comment(_kept(advice), "  "), "  - default_rules", ""]
    lines += [*_comment(_limits(advice), ""), f"stop: {_flow(advice.policy_data['stop'])}"]
    lines += _findings(advice)
    return "\n".join(lines) + "\n"


def _head(advice: Advice, compared: Mapping[str, Totals]) -> Iterator[str]:
    past = advice.past
    since, until = (datetime.fromtimestamp(moment, UTC) for moment in (past.since, past.until))
    made_of = (
        f"Proposed by airflow-dbt-rerun advise from {counted(len(advice.failures), 'failure')} in "
        f"{len(past.runs):,} runs of {past.scope} on {past.host}, {since:%Y-%m-%d %H:%M} to "
        f"{until:%Y-%m-%d %H:%M} UTC."
    )
    no_proof = "It was made from them, so that is no proof: try it on other days with airflow-dbt-rerun backtest."
    tried = (f"On these failures, {name}: {_totals(totals)}." for name, totals in compared.items())
    yield from _comment([made_of, *tried, no_proof], "")


def _totals(totals: Totals) -> str:
    counts = totals.verdicts
    return (
        f"{counts[Verdict.HEALED]} healed and {totals.may_have_healed} more perhaps, "
        f"{counts[Verdict.IN_VAIN]} rerun in vain ({totals.vain_seconds:,.0f} warehouse seconds), "
        f"{range_of(totals.pages_avoided)} pages avoided"
    )


def span(seconds: float) -> str:
    """Return ``63 min``, ``4.5 h``, ``2 h``."""
    return _span(seconds).replace(".0 ", " ")


# --- rules


def _rule(rule: ProposedRule) -> Iterator[str]:
    for number, (name, value) in enumerate(rule.data.items()):
        comment = f"  # reruns {_moments(rule)} after the failure" if name == "wait" else ""
        yield f"  {'-' if number == 0 else ' '} {name}: {_flow(value)}{comment}"


def _moments(rule: ProposedRule) -> str:
    return " and ".join(span(seconds) for seconds in rule.reruns)


def _evidence(rule: ProposedRule) -> Iterator[str]:
    if rule.chronic is not None:
        yield "Chronic, see below:"
    for count in rule.counts:
        yield _count(count, rule)
    details = (f"{each.what} {each.gone} of {each.passed}" for each in rule.details)
    if words := "; ".join(details):
        yield f"The most frequent, gone by then: {words}."


def _count(count: Count, rule: ProposedRule) -> str:
    return (
        f"{count.what}: {count.gone} of the {count.passed} known to have passed within {span(rule.limit)} were "
        f"gone after {span(rule.reruns[-1])}; known to be still there then: {count.still_there} of {count.cases}."
    )


def _kept(advice: Advice) -> Iterator[str]:
    kept = "; ".join(map(_why_kept, advice.kept))
    yield f"Kept from the default policy: {kept}." if kept else "What no rule above covers."
    if left := ", ".join(f"{category} {count}" for category, count in advice.left.items()):
        yield f"Left to people: {left}."


def _why_kept(kept: Kept) -> str:
    return f"{kept.kind}, {counted(kept.cases, 'case')} ({kept.why})"


def _limits(advice: Advice) -> Iterator[str]:
    longer = ", as the longest rule needs" if advice.hours > 2 else ""  # noqa: PLR2004 - the default
    yield f"{ATTEMPTS} attempts in all, the first run included; none after {advice.hours} hours{longer}."


# --- what people should mend or report


def _findings(advice: Advice) -> Iterator[str]:
    without_rule = [f"{_chronic(each)} No rule: {why}." for each, why in advice.chronic if why]
    with_rule = [_chronic(each) for each, why in advice.chronic if not why]
    mend = [*with_rule, *without_rule, *map(_flaky, advice.flaky)]
    if mend:
        yield from ("", "# To mend: no rerun mends what fails again and again.", *_items(mend))
    if advice.unheard:
        yield from ("", "# Messages that no signature knows, for airflow-dbt-rerun report RUN_ID:")
        yield from _items([_unheard(each) for each in advice.unheard])


def _chronic(chronic: Chronic) -> str:
    where = f"at {chronic.node}" if chronic.node else "before its nodes"
    failed = len(chronic.evidence)
    return (
        f"{chronic.job_name} ({chronic.job_id}) failed {where} in {failed} of {chronic.runs:,} runs, "
        f"{chronic.healed} of which a later run healed: mend it."
    )


def _flaky(flaky: Flaky) -> str:
    return (
        f"{flaky.node} failed on {flaky.days} of {flaky.of_days} days, in {counted(flaky.jobs, 'job')}, mostly of "
        f"{flaky.kind}: mend it."
    )


def _unheard(unheard: Unheard) -> str:
    message = unheard.shape[:_LONGEST_MESSAGE] + ("..." if len(unheard.shape) > _LONGEST_MESSAGE else "")
    runs = listed([str(run_id) for run_id in unheard.run_ids], _RUNS_SHOWN)
    return (
        f"{message} ({counted(len(unheard.run_ids), 'run')}: {runs}; gone without a commit in {unheard.passed}, "
        f"with one in {unheard.mended})"
    )


# --- YAML


def _items(texts: Sequence[str]) -> Iterator[str]:
    for text in texts[:_SHOWN]:
        yield from (f"#{' -' if n == 0 else '  '} {line}" for n, line in enumerate(_wrapped(text, _WIDTH - 4)))
    if len(texts) > _SHOWN:
        yield f"# - and {len(texts) - _SHOWN} more: see --json"


def _comment(texts: Iterator[str] | Sequence[str], indent: str) -> Iterator[str]:
    for text in texts:
        yield from (f"{indent}# {line}" for line in _wrapped(text, _WIDTH - len(indent) - 2))


def _wrapped(text: str, width: int) -> list[str]:
    """Break a text into lines. Nothing in it, such as a job's name, can end a comment."""
    printable = "".join(sign if sign.isprintable() else " " for sign in text)
    return wrap(printable, width, break_on_hyphens=False)


def _flow(value: Any) -> str:
    """Return data on one line of YAML."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{name}: {_flow(each)}" for name, each in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(_flow, value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value not in _WORDS_OF_YAML:
        return value
    return "".join(map(_in_quotes, json.dumps(value, ensure_ascii=False)))


def _in_quotes(sign: str) -> str:
    """Escape what YAML would take for a line break or refuse; JSON escapes it otherwise, in pairs."""
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"


__all__ = ["as_yaml"]
