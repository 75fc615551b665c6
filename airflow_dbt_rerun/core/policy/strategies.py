"""tenacity's stops and waits as values: in Python code, in words and as plain data.

tenacity's own objects can only be called: they define no equality, and their ``repr`` contains a memory address.
:func:`form` reads their arguments.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import tenacity
from tenacity.stop import stop_base
from tenacity.wait import wait_base

from airflow_dbt_rerun.core.messages import shown, unknown
from airflow_dbt_rerun.core.policy.functions import check_function
from airflow_dbt_rerun.core.policy.naming import name_of
from airflow_dbt_rerun.core.policy.tenacity_table import (
    ALIASES,
    BY_CLASS,
    JOIN_BY_CLASS,
    STOP_JOINS,
    STOPS,
    WAIT_JOINS,
    WAITS,
    Join,
    Strategy,
)


class Form(ABC):
    """A stop or a wait as a value: equal if written the same way."""

    @abstractmethod
    def written(self) -> str:
        """Return it as it is written in Python."""

    @abstractmethod
    def words(self) -> str:
        """Return it in words."""

    @abstractmethod
    def data(self) -> Any:
        """Return it as plain data.

        :raises TypeError: if it contains a Python function.
        """

    @abstractmethod
    def check(self, where: str) -> None:
        """Refuse invalid arguments.

        :raises TypeError: if one has the wrong type; the message names the place, the argument and what it takes.
        :raises ValueError: if a number is not allowed; the message is of the same form.
        """


@dataclass(frozen=True)
class Single(Form):
    """One of tenacity's own strategies, with the arguments that differ from the defaults."""

    strategy: Strategy = field(hash=False)
    given: tuple[tuple[str, Any], ...]

    def written(self) -> str:
        """Return the call."""
        if self.strategy.make is type(tenacity.stop_never):
            return "stop_never"
        return self.strategy.call.written(self.strategy.spelled(dict(self.given)))

    def words(self) -> str:
        """Return the phrase of the table."""
        return self.strategy.words({**self.strategy.defaults, **dict(self.given)})

    def data(self) -> Any:
        """Return the call."""
        return self.strategy.call.data(dict(self.given))

    def check(self, where: str) -> None:
        """Check each argument, and that min and max are in order."""
        self.strategy.call.check(dict(self.given), where)
        every = {**self.strategy.defaults, **dict(self.given)}
        if "min" in every and every["min"] > every["max"]:
            raise ValueError(f"{where}: {self.written()} has a min above its max, {every['max']:g}")


@dataclass(frozen=True)
class JoinedStrategy(Form):
    """Several strategies, joined by ``|``, ``&`` or ``+``, or chained one after the other."""

    join: Join
    parts: tuple[Form, ...]

    def written(self) -> str:
        """Join the parts by the operator, with brackets where Python needs them."""
        if not self.join.sign:
            return f"{self.join.word}({', '.join(part.written() for part in self.parts)})"
        return self.join.sign.join(self._bracketed(part, part.written()) for part in self.parts)

    def words(self) -> str:
        """Join the phrases of the parts."""
        return self.join.words.join(self._bracketed(part, part.words()) for part in self.parts)

    def data(self) -> Any:
        """Return the parts as a list."""
        return {self.join.word: [part.data() for part in self.parts]}

    def check(self, where: str) -> None:
        """Check the parts."""
        if not self.parts:
            raise ValueError(f"{where}: {self.join.make.__name__}() needs at least one part")
        for part in self.parts:
            part.check(where)

    def _bracketed(self, part: Form, text: str) -> str:
        joins = isinstance(part, JoinedStrategy) and len(part.parts) > 1 and bool(part.join.sign)
        return f"({text})" if joins and self.join.sign else text


@dataclass(frozen=True)
class CustomStrategy(Form):
    """A user's function or strategy, which can only be called and named."""

    function: Any

    def written(self) -> str:
        """Return its name."""
        return name_of(self.function)

    def words(self) -> str:
        """Return that its result counts."""
        return f"as {name_of(self.function)} decides"

    def data(self) -> Any:
        """Refuse: code is not data."""
        raise TypeError(f"{name_of(self.function)} is Python code, which cannot be written as data")

    def check(self, where: str) -> None:
        """Refuse a strategy that cannot apply to a dbt run."""
        if type(self.function).__name__ == "wait_exception":  # not in all versions of tenacity
            raise TypeError(f"{where}: wait_exception needs a Python exception; a failed dbt run has none")


def form(thing: Any) -> Form:
    """Return the form of a stop or a wait. Nested joins of a kind become one: ``(a | b) | c`` is ``a | b | c``."""
    if strategy := BY_CLASS.get(type(thing)):
        return Single(strategy, tuple(_given(strategy, thing)))
    if join := JOIN_BY_CLASS.get(type(thing)):
        parts: list[Form] = []
        for part in map(form, getattr(thing, join.kept)):
            parts += part.parts if isinstance(part, JoinedStrategy) and part.join is join and join.sign else [part]
        return JoinedStrategy(join, tuple(parts))
    return CustomStrategy(thing)


def _given(strategy: Strategy, thing: object) -> Iterator[tuple[str, Any]]:
    defaults = strategy.defaults
    for name, value in strategy.arguments(thing).items():
        if value != defaults[name] or name in strategy.call.positional:
            whole = isinstance(value, float) and value.is_integer()
            yield name, int(value) if whole else value


def describe(thing: object) -> str:
    """Return a condition, a stop or a wait as it is written, which is the same in every process."""
    return form(thing).written()


@dataclass(frozen=True)
class Kind:
    """What distinguishes stops from waits.

    :param example: returns how one is written, for error messages.
    """

    name: str
    base: type
    strategies: Sequence[Strategy]
    joins: Sequence[Join]
    example: Callable[[object], str]

    @property
    def known(self) -> tuple[str, ...]:
        """The names that data may use."""
        return tuple([s.call.name for s in self.strategies] + [join.word for join in self.joins])


def _seconds(given: object, otherwise: int) -> str:
    seconds = given.total_seconds() if isinstance(given, timedelta) else given
    fits = isinstance(seconds, (int, float)) and not isinstance(seconds, bool) and 0 < seconds < float("inf")
    return f"{seconds:g}" if fits else str(otherwise)


def _stop_example(given: object) -> str:
    if isinstance(given, timedelta):
        return f"stop_after_delay({_seconds(given, 7200)})"
    return f"stop_after_attempt({_seconds(given, 3)})"


STOP = Kind("stop", stop_base, STOPS, STOP_JOINS, _stop_example)
WAIT = Kind("wait", wait_base, WAITS, WAIT_JOINS, lambda given: f"wait_fixed({_seconds(given, 60)})")


def check_strategy(where: str, kind: Kind, value: object) -> None:
    """Refuse a value that is not a stop or, respectively, not a wait.

    :raises TypeError: if it is not; the message names the place and how one is written.
    :raises ValueError: if a number is not allowed.
    """
    takes = f"{where} takes a tenacity {kind.name} such as {kind.example(value)}"
    other = STOP if kind is WAIT else WAIT
    if isinstance(value, type):
        example = _called(value) if value in BY_CLASS else f"{value.__name__}(...)"
        raise TypeError(f"{where} takes an object, not the class {value.__name__}: write {example}")
    if isinstance(value, other.base):
        raise TypeError(f"{takes}; {describe(value)} is a {other.name}")
    if not callable(value):
        raise TypeError(f"{takes}, not {shown(value)}")
    check_function(takes, value, "the RerunState")
    form(value).check(where)


def _called(cls: type) -> str:
    examples: dict[type, str] = {tenacity.stop_after_attempt: "3", tenacity.stop_after_delay: "7200"}
    needs = BY_CLASS[cls].call.needs
    return f"{BY_CLASS[cls].call.name}({examples.get(cls, '60') if needs else ''})"


def strategy_from_data(data: object, kind: Kind, where: str) -> Any:
    """Build a stop or a wait from plain data: ``{any: [{stop_after_attempt: 5}, {stop_after_delay: 7200}]}``.

    :raises TypeError: if something has the wrong type; the message names the place and what it takes.
    :raises ValueError: if a name or value is not allowed; the message is of the same form.
    """
    by_name = {strategy.call.name: strategy for strategy in kind.strategies}
    if isinstance(data, str) and data in by_name and not by_name[data].call.takes:
        return by_name[data].build({})
    if not isinstance(data, Mapping) or len(data) != 1:
        example = kind.example(data).replace("(", ": ").replace(")", "")
        raise TypeError(f"{where} takes one {kind.name} such as {{{example}}}, not {shown(data)}")
    ((given, value),) = data.items()
    name = ALIASES.get(given, given)
    for join in kind.joins:
        if name == join.word:
            return join.make(*_parts(value, kind, f"{where}.{given}"))
    if name not in by_name:
        raise ValueError(f"{where}: {unknown(kind.name, given, kind.known)}")
    if not by_name[name].call.takes:
        raise TypeError(f"{where}: write {name} alone, it takes no arguments")
    made = by_name[name].build(by_name[name].call.read(value, f"{where}.{given}"), where)
    form(made).check(where)
    return made


def _parts(data: object, kind: Kind, where: str) -> list[Any]:
    if not isinstance(data, list) or not data:
        raise TypeError(f"{where} takes a list of {kind.name}s, not {shown(data)}")
    return [strategy_from_data(each, kind, f"{where}[{place}]") for place, each in enumerate(data)]


def longest(stop: object) -> float | None:
    """Return the seconds after which a stop says stop at the latest; None if it may never do so by time alone."""
    if isinstance(stop, tenacity.stop_after_delay):
        return float(stop.max_delay)
    if isinstance(stop, tenacity.stop_any | tenacity.stop_all):
        limits = [longest(each) for each in stop.stops]
        known = [limit for limit in limits if limit is not None]
        if isinstance(stop, tenacity.stop_any):
            return min(known, default=None)
        return max(known) if known and len(known) == len(limits) else None
    return None
