"""When to rerun, how, and when to stop: rules that a DAG author can read and tune.

The first rule whose condition matches decides; a diagnosis that no rule covers is not rerun. ``stop`` and
``wait`` are tenacity's own: ``stop_after_attempt(3) | stop_after_delay(7200)``, ``wait_fixed(60)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import cast

from tenacity import (
    RetryCallState,
    stop_after_attempt,
    stop_after_delay,
    wait_exponential,
    wait_random,
)
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from airflow_dbt_rerun.core.arguments import member_of, names_its_arguments, readable, require_callable
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.conditions import AnyCondition, RerunState, any_node, describe, every

Stop = stop_base | Callable[[RerunState], bool]
Wait = wait_base | Callable[[RerunState], float]


class RerunAction(StrEnum):
    """What to do about a failed run."""

    RERUN_FROM_FAILURE = "rerun_from_failure"
    """Resume the failed run: only failed and skipped nodes run (``POST runs/{id}/retry/``)."""
    RERUN_FROM_STEP = "rerun_from_step"
    """A new run of the failed command and the commands after it."""
    RERUN_FROM_START = "rerun_from_start"
    """A new run of everything."""
    FAIL = "fail"
    """Leave it; tell a person."""


class Superseded(StrEnum):
    """What to do when the job has a newer run, so that the failed one can no longer be resumed."""

    ADOPT = "adopt"
    """Watch the newer run: if it succeeds, the work is done."""
    FAIL = "fail"
    RERUN_FROM_START = "rerun_from_start"


@names_its_arguments
@dataclass(frozen=True, repr=False)
class RerunRule:
    """One line of a policy: when it applies, what to do, and its own wait and stop if it needs them.

    :param when: a condition, or any callable that takes a :class:`RerunState` and returns a bool.
    :param action: what to do when it matches.
    :param wait: how long to wait before the next attempt; the policy's ``wait`` if not given.
    :param stop: stops this rule earlier than the policy's ``stop`` would.
    :raises TypeError: if ``when``, ``wait`` or ``stop`` cannot be called.
    :raises ValueError: if ``action`` is no :class:`RerunAction`.
    """

    when: AnyCondition
    action: RerunAction = RerunAction.RERUN_FROM_FAILURE
    wait: Wait | None = None
    stop: Stop | None = None

    def __post_init__(self) -> None:
        require_callable("RerunRule", "when", self.when, "a condition such as any_node(Category.TRANSIENT)")
        require_callable("RerunRule", "wait", self.wait, "a tenacity wait such as wait_fixed(60)")
        require_callable("RerunRule", "stop", self.stop, "a tenacity stop such as stop_after_attempt(2)")
        object.__setattr__(self, "action", member_of("RerunRule", "action", RerunAction, self.action))
        if self.action is RerunAction.FAIL and (self.wait or self.stop):
            raise ValueError("RerunRule(action=FAIL) starts nothing, so it takes neither wait nor stop")

    def __repr__(self) -> str:
        return readable(self, skip_none=True)


@dataclass(frozen=True, slots=True)
class RerunDecision:
    """What the policy said about one failed run, and why, in words.

    ``exhausted`` tells "this could heal, but the limits are reached" from "a rerun cannot heal this".
    """

    action: RerunAction
    reason: str
    wait_seconds: float = 0.0
    exhausted: bool = False


DEFAULT_RULES: tuple[RerunRule, ...] = (
    # A warehouse that pushes back wants time, not persistence.
    RerunRule(
        any_node(Category.THROTTLED),
        wait=wait_exponential(multiplier=60, min=120, max=600) + wait_random(0, 15),
    ),
    # Heals what can be healed, even beside errors that cannot: the next diagnosis then sees the rest.
    RerunRule(any_node(Category.TRANSIENT, Category.TIMED_OUT)),
    # Nobody knows what it is: worth one look, not three.
    RerunRule(every(Category.UNKNOWN), stop=stop_after_attempt(2)),
)
"""Transient, throttled and timed-out failures are rerun; unknown ones once; anything else is left to a person."""


@names_its_arguments
@dataclass(frozen=True, repr=False, kw_only=True)
class RerunPolicy:
    """When to rerun a failed dbt run, how, and when to give up. The defaults are safe and bounded.

    :param rules: the first that matches decides.
    :param stop: when to give up; by default after three attempts in all, or two hours.
    :param wait: seconds before the next attempt; by default 30 s doubling to 10 min, with jitter.
    :param superseded: what to do when the job has a newer run: ``adopt`` it, ``fail``, or ``rerun_from_start``.
    :param fallback: the kind of rerun to take where the wanted one is impossible; by default from the failed
        step. A full rebuild happens only if a rule or this says ``rerun_from_start``.
    :raises TypeError: if an argument is unknown or not of its kind.
    :raises ValueError: if a value is not one of those allowed.
    """

    rules: Sequence[RerunRule] = DEFAULT_RULES
    stop: Stop = stop_after_attempt(3) | stop_after_delay(7200)
    wait: Wait = wait_exponential(multiplier=30, max=600) + wait_random(0, 15)
    superseded: Superseded = Superseded.ADOPT
    fallback: RerunAction = RerunAction.RERUN_FROM_STEP

    def __post_init__(self) -> None:
        if not isinstance(self.rules, (list, tuple)):
            raise TypeError(f"RerunPolicy(rules=...) takes a list of RerunRule, not {self.rules!r}")
        for rule in self.rules:
            if not isinstance(rule, RerunRule):
                raise TypeError(f"RerunPolicy(rules=...) takes RerunRule objects only, not {rule!r}")
        object.__setattr__(self, "rules", tuple(self.rules))
        require_callable("RerunPolicy", "stop", self.stop, "a tenacity stop such as stop_after_attempt(3)")
        require_callable("RerunPolicy", "wait", self.wait, "a tenacity wait such as wait_fixed(60)")
        if self.stop is None or self.wait is None:
            raise TypeError("RerunPolicy needs both stop and wait: attempts are bounded and spaced")
        superseded = member_of("RerunPolicy", "superseded", Superseded, self.superseded)
        fallback = member_of("RerunPolicy", "fallback", RerunAction, self.fallback)
        if fallback is RerunAction.RERUN_FROM_FAILURE:
            raise ValueError("RerunPolicy(fallback=...) is for runs that cannot be resumed: use another action")
        object.__setattr__(self, "superseded", superseded)
        object.__setattr__(self, "fallback", fallback)

    def __repr__(self) -> str:
        return readable(self)

    def decide(self, state: RerunState) -> RerunDecision:
        """Decide about one failed run: the first rule that matches, then its limits."""
        for rule in self.rules:
            if rule.when(state):
                return self._apply(rule, state)
        return RerunDecision(RerunAction.FAIL, f"no rule covers {state.diagnosis.summary}")

    def _apply(self, rule: RerunRule, state: RerunState) -> RerunDecision:
        because = f"rule {describe(rule.when)} matches {state.diagnosis.summary}"
        if rule.action is RerunAction.FAIL:
            return RerunDecision(RerunAction.FAIL, because)
        seconds = _ask(rule.wait or self.wait, state)
        state = replace(state, upcoming_sleep=seconds)
        for stop in (rule.stop, self.stop):
            if stop is not None and _ask(stop, state):
                tried = f"attempt {state.attempt_number} failed after {state.seconds_since_start:.0f} s"
                reason = f"{because}, but {describe(stop)} says stop: {tried}"
                return RerunDecision(RerunAction.FAIL, reason, exhausted=True)
        return RerunDecision(rule.action, because, wait_seconds=seconds)


def _ask(strategy: Stop | Wait, state: RerunState) -> float:
    # tenacity's strategies are typed for its own call state; they read attempt_number, seconds_since_start,
    # upcoming_sleep and idle_for, all of which RerunState has.
    return float(strategy(cast("RetryCallState", state)))  # type: ignore[arg-type]
