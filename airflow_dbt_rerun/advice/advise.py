"""Propose a policy from what was read of the past, and say what stands against it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.advice.chronic import Chronic, Flaky, chronic_troubles, flaky_nodes
from airflow_dbt_rerun.advice.kinds import can_be_judged, kind_of
from airflow_dbt_rerun.advice.rules import Kept, ProposedRule, chronic_rule, kind_rules
from airflow_dbt_rerun.advice.unheard import Unheard, unheard_messages
from airflow_dbt_rerun.backtest.collected import Collected
from airflow_dbt_rerun.backtest.failures import PastFailure, past_failures
from airflow_dbt_rerun.backtest.totals import Totals
from airflow_dbt_rerun.backtest.verdicts import judge_all
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.policy.from_data import DEFAULT_RULES_WORD
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature

ATTEMPTS = 3
"""As the default policy: a proposal changes when reruns come, not how many."""

HOURS = 2
"""Hours after which the default policy starts nothing more; a longer wait of a rule extends it."""


@dataclass(frozen=True)
class Advice:
    """A proposed policy, its evidence, and what it does not settle.

    :param failures: all of the time that was read, oldest first.
    :param rules: the proposed ones, in their order; the default rules follow them.
    :param kept: the kinds that are left to the default rules.
    :param chronic: what people should mend, each with the reason why it has no rule; None if it has one.
    :param left: how many failures are left to people, by category.
    """

    past: Collected
    failures: tuple[PastFailure, ...]
    rules: tuple[ProposedRule, ...]
    kept: tuple[Kept, ...]
    chronic: tuple[tuple[Chronic, str | None], ...]
    flaky: tuple[Flaky, ...]
    unheard: tuple[Unheard, ...]
    left: dict[Category, int]

    @property
    def hours(self) -> int:
        """Return after how many hours nothing more is started: the default, or what the longest rule needs."""
        longest = max((rule.reruns[-1] for rule in self.rules), default=0)
        return max(HOURS, math.ceil(longest / 3600))

    @property
    def policy_data(self) -> dict[str, Any]:
        """The policy as data."""
        stop = {"any": [{"stop_after_attempt": ATTEMPTS}, {"stop_after_delay": self.hours * 3600}]}
        return {"rules": [*(rule.data for rule in self.rules), DEFAULT_RULES_WORD], "stop": stop}

    @property
    def policy(self) -> RerunPolicy:
        """The policy."""
        return RerunPolicy.from_dict(self.policy_data)

    def compared(self, signatures: Sequence[Signature] = ()) -> dict[str, Totals]:
        """Try the default policy and this one on the same failures: no proof, since it was made from them."""
        policies = {"default": RerunPolicy(), "proposed": self.policy}
        return {name: Totals.of(judge_all(self.failures, each, signatures)) for name, each in policies.items()}


def advise(past: Collected, signatures: Sequence[Signature] = ()) -> Advice:
    """Propose a policy.

    :param signatures: the team's own error signatures, tried first.
    """
    failures = tuple(past_failures(past, signatures))
    telling = [failure for failure in failures if can_be_judged(failure)]
    healable = [failure for failure in telling if kind_of(failure)]
    chronic = [(each, chronic_rule(each)) for each in chronic_troubles(healable)]
    own_rules = [rule for _, rule in chronic if isinstance(rule, ProposedRule)]
    covered = {failure.run.id for rule in own_rules if rule.chronic for failure in rule.chronic.evidence.failures}
    general, kept = kind_rules([failure for failure in healable if failure.run.id not in covered])
    return Advice(
        past,
        failures,
        rules=(*own_rules, *general),
        kept=tuple(kept),
        chronic=tuple((each, rule if isinstance(rule, str) else None) for each, rule in chronic),
        flaky=tuple(flaky_nodes(healable, past.days, [each for each, _ in chronic])),
        unheard=tuple(unheard_messages(telling)),
        left=dict(Counter(each.diagnosis.verdict for each in failures if each not in healable).most_common()),
    )
