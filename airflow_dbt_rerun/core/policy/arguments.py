"""The kinds of values that arguments take: each defines its check, its words and its JSON Schema.

``where`` is the place that an error names: ``node(tag=...)`` in Python, ``policy.rules[2].when.node.tag`` in data.
"""

from __future__ import annotations

import ast
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_dbt_rerun.core.messages import shown, unknown
from airflow_dbt_rerun.core.regexes import check_pattern


class Value(ABC):
    """A kind of value."""

    @abstractmethod
    def check(self, where: str, value: object) -> Any:
        """Check the value and return it in normalised form.

        :raises TypeError: if it has the wrong type; the message is one line with the place and what it takes.
        :raises ValueError: if it has the right type but is not allowed.
        """

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the values that :meth:`check` takes."""

    @abstractmethod
    def __str__(self) -> str:
        """Return what it takes in words."""

    def from_text(self, text: str) -> object:
        """Return what a text stands for that a template was rendered to; :meth:`check` is still to come."""
        return text


@dataclass(frozen=True)
class Text(Value):
    """A non-empty text."""

    def check(self, where: str, value: object) -> str:
        """Return the text."""
        if not isinstance(value, str):
            raise TypeError(f"{where} takes a text, not {shown(value)}")
        if not value.strip():
            raise ValueError(f"{where} takes a text that is not empty")
        return value

    def schema(self) -> dict[str, Any]:
        """Return the schema of a text."""
        return {"type": "string", "pattern": r"\S"}

    def __str__(self) -> str:
        return "a text"


@dataclass(frozen=True)
class Pattern(Value):
    """A regular expression."""

    def check(self, where: str, value: object) -> str:
        """Return the expression unchanged."""
        if not isinstance(value, str):
            raise TypeError(f"{where} takes one regular expression, not {shown(value)}")
        if not value:
            raise ValueError(f"{where}: an empty regular expression would match every message")
        try:
            check_pattern(value)
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
        return value

    def schema(self) -> dict[str, Any]:
        """Return the schema of a text: JSON Schema's ``regex`` format is another dialect than Python's."""
        return {"type": "string", "minLength": 1, "description": "a regular expression of Python"}

    def __str__(self) -> str:
        return "a regular expression"


@dataclass(frozen=True)
class Word(Value):
    """One of a set of words.

    :param what: what the words are, for messages: "category".
    :param words: the allowed words; an enum stands for its members.
    :param refused: words that a user might expect here, each with the reason why it is not allowed.
    """

    what: str
    words: Iterable[str]
    refused: Mapping[str, str] = field(default_factory=dict)

    def check(self, where: str, value: object) -> str:
        """Return the word; an enum's word as its member."""
        for word in self.words:
            if isinstance(value, str) and word == value:
                return word
        if isinstance(value, str) and value in self.refused:
            raise ValueError(f"{where}: {self.refused[value]}; choose one of {', '.join(self.words)}")
        raise ValueError(f"{where}: {unknown(self.what, value, self.words)}")

    def schema(self) -> dict[str, Any]:
        """Return the schema of the words."""
        return {"enum": [str(word) for word in self.words]}

    def __str__(self) -> str:
        return f"one of {', '.join(self.words)}"


@dataclass(frozen=True)
class Flag(Value):
    """True or False."""

    def check(self, where: str, value: object) -> bool:
        """Return the flag."""
        if not isinstance(value, bool):
            raise TypeError(f"{where} takes True or False, not {shown(value)}")
        return value

    def schema(self) -> dict[str, Any]:
        """Return the schema of a flag."""
        return {"type": "boolean"}

    def from_text(self, text: str) -> object:
        """Read ``True`` and ``False``, in any case."""
        return {"true": True, "false": False}.get(text.strip().lower(), text)

    def __str__(self) -> str:
        return "True or False"


@dataclass(frozen=True)
class Number(Value):
    """A finite number.

    :param least: the smallest number allowed.
    :param whole: whether it has to be a whole number.
    :param unit: the unit, for messages: "seconds".
    :param positive: whether it has to be above zero.
    """

    least: float | None = None
    whole: bool = False
    unit: str = ""
    positive: bool = False

    def check(self, where: str, value: object) -> float:
        """Return the number, as an int if it is whole, so that 60 and 60.0 are the same value."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{where} takes {self}, not {shown(value)}{_in_seconds(value)}")
        finite = _is_finite(value)
        whole = finite and value == int(value)
        if not finite or (self.whole and not whole) or self._is_too_small(value):
            raise ValueError(f"{where} takes {self}, not {shown(value)}")
        return int(value) if whole else value

    def _is_too_small(self, value: float) -> bool:
        return (self.least is not None and value < self.least) or (self.positive and value <= 0)

    def from_text(self, text: str) -> object:
        """Read a number."""
        return literal(text)

    def schema(self) -> dict[str, Any]:
        """Return the schema of a number."""
        limits = {} if self.least is None else {"minimum": self.least}
        if self.positive:
            limits["exclusiveMinimum"] = 0
        return {"type": "integer" if self.whole else "number", **limits}

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        of = f" of {self.unit}" if self.unit else ""
        least = "" if self.least is None else f", at least {self.least:g}"
        return kind + of + (" above zero" if self.positive else least)


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False


@dataclass(frozen=True)
class Several(Value):
    """One value or several; stored as a tuple. Sets are sorted, since their order differs between processes."""

    of: Value

    def check(self, where: str, value: object) -> tuple[Any, ...]:
        """Return the values."""
        if isinstance(value, (set, frozenset)):
            value = sorted(value, key=str)
        given = value if isinstance(value, (list, tuple)) else (value,)
        if not given:
            choice = f"{self.of.what}: {', '.join(self.of.words)}" if isinstance(self.of, Word) else "value"
            raise ValueError(f"{where} needs at least one {choice}")
        return tuple(self.of.check(where, each) for each in given)

    def schema(self) -> dict[str, Any]:
        """Return the schema of a value alone or in a list."""
        return {"anyOf": [self.of.schema(), {"type": "array", "items": self.of.schema(), "minItems": 1}]}

    def __str__(self) -> str:
        return f"{self.of}, or a list of them"


@dataclass(frozen=True)
class Listed(Value):
    """A non-empty list of values; stored as a tuple."""

    of: Value

    def check(self, where: str, value: object) -> tuple[Any, ...]:
        """Return the values."""
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{where} takes a list, not {shown(value)}: write [{shown(value)}]")
        if not value:
            raise ValueError(f"{where} takes a list that is not empty")
        return tuple(self.of.check(f"{where}[{place}]", each) for place, each in enumerate(value))

    def schema(self) -> dict[str, Any]:
        """Return the schema of a list."""
        return {"type": "array", "items": self.of.schema(), "minItems": 1}

    def from_text(self, text: str) -> object:
        """Read a list, in JSON or as Python shows it."""
        return literal(text)

    def __str__(self) -> str:
        return f"a list of {str(self.of).removeprefix('a ')}s"


@dataclass(frozen=True)
class OrNone(Value):
    """A value or None."""

    of: Value

    def check(self, where: str, value: object) -> Any:
        """Return the value or None."""
        return None if value is None else self.of.check(where, value)

    def schema(self) -> dict[str, Any]:
        """Return the schema of a value or null."""
        return {"anyOf": [self.of.schema(), {"type": "null"}]}

    def from_text(self, text: str) -> object:
        """Read what the value reads."""
        return self.of.from_text(text)

    def __str__(self) -> str:
        return str(self.of)


def literal(text: str) -> object:
    """Return the value of a JSON or Python literal; a text that is neither stays as it is."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text.strip())
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text


def _in_seconds(value: object) -> str:
    return f": write {value.total_seconds():g}" if isinstance(value, timedelta) else ""
