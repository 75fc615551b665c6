"""What an argument may be: checked where it is written, and told to the JSON Schema from the same place.

``where`` is the place that an error names: ``node(tag=...)`` in Python, ``policy.rules[2].when.node.tag`` in data.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_dbt_rerun.core.messages import shown, unknown


class Value(ABC):
    """A kind of value."""

    @abstractmethod
    def check(self, where: str, value: object) -> Any:
        """Give the value as it is kept.

        :raises TypeError: if it is of another type; on one line that names the place and what is allowed.
        :raises ValueError: if it is of that type, but not allowed.
        """

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """Give the JSON Schema of the values that :meth:`check` takes."""


@dataclass(frozen=True)
class Text(Value):
    """A text that is not empty."""

    def check(self, where: str, value: object) -> str:
        """Give the text."""
        if not isinstance(value, str):
            raise TypeError(f"{where} takes a text, not {shown(value)}")
        if not value.strip():
            raise ValueError(f"{where} takes a text that is not empty")
        return value

    def schema(self) -> dict[str, Any]:
        """Describe the text."""
        return {"type": "string", "pattern": r"\S"}


@dataclass(frozen=True)
class Pattern(Value):
    """A regular expression."""

    def check(self, where: str, value: object) -> str:
        """Give the expression as it was written."""
        if not isinstance(value, str):
            raise TypeError(f"{where} takes one regular expression, not {shown(value)}")
        if not value:
            raise ValueError(f"{where}: an empty regular expression would match every message")
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"{where}: {value!r} is not a valid regular expression: {error}") from error
        return value

    def schema(self) -> dict[str, Any]:
        """Describe it as text: JSON Schema's own word for it means another dialect than Python's."""
        return {"type": "string", "minLength": 1, "description": "a regular expression of Python"}


@dataclass(frozen=True)
class Word(Value):
    """One of some words.

    :param what: what the words are, for messages: "category".
    :param words: those there are; an enum gives its members.
    :param refused: words that one might expect here, each with the reason why it is not allowed.
    """

    what: str
    words: Iterable[str]
    refused: Mapping[str, str] = field(default_factory=dict)

    def check(self, where: str, value: object) -> str:
        """Give the word, as a member if the words are an enum."""
        for word in self.words:
            if isinstance(value, str) and word == value:
                return word
        if isinstance(value, str) and value in self.refused:
            raise ValueError(f"{where}: {self.refused[value]}; choose one of {', '.join(self.words)}")
        raise ValueError(f"{where}: {unknown(self.what, value, self.words)}")

    def schema(self) -> dict[str, Any]:
        """List the words."""
        return {"enum": [str(word) for word in self.words]}


@dataclass(frozen=True)
class Flag(Value):
    """True or False."""

    def check(self, where: str, value: object) -> bool:
        """Give the flag."""
        if not isinstance(value, bool):
            raise TypeError(f"{where} takes True or False, not {shown(value)}")
        return value

    def schema(self) -> dict[str, Any]:
        """Describe the flag."""
        return {"type": "boolean"}


@dataclass(frozen=True)
class Number(Value):
    """A finite number.

    :param least: the smallest one allowed.
    :param whole: whether it has to be a whole one.
    :param unit: what is counted, for messages: "seconds".
    """

    least: float | None = None
    whole: bool = False
    unit: str = ""

    def check(self, where: str, value: object) -> float:
        """Give the number; as an int where it is whole, so that 60 and 60.0 are one value."""
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{where} takes {self}, not {shown(value)}")
        whole = isinstance(value, int) or (math.isfinite(value) and value == int(value))
        finite = isinstance(value, int) or math.isfinite(value)
        if not finite or (self.whole and not whole) or (self.least is not None and value < self.least):
            raise ValueError(f"{where} takes {self}, not {shown(value)}")
        return int(value) if whole else value

    def schema(self) -> dict[str, Any]:
        """Describe the number."""
        limits = {} if self.least is None else {"minimum": self.least}
        return {"type": "integer" if self.whole else "number", **limits}

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        of = f" of {self.unit}" if self.unit else ""
        return kind + of + ("" if self.least is None else f", at least {self.least:g}")


@dataclass(frozen=True)
class Several(Value):
    """One value or several; kept as a tuple. Sets are sorted: their own order differs between processes."""

    of: Value

    def check(self, where: str, value: object) -> tuple[Any, ...]:
        """Give the values."""
        if isinstance(value, (set, frozenset)):
            value = sorted(value, key=str)
        given = value if isinstance(value, (list, tuple)) else (value,)
        if not given:
            choice = f"{self.of.what}: {', '.join(self.of.words)}" if isinstance(self.of, Word) else "value"
            raise ValueError(f"{where} needs at least one {choice}")
        return tuple(self.of.check(where, each) for each in given)

    def schema(self) -> dict[str, Any]:
        """Allow the value alone or in a list."""
        return {"anyOf": [self.of.schema(), {"type": "array", "items": self.of.schema(), "minItems": 1}]}


@dataclass(frozen=True)
class Listed(Value):
    """A list of values, not empty; kept as a tuple."""

    of: Value

    def check(self, where: str, value: object) -> tuple[Any, ...]:
        """Give the values."""
        if not isinstance(value, (list, tuple)):
            raise TypeError(f"{where} takes a list, not {shown(value)}")
        if not value:
            raise ValueError(f"{where} takes a list that is not empty")
        return tuple(self.of.check(f"{where}[{place}]", each) for place, each in enumerate(value))

    def schema(self) -> dict[str, Any]:
        """Describe the list."""
        return {"type": "array", "items": self.of.schema(), "minItems": 1}


@dataclass(frozen=True)
class OrNone(Value):
    """A value, or None for none."""

    of: Value

    def check(self, where: str, value: object) -> Any:
        """Give the value or None."""
        return None if value is None else self.of.check(where, value)

    def schema(self) -> dict[str, Any]:
        """Allow null as well."""
        return {"anyOf": [self.of.schema(), {"type": "null"}]}
