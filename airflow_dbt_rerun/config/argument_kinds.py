"""The kinds of values that only arguments of tasks, triggers and the hook take, besides those of policies."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_dbt_rerun.config.airflow_features import can_ask
from airflow_dbt_rerun.config.documents import as_policy
from airflow_dbt_rerun.core.messages import not_among, shown, unknown
from airflow_dbt_rerun.core.policy.arguments import Number, Value, literal
from airflow_dbt_rerun.core.policy.functions import check_function
from airflow_dbt_rerun.core.policy.naming import name_of
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature, own

SECONDS = Number(unit="seconds", positive=True)

_MOST_DIGITS = 19
"""Of an id, which is a 64-bit number."""


class TaskValue(Value):
    """A kind of value that is not a part of any JSON Schema."""

    def schema(self) -> dict[str, Any]:
        """Return the schema of any value."""
        return {}


@dataclass(frozen=True)
class Id(TaskValue):
    """The id of an object of dbt, as a number or in digits."""

    def check(self, where: str, value: object) -> int:
        """Return the id as a number."""
        text = str(value).strip() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
        if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text)):
            raise ValueError(
                f"{where} must be a number, not {shown(value)}: a whole number above zero, or its digits"
            )
        return int(text)

    def __str__(self) -> str:
        return "a dbt id, as a number or in digits"


@dataclass(frozen=True)
class Ids(TaskValue):
    """One id or several; stored sorted and without repeats, since Airflow merges triggers with equal arguments."""

    def check(self, where: str, value: object) -> list[int]:
        """Return the ids."""
        given = value if isinstance(value, (list, tuple, set, frozenset)) else [value]
        return sorted({Id().check(where, each) for each in given})

    def __str__(self) -> str:
        return "a dbt id, or a list of them"


@dataclass(frozen=True)
class Choice(TaskValue):
    """One of a set of words."""

    words: Iterable[str]

    def check(self, where: str, value: object) -> str:
        """Return the word."""
        if not isinstance(value, str) or value not in self.words:
            raise ValueError(not_among(where, value, self.words))
        return value

    def __str__(self) -> str:
        return " or ".join(f"`{word}`" for word in self.words)


@dataclass(frozen=True)
class Choices(TaskValue):
    """One or several of a set of words.

    :param may_be_empty: whether an empty list is allowed.
    """

    words: Iterable[str]
    may_be_empty: bool = False

    def check(self, where: str, value: object) -> tuple[str, ...]:
        """Return the words."""
        given = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        given = given if isinstance(given, (list, tuple)) else (given,)
        if not (given or self.may_be_empty) or not all(self._has(each) for each in given):
            raise ValueError(not_among(where, value, self.words, be="be among"))
        return tuple(given)

    def _has(self, word: object) -> bool:
        return isinstance(word, str) and word in self.words

    def from_text(self, text: str) -> object:
        """Read a list, in JSON or as Python shows it; any other text is a word."""
        return literal(text) if text.lstrip().startswith(("[", "(", "{")) else text

    def __str__(self) -> str:
        return f"one or several of {', '.join(f'`{word}`' for word in self.words)}"


@dataclass(frozen=True)
class Numbers(TaskValue):
    """One or several of a set of whole numbers."""

    numbers: Collection[int]

    def check(self, where: str, value: object) -> tuple[int, ...]:
        """Return the numbers."""
        given = value if isinstance(value, (list, tuple, set, frozenset)) else (value,)
        if not given or not all(map(self._has, given)):
            raise ValueError(f"{where} takes {self}, not {shown(value)}")
        return tuple(sorted(int(each) for each in given))

    def _has(self, number: object) -> bool:
        return isinstance(number, int) and not isinstance(number, bool) and number in self.numbers

    def __str__(self) -> str:
        return f"one or several of {', '.join(map(str, sorted(self.numbers)))}"


@dataclass(frozen=True)
class Duration(TaskValue):
    """Seconds above zero, as a number or a ``timedelta``."""

    def check(self, where: str, value: object) -> float:
        """Return the seconds."""
        return SECONDS.check(where, value.total_seconds() if isinstance(value, timedelta) else value)

    def __str__(self) -> str:
        return f"{SECONDS}, or a timedelta"


@dataclass(frozen=True)
class Moment(TaskValue):
    """A point in time."""

    def check(self, where: str, value: object) -> datetime:
        """Return the moment; in UTC if it has no time zone."""
        try:
            moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else value
        except ValueError:
            moment = None
        if not isinstance(moment, datetime):
            raise TypeError(f"{where} must be a datetime or ISO 8601 text, not {shown(value)}")
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def __str__(self) -> str:
        return "a datetime, or ISO 8601 text"


@dataclass(frozen=True)
class Policy(TaskValue):
    """A policy in any form that a DAG author may pass."""

    def check(self, where: str, value: object) -> RerunPolicy | None:
        """Return the policy."""
        policy = as_policy(value, where)
        if policy is not None and policy.asks and not can_ask():
            raise ValueError(f"{where} has a rule that asks a person, which needs Airflow 3.1 or newer")
        return policy

    def __str__(self) -> str:
        return "a RerunPolicy, a mapping, or YAML or JSON text"


@dataclass(frozen=True)
class Signatures(TaskValue):
    """A user's own signatures."""

    def check(self, where: str, value: object) -> tuple[Signature, ...]:
        """Return the signatures."""
        return own.check(value, where)

    def __str__(self) -> str:
        return "a list of Signature, or of mappings"


@dataclass(frozen=True)
class Callbacks(TaskValue):
    """Functions, or Airflow's notifiers: one or a list."""

    def check(self, where: str, value: object) -> tuple[Callable[[Any], Any], ...]:
        """Return the functions."""
        takes = f"{where} takes functions or notifiers"
        callbacks = tuple(value) if isinstance(value, (list, tuple)) else (value,)
        for each in callbacks:
            if not callable(each):
                raise TypeError(f"{takes}, not {shown(each)}")
            if isinstance(each, type):
                raise TypeError(f"{takes}, not the class {each.__name__}: write {each.__name__}(...)")
            check_function(takes, each, f"the context, as in def {_name(each)}(context)")
        return callbacks

    def __str__(self) -> str:
        return "a function of the context, a notifier, or a list of them"


@dataclass(frozen=True)
class Fields(TaskValue):
    """A mapping with known keys.

    :param what: what a key is, for messages: "field".
    :param example: a valid one, for messages.
    :param words: what it takes in words, if not a list of the keys.
    """

    what: str
    takes: Mapping[str, Value]
    example: Mapping[str, Any]
    words: str = ""

    def check(self, where: str, value: object) -> dict[str, Any]:
        """Return the fields, without those that are None."""
        if not isinstance(value, Mapping):
            raise TypeError(f"{where} takes a mapping such as {dict(self.example)}, not {shown(value)}")
        for name in value:
            if name not in self.takes:
                raise ValueError(f"{where}: {unknown(self.what, name, self.takes)}")
        given = {name: each for name, each in value.items() if each is not None}
        return {name: self.takes[name].check(f"{where}[{name!r}]", each) for name, each in given.items()}

    def from_text(self, text: str) -> object:
        """Read a mapping, in JSON or as Python shows it."""
        return literal(text)

    def __str__(self) -> str:
        keys = (f"`{name}`" for name, kind in self.takes.items() if not isinstance(kind, Replaced))
        return self.words or f"a mapping with the keys {', '.join(keys)}"


@dataclass(frozen=True)
class Replaced(TaskValue):
    """An argument of the official provider that has another one here: only what changes nothing is taken.

    :param allowed: the values that mean what this package does anyway.
    :param instead: what to write, for messages.
    """

    allowed: tuple[Any, ...]
    instead: str

    def check(self, where: str, value: object) -> Any:
        """Return the value."""
        if not any(value is each for each in self.allowed):
            raise ValueError(f"{where} is an argument of the official provider and takes only {self}")
        return value

    def __str__(self) -> str:
        return f"{' or '.join(map(str, self.allowed))}: {self.instead}"


@dataclass(frozen=True)
class Data(TaskValue):
    """A mapping of plain JSON, which only this package writes."""

    def check(self, where: str, value: object) -> Mapping[str, Any]:
        """Return the mapping."""
        if not isinstance(value, Mapping):
            raise TypeError(f"{where} takes a mapping, not {shown(value)}")
        return value

    def __str__(self) -> str:
        return "a mapping that this package wrote"


def _name(function: object) -> str:
    name = name_of(function).rpartition(".")[2]
    return name if name.isidentifier() else "on_rerun"
