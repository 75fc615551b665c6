"""When to rerun, how, and when to stop: rules that a DAG author can read and tune.

The first rule whose condition matches decides; a diagnosis that no rule covers is not rerun. ``stop`` and
``wait`` are tenacity's own: ``stop_after_attempt(3) | stop_after_delay(7200)``, ``wait_fixed(60)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

from tenacity import stop_after_attempt, stop_after_delay, wait_exponential, wait_none, wait_random

from airflow_dbt_rerun.core.messages import shown
from airflow_dbt_rerun.core.policy.actions import RerunAction
from airflow_dbt_rerun.core.policy.condition import Condition, RerunState
from airflow_dbt_rerun.core.policy.from_data import policy_arguments, policy_data
from airflow_dbt_rerun.core.policy.in_words import policy_words
from airflow_dbt_rerun.core.policy.overrides import plain
from airflow_dbt_rerun.core.policy.question import Question
from airflow_dbt_rerun.core.policy.rules import (
    DEFAULT_RULES,
    SETTINGS,
    RerunRule,
    StopStrategy,
    Superseded,
    WaitStrategy,
    checked_rules,
)
from airflow_dbt_rerun.core.policy.strategies import STOP, WAIT, check_strategy, describe, form, longest
from airflow_dbt_rerun.core.policy.value_class import Written, names_its_arguments

__all__ = [
    "DEFAULT_RULES",
    "Question",
    "RerunAction",
    "RerunDecision",
    "RerunPolicy",
    "RerunRule",
    "StopStrategy",
    "Superseded",
    "WaitStrategy",
]


@dataclass(frozen=True, slots=True)
class RerunDecision:
    """What the policy decided about one failed run, and why, in words.

    ``exhausted`` distinguishes "this could heal, but the limits are reached" from "a rerun cannot heal this".
    """

    action: RerunAction
    reason: str
    wait_seconds: float = 0.0
    exhausted: bool = False
    overrides: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """What to change about the rerun: fields of dbt's trigger request."""
    question: Question | None = None
    """What to ask a person, if the action is to ask."""
    by_person: bool = False
    """Whether the rule stands for what a person ordered."""


@names_its_arguments
@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class RerunPolicy(Written):
    """When to rerun a failed dbt run, how, and when to give up. The defaults are safe and bounded.

    Policies are values: two with the same arguments are equal. See also :meth:`from_dict`.

    :param rules: the first rule that matches decides.
    :param stop: when to give up; by default after three attempts in all, or two hours.
    :param wait: seconds before the next attempt; by default 30 s doubling to 10 min, with jitter.
    :param superseded: what to do when the job has a newer run: ``adopt`` it, ``adopt_and_rerun``, ``fail``, or
        ``rerun_from_start``.
    :param fallback: the kind of rerun to use if the wanted one is impossible; by default from the failed step. A
        full rebuild happens only if a rule or this argument is ``rerun_from_start``.
    :param on_unknown_cancel: what to do about a cancelled run if dbt records neither who cancelled it nor why; by
        default ``fail``. Such a run cannot be resumed.
    :param give_up_after_failed_runs: rerun nothing once the job has failed this many times in a row, no matter who
        started those runs, if the number is known; None for no such limit. dbt deactivates a job at 100.
    :raises TypeError: if an argument is unknown or has the wrong type.
    :raises ValueError: if a value is not allowed.
    """

    rules: Sequence[RerunRule] = DEFAULT_RULES
    stop: StopStrategy = stop_after_attempt(3) | stop_after_delay(7200)
    wait: WaitStrategy = wait_exponential(multiplier=30, max=600) + wait_random(0, 15)
    superseded: Superseded = Superseded.ADOPT
    fallback: RerunAction = RerunAction.RERUN_FROM_STEP
    on_unknown_cancel: RerunAction = RerunAction.FAIL
    give_up_after_failed_runs: int | None = 20

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", checked_rules("RerunPolicy(rules=...)", self.rules))
        if self.stop is None or self.wait is None:
            raise TypeError("RerunPolicy needs both stop and wait: attempts are bounded and spaced")
        check_strategy("RerunPolicy(stop=...)", STOP, self.stop)
        check_strategy("RerunPolicy(wait=...)", WAIT, self.wait)
        for name, value in SETTINGS.items():
            object.__setattr__(self, name, value.check(f"RerunPolicy({name}=...)", getattr(self, name)))

    @classmethod
    def from_dict(cls, data: object, where: str = "policy") -> Self:
        """Build a policy from plain data, as read from JSON or YAML. Missing arguments have their defaults.

        :param data: a mapping with the arguments' names; see ``docs/policies.md`` and ``docs/policy.schema.json``.
        :param where: the name of the whole in errors: ``policy.rules[2].when: there is no condition 'any_nod'``.
        :raises TypeError: if something has the wrong type; the message names the place and what it takes.
        :raises ValueError: if a name or value is not allowed; the message is of the same form.
        """
        return cls(**policy_arguments(data, where))

    def to_dict(self) -> dict[str, Any]:
        """Return the complete policy as plain data, from which ``from_dict`` builds an equal one.

        :raises TypeError: if it contains a Python function; the message names the rule.
        """
        return policy_data(self.rules, self.stop, self.wait, self._settings)

    def without_waits(self) -> Self:
        """Return the same policy without any wait between attempts."""
        return replace(self, wait=wait_none(), rules=[replace(rule, wait=None) for rule in self.rules])

    def words(self) -> list[str]:
        """Return the policy in words, one sentence per line."""
        return policy_words(self.rules, self.stop, self.wait, self._settings)

    @property
    def _settings(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SETTINGS}

    @property
    def asks(self) -> bool:
        """Whether any rule asks a person."""
        return any(rule.action is RerunAction.ASK for rule in self.rules)

    @property
    def longest(self) -> float | None:
        """The seconds after which ``stop`` ends the reruns at the latest; None without such a limit."""
        return longest(self.stop)

    @property
    def needs_manifest(self) -> bool:
        """Whether any condition or rerun needs dbt's ``manifest.json``."""
        rebuilds = RerunAction.REBUILD_TESTED
        return self.fallback is rebuilds or any(
            rule.condition.needs_manifest or rebuilds in (rule.action, *_answers(rule)) for rule in self.rules
        )

    def decide(self, state: RerunState) -> RerunDecision:
        """Decide about one failed run: the first rule that matches, then its limits.

        If a user's function raises, nothing is rerun and the diagnosis is kept: the decision is to fail, with a
        reason that names the rule and the error.
        """
        for number, rule in _numbered(self.rules):
            try:
                if rule.when(state):
                    return self._apply(rule, _because(number, rule, state), state)
            except Exception as error:  # noqa: BLE001 - the user's code may raise anything; it is reported
                return _broken(f"rule {number} ({describe(rule.when)})", error, state)
        return RerunDecision(RerunAction.FAIL, f"no rule covers {state.diagnosis.summary}")

    def _apply(self, rule: RerunRule, because: str, state: RerunState) -> RerunDecision:
        if rule.action is RerunAction.FAIL:
            return RerunDecision(RerunAction.FAIL, because)
        if hopeless := self._hopeless(state):
            return RerunDecision(RerunAction.FAIL, f"{because}, but {hopeless}")
        wait = self.wait if rule.wait is None else rule.wait
        seconds = _seconds(wait, state)
        if stopped := self.stopped(replace(state, upcoming_sleep=seconds), rule.stop):
            return RerunDecision(RerunAction.FAIL, f"{because}, but {stopped}", exhausted=True)
        seconds = 0.0 if rule.action is RerunAction.ASK else seconds
        return RerunDecision(
            rule.action,
            because,
            seconds,
            overrides=plain(rule.overrides),
            question=rule.question,
            by_person=getattr(rule.when, "is_order", False),
        )

    def stopped(self, state: RerunState, earlier: StopStrategy | None = None) -> str | None:
        """Return why the limits allow no further attempt; None if they allow one.

        :param earlier: a rule's own stop, which applies in addition to the policy's.
        """
        for stop in (earlier, self.stop):
            if stop is not None and _is_reached(stop, state):
                tried = f"attempt {state.attempt_number} failed after {state.seconds_since_start:.0f} s"
                return f"limit reached: {form(stop).words()} ({tried})"
        return None

    def _hopeless(self, state: RerunState) -> str | None:
        limit, failed = self.give_up_after_failed_runs, state.failed_runs
        if limit is None or failed is None or failed < limit:
            return None
        return (
            f"the job has failed {failed} times in a row and the policy gives up after {limit}; "
            "dbt deactivates a job at 100"
        )


def _numbered(rules: Sequence[RerunRule]) -> Iterator[tuple[int, RerunRule]]:
    """Yield each rule with its number among those that a person wrote; one of this package's own has none, so 0."""
    number = 0
    for rule in rules:
        is_ours = _own_words(rule) is not None
        number += not is_ours
        yield 0 if is_ours else number, rule


def _own_words(rule: RerunRule) -> str | None:
    return None if isinstance(rule.when, Condition) else getattr(rule.when, "words", None)


def _because(number: int, rule: RerunRule, state: RerunState) -> str:
    """Return why a rule applies, in the words that the policy has for it."""
    what = state.diagnosis.summary
    return f"rule {number} ({rule.condition.words}) matches {what}" if number else f"{_own_words(rule)}: {what}"


def _answers(rule: RerunRule) -> Sequence[RerunAction]:
    return rule.question.options if rule.question else ()


def _seconds(wait: WaitStrategy, state: RerunState) -> float:
    # tenacity's strategies are typed for its own call state; they read attempt_number, seconds_since_start,
    # upcoming_sleep and idle_for, all of which RerunState has.
    given: Any = wait(state)  # type: ignore[arg-type]
    if isinstance(given, bool) or not isinstance(given, (int, float)) or not math.isfinite(given) or given < 0:
        raise ValueError(f"{describe(wait)} returned {shown(given)} as the seconds to wait")
    return float(given)


def _is_reached(stop: StopStrategy, state: RerunState) -> bool:
    given: Any = stop(state)  # type: ignore[arg-type]
    if given is None:  # a function without a return would never stop
        raise ValueError(f"{describe(stop)} returned None, not True or False")
    return bool(given)


def _broken(rule: str, error: Exception, state: RerunState) -> RerunDecision:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    reason = f"{rule} is broken: {text}; it was evaluated for {state.diagnosis.summary}"
    return RerunDecision(RerunAction.FAIL, reason)
