"""The rules of a policy: when each applies and what it does, and the default rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

from tenacity import stop_after_attempt, wait_exponential, wait_random
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.messages import shown
from airflow_dbt_rerun.core.policy.actions import RerunAction
from airflow_dbt_rerun.core.policy.arguments import Number, OrNone, Value, Word
from airflow_dbt_rerun.core.policy.condition import AnyCondition, Condition, RerunState, as_condition
from airflow_dbt_rerun.core.policy.conditions import any_node, every
from airflow_dbt_rerun.core.policy.overrides import Overrides
from airflow_dbt_rerun.core.policy.question import Question
from airflow_dbt_rerun.core.policy.strategies import STOP, WAIT, check_strategy
from airflow_dbt_rerun.core.policy.value_class import Written, names_its_arguments

StopStrategy = stop_base | Callable[[RerunState], bool]
WaitStrategy = wait_base | Callable[[RerunState], float]


class Superseded(StrEnum):
    """What to do when the job has a newer run, so that the failed one can no longer be resumed."""

    ADOPT = "adopt"
    """Watch the newer run: if it succeeds, the work is done; if it fails, so does the task."""
    ADOPT_AND_RERUN = "adopt_and_rerun"
    """The same, but a newer run that fails is rerun by the rules, as if the task had started it."""
    FAIL = "fail"
    RERUN_FROM_START = "rerun_from_start"


ACTION = Word("action", RerunAction)

_REFUSED: Mapping[str, str] = {
    RerunAction.RERUN_FROM_FAILURE: "this is for runs that cannot be resumed from their failure",
    RerunAction.ASK: "only a rule can ask a person",
}

_NOT_RESUMABLE = Word("action", tuple(action for action in RerunAction if action not in _REFUSED), refused=_REFUSED)

SETTINGS: Mapping[str, Value] = {
    "superseded": Word("action", Superseded),
    "fallback": _NOT_RESUMABLE,
    "on_unknown_cancel": _NOT_RESUMABLE,
    "give_up_after_failed_runs": OrNone(Number(least=2, whole=True)),
}
"""The arguments of a policy that are plain values in Python too."""


@names_its_arguments
@dataclass(frozen=True, repr=False, eq=False)
class RerunRule(Written):
    """One rule of a policy: when it applies, what to do, and its own wait, stop and overrides if it needs them.

    :param when: a condition, or any callable that takes a :class:`RerunState` and returns a bool.
    :param action: what to do when it matches.
    :param wait: how long to wait before the next attempt, in seconds; by default the policy's ``wait``.
    :param stop: stops this rule earlier than the policy's ``stop`` would.
    :param overrides: what to change about the rerun, by the fields of dbt's trigger request:
        ``{"threads_override": 2}``. A resumed run keeps its own settings, so a rule with overrides starts a new run
        from the failed step instead.
    :param question: for the action ``ask``: the possible answers, and what happens without one.
    :raises TypeError: if an argument has the wrong type.
    :raises ValueError: if a value is not allowed, or the arguments contradict each other.
    """

    when: AnyCondition
    action: RerunAction = RerunAction.RERUN_FROM_FAILURE
    wait: WaitStrategy | None = None
    stop: StopStrategy | None = None
    overrides: Mapping[str, Any] = field(default_factory=Overrides)
    question: Question | None = None

    def __post_init__(self) -> None:
        as_condition("RerunRule(when=...)", self.when)
        if self.wait is not None:
            check_strategy("RerunRule(wait=...)", WAIT, self.wait)
        if self.stop is not None:
            check_strategy("RerunRule(stop=...)", STOP, self.stop)
        overrides = Overrides.checked("RerunRule(overrides=...)", {} if self.overrides is None else self.overrides)
        object.__setattr__(self, "overrides", overrides)
        object.__setattr__(self, "action", ACTION.check("RerunRule(action=...)", self.action))
        self._check_question()
        self._check_together()

    def _check_question(self) -> None:
        if self.question is not None and not isinstance(self.question, Question):
            raise TypeError(f"RerunRule(question=...) takes a Question, not {shown(self.question)}")
        if self.question is not None and self.action is not RerunAction.ASK:
            raise ValueError(f"RerunRule(action='{self.action}') asks nobody, so it takes no question")
        if self.action is RerunAction.ASK and self.wait is not None:
            raise ValueError("RerunRule(action='ask') asks at once, so it takes no wait")
        if self.action is RerunAction.ASK and self.question is None:
            object.__setattr__(self, "question", Question())

    def _check_together(self) -> None:
        changes = self.wait is not None or self.stop is not None or self.overrides
        if self.action is RerunAction.FAIL and changes:
            raise ValueError("RerunRule(action='fail') starts nothing, so it takes no wait, stop or overrides")
        if "steps_override" in self.overrides and self.action is not RerunAction.RERUN_FROM_START:
            raise ValueError(
                f"RerunRule(action='{self.action}') determines itself what runs; "
                "overrides with steps_override need action='rerun_from_start'"
            )

    @property
    def condition(self) -> Condition:
        """``when`` as a condition, even if it is a plain function."""
        return as_condition("RerunRule(when=...)", self.when)

    def _says(self, name: str, value: object) -> bool:
        if name == "question":
            return value not in (None, Question())
        return bool(self.overrides) if name == "overrides" else value is not None


DEFAULT_RULES: tuple[RerunRule, ...] = (
    # A warehouse that throttles needs time before the next attempt.
    RerunRule(
        any_node(Category.THROTTLED),
        wait=wait_exponential(multiplier=60, min=120, max=600) + wait_random(0, 15),
    ),
    # Rerun what can heal, even beside errors that cannot: the next diagnosis then covers the rest.
    RerunRule(any_node(Category.TRANSIENT, Category.TIMED_OUT)),
    # An unrecognised error gets one rerun, not two.
    RerunRule(every(Category.UNKNOWN), stop=stop_after_attempt(2)),
)
"""Transient, throttled and timed-out failures are rerun; unknown ones once; anything else is left to a person."""


def checked_rules(where: str, rules: object) -> tuple[RerunRule, ...]:
    """Check the list of a policy's rules and return it as a tuple.

    :raises TypeError: if it is not such a list; the message says what is wrong and how it is written.
    """
    if isinstance(rules, RerunRule):
        raise TypeError(f"{where} takes a list of RerunRule, not a single one: write [{shown(rules)}]")
    if not isinstance(rules, (list, tuple)):
        raise TypeError(f"{where} takes a list of RerunRule, not {shown(rules)}")
    for place, rule in enumerate(rules):
        if not isinstance(rule, RerunRule):
            raise TypeError(f"{where} takes RerunRule objects only, not {shown(rule)}{_meant(place, rule)}")
    return tuple(cast("list[RerunRule]", rules))


def _meant(place: int, given: object) -> str:
    if isinstance(given, Condition):
        return f": wrap it, RerunRule({shown(given)})"
    if isinstance(given, type):
        return ": the class, not an object"
    if isinstance(given, (list, tuple)) and all(isinstance(each, RerunRule) for each in given):
        return f" at index {place}: write * before a list to include its rules, as in [*DEFAULT_RULES]"
    return ": RerunPolicy.from_dict reads plain data" if isinstance(given, dict) else ""
