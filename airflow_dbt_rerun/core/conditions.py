"""When a rule applies: ``any_node(...)``, ``every(...)``, ``message(...)``, joined with ``&``, ``|`` and ``~``.

A condition is a callable that takes a :class:`RerunState` and returns a bool, so any function of yours will do as
well. Ours have a readable ``repr`` that is the same in every process: Airflow hashes it when a policy is passed
through ``partial()`` or ``default_args``, and a hash that changes would mean a new DAG version at every parse.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis import Diagnosis
from airflow_dbt_rerun.core.models import Run


@dataclass(frozen=True, slots=True)
class RerunState:
    """What conditions, stops and waits may look at. tenacity's own ``stop_*`` and ``wait_*`` read it too."""

    run: Run
    diagnosis: Diagnosis
    attempt_number: int
    """The attempt that just failed; the first run is attempt 1."""
    seconds_since_start: float
    """Wall-clock seconds since attempt 1 was seen first."""
    upcoming_sleep: float = 0.0
    """Seconds to wait before the next attempt, once known."""
    idle_for: float = 0.0
    outcome: Any = None


AnyCondition = Callable[[RerunState], bool]


class Condition:
    """A question about a failed run that knows its own words."""

    __slots__ = ("_test", "_words")

    def __init__(self, words: str, test: AnyCondition) -> None:
        self._words = words
        self._test = test

    def __call__(self, state: RerunState) -> bool:
        """Say whether the condition holds."""
        return self._test(state)

    def __and__(self, other: AnyCondition) -> Condition:
        return Condition(f"({self!r} & {describe(other)})", lambda state: self(state) and other(state))

    def __or__(self, other: AnyCondition) -> Condition:
        return Condition(f"({self!r} | {describe(other)})", lambda state: self(state) or other(state))

    def __invert__(self) -> Condition:
        return Condition(f"~{self!r}", lambda state: not self(state))

    def __repr__(self) -> str:
        return self._words


def any_node(*categories: Category | str) -> Condition:
    """Match when at least one finding has one of these categories.

    :raises ValueError: if a category does not exist or none is given.
    """
    wanted = _categories("any_node", categories)
    return Condition(
        f"any_node({', '.join(wanted)})",
        lambda state: any(finding.category in wanted for finding in state.diagnosis.findings),
    )


def every(*categories: Category | str) -> Condition:
    """Match when all findings have one of these categories.

    :raises ValueError: if a category does not exist or none is given.
    """
    wanted = _categories("every", categories)
    return Condition(
        f"every({', '.join(wanted)})",
        lambda state: all(finding.category in wanted for finding in state.diagnosis.findings),
    )


def message(pattern: str) -> Condition:
    """Match when a finding's message contains this regular expression.

    :raises ValueError: if the pattern is not a valid regular expression.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"message({pattern!r}): not a valid regular expression: {error}") from error
    return Condition(
        f"message({pattern!r})",
        lambda state: any(compiled.search(finding.message) for finding in state.diagnosis.findings),
    )


def _categories(where: str, given: tuple[Category | str, ...]) -> tuple[Category, ...]:
    known = ", ".join(Category)
    if not given:
        raise ValueError(f"{where}() needs at least one category: {known}")
    for category in given:
        if category not in Category.__members__.values():
            raise ValueError(f"{where}(): there is no category {category!r}; there are {known}")
    return tuple(Category(category) for category in given)


def describe(thing: object) -> str:
    """Name a condition, stop or wait in words that are the same in every process.

    tenacity's default ``repr`` holds a memory address; its objects are shown as they are written instead.
    """
    if isinstance(thing, Condition):
        return repr(thing)
    name = getattr(thing, "__qualname__", None)
    if name is not None:
        return str(name)
    arguments = ", ".join(f"{key}={_value(value)}" for key, value in sorted(vars(thing).items()))
    return f"{type(thing).__name__}({arguments})"


def _value(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return repr(value) if isinstance(value, (int, float, str, type(None))) else describe(value)
