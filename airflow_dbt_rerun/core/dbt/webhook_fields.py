"""Read the fields of a webhook's body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from airflow_dbt_rerun.core.dbt.fields import epoch

T = TypeVar("T")

_LONGEST_ID = 19
"""Digits of a 64-bit number."""


class Fields:
    """Read fields of a JSON object strictly. dbt writes ids as text, and "None" for a missing value.

    :raises ValueError: naming the field that is missing or has another type. The message quotes no content.
    """

    def __init__(self, content: Any, name: str) -> None:
        if not isinstance(content, Mapping):
            raise ValueError(f"{name} is not a JSON object")  # noqa: TRY004 - every wrong field is one error
        self._content = content

    def get(self, name: str) -> Any:
        """Return a field's value as it is; None if it is missing or empty."""
        value = self._content.get(name)
        return None if value in ("", "None") else value

    def text(self, name: str) -> str:
        """Return a text."""
        return _required(name, self.text_or_none(name))

    def text_or_none(self, name: str) -> str | None:
        """Return a text, or None if it is missing."""
        value = self.get(name)
        if not isinstance(value, str | None):
            raise ValueError(f"{name} is not text")  # noqa: TRY004 - as above
        return value

    def id(self, name: str) -> int:
        """Return an id, which begins at 1."""
        value = self.number(name)
        if not value:
            raise ValueError(f"{name} is not an id")
        return value

    def number(self, name: str) -> int:
        """Return a whole number."""
        return _required(name, self.number_or_none(name))

    def number_or_none(self, name: str) -> int | None:
        """Return a whole number, or None if it is missing."""
        value = self.get(name)
        if value is None:
            return None
        text = str(value)
        if isinstance(value, bool) or not (text.isascii() and text.isdigit()) or len(text) > _LONGEST_ID:
            raise ValueError(f"{name} is not an id or number")
        return int(text)

    def moment(self, name: str) -> str:
        """Return a timestamp, as dbt wrote it."""
        return _required(name, self.moment_or_none(name))

    def moment_or_none(self, name: str) -> str | None:
        """Return a timestamp, or None if it is missing."""
        value = self.text_or_none(name)
        if value is not None and epoch(value) is None:
            raise ValueError(f"{name} is not a timestamp")
        return value


def _required(name: str, value: T | None) -> T:
    if value is None:
        raise ValueError(f"{name} is missing")
    return value
