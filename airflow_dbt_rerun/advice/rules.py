"""Propose rules: for each chronic trouble one of its own, then one for each kind that can pass by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from glob import escape
from typing import Any

from airflow_dbt_rerun.advice.chronic import Chronic
from airflow_dbt_rerun.advice.evidence import FEWEST, Evidence
from airflow_dbt_rerun.advice.kinds import KINDS, PASSING, kind_of
from airflow_dbt_rerun.advice.waiting import NIGHT, USUAL_LIMIT, Waits, choose_waits
from airflow_dbt_rerun.backtest.failures import PastFailure
from airflow_dbt_rerun.core.categories import Category

ALIKE = 0.8
"""Kinds whose waits differ by no more share one rule: the longer wait outlasts both."""

_KINDS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Count:
    """What a rule rests on: of some failures, how many troubles were gone when its last rerun comes.

    :param what: what failed: a category, a known error, or a node of a job.
    :param cases: how many failures there are.
    :param passed: how many are known to have passed within the limit.
    :param gone: how many of these are known to be gone at the last rerun.
    :param still_there: how many of all are known to be still there at that moment.
    """

    what: str
    cases: int
    passed: int
    gone: int
    still_there: int

    @classmethod
    def of(cls, what: str, evidence: Evidence, waits: Waits, limit: float) -> Count:
        """Count."""
        gone, still = evidence.gone_by(waits.last), evidence.still_there_at(waits.last)
        return cls(what, len(evidence), max(len(evidence.passed_within(limit)), gone), gone, still)


@dataclass(frozen=True, slots=True)
class ProposedRule:
    """A rule as data of a policy, and what it rests on.

    :param reruns: seconds from the failure to each of its reruns, without the time that these take.
    :param limit: seconds within which troubles count as passing by themselves.
    :param details: the most frequent known errors among the counts.
    :param chronic: the trouble that it is about, if it is a chronic one.
    """

    data: dict[str, Any]
    reruns: tuple[int, ...]
    limit: float
    counts: tuple[Count, ...]
    details: tuple[Count, ...] = ()
    chronic: Chronic | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A kind for which nothing is proposed, so that the default policy's rule stays.

    :param why: why nothing is proposed.
    """

    kind: Category
    cases: int
    why: str


def chronic_rule(chronic: Chronic) -> ProposedRule | str:
    """Return a rule for a chronic trouble, or why there is none."""
    waits = choose_waits(chronic.evidence, NIGHT)
    if isinstance(waits, str):
        return waits
    place: list[dict[str, Any]] = [{"run": {"job_id": chronic.job_id}}]
    if chronic.node is not None:
        place.append({"node": {"name": escape(chronic.node)}})
    when = {"all": [*place, {"any_node": [str(category) for category in chronic.categories]}]}
    what = f"{chronic.node} in {chronic.job_name}" if chronic.node else chronic.job_name
    count = Count.of(what, chronic.evidence, waits, NIGHT)
    reruns = (waits.first, waits.last)
    return ProposedRule({"when": when, "wait": waits.twice()}, reruns, NIGHT, (count,), chronic=chronic)


def kind_rules(failures: Sequence[PastFailure]) -> tuple[list[ProposedRule], list[Kept]]:
    """Return a rule for each kind that can pass by itself, and the kinds that keep the default policy's rule."""
    everything = Evidence.of(failures)
    chosen: dict[Category, Waits] = {}
    evidence: dict[Category, Evidence] = {}
    kept: list[Kept] = []
    for kind in KINDS:
        own = evidence[kind] = everything.only(lambda failure, kind=kind: kind_of(failure) is kind)  # type: ignore[misc]
        waits = choose_waits(own, USUAL_LIMIT)
        if isinstance(waits, Waits):
            chosen[kind] = waits
        elif len(own):
            kept.append(Kept(kind, len(own), waits))
    rules = [_passing_rule(kinds, waits, evidence) for kinds, waits in _together(chosen)]
    if Category.UNKNOWN in chosen:
        rules.append(_unknown_rule(chosen[Category.UNKNOWN], evidence[Category.UNKNOWN]))
    return rules, kept


def _together(chosen: dict[Category, Waits]) -> list[tuple[list[Category], Waits]]:
    """Let kinds with similar waits share a rule, in the order of the default rules."""
    groups: list[tuple[list[Category], Waits]] = []
    for kind in sorted((kind for kind in PASSING if kind in chosen), key=lambda kind: -chosen[kind].outlasted):
        if groups and chosen[kind].outlasted >= ALIKE * groups[-1][1].outlasted:
            groups[-1][0].append(kind)
        else:
            groups.append(([kind], chosen[kind]))
    ordered = [(sorted(kinds, key=PASSING.index), waits) for kinds, waits in groups]
    return sorted(ordered, key=lambda group: PASSING.index(group[0][0]))


def _passing_rule(kinds: list[Category], waits: Waits, evidence: dict[Category, Evidence]) -> ProposedRule:
    names = [str(kind) for kind in kinds]
    data = {"when": {"any_node": names if len(names) > 1 else names[0]}, "wait": waits.twice()}
    counts = tuple(Count.of(str(kind), evidence[kind], waits, USUAL_LIMIT) for kind in kinds)
    both = Evidence.of([failure for kind in kinds for failure in evidence[kind].failures])
    return ProposedRule(data, (waits.first, waits.last), USUAL_LIMIT, counts, tuple(_details(both, waits)))


def _unknown_rule(waits: Waits, evidence: Evidence) -> ProposedRule:
    """Rerun once, as the default policy does, but when it is known to help."""
    data = {"when": {"every": "unknown"}, "wait": waits.once(), "stop": {"stop_after_attempt": 2}}
    count = Count.of("unknown", evidence, waits, USUAL_LIMIT)
    return ProposedRule(data, (waits.last,), USUAL_LIMIT, (count,))


def _details(evidence: Evidence, waits: Waits) -> Iterator[Count]:
    kinds = Counter(failure.kind for failure in evidence.failures)
    for kind, cases in kinds.most_common(_KINDS_SHOWN):
        if cases >= FEWEST:
            own = evidence.only(lambda failure, kind=kind: failure.kind == kind)  # type: ignore[misc]
            yield Count.of(kind, own, waits, USUAL_LIMIT)
