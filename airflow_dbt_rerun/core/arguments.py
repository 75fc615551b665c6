"""Answer wrong arguments where they are written: by name, with what is allowed, on one line."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from enum import StrEnum
from typing import Any, TypeVar, cast

from airflow_dbt_rerun.core.conditions import describe

_T = TypeVar("_T")
_Member = TypeVar("_Member", bound=StrEnum)


def names_its_arguments(cls: type[_T]) -> type[_T]:
    """Let a misspelt argument be answered with the ones there are."""
    plain: Callable[..., None] = cls.__init__

    @functools.wraps(plain)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        known = [field.name for field in fields(cast("Any", cls))]
        unknown = sorted(set(kwargs) - set(known))
        if unknown:
            raise TypeError(f"{cls.__name__} has no argument {unknown[0]!r}; it takes {', '.join(known)}")
        plain(self, *args, **kwargs)

    setattr(cls, "__init__", init)  # noqa: B010 - a plain assignment is refused by type checkers
    return cls


def require_callable(owner: str, name: str, value: object, example: str) -> None:
    """Refuse a value that is neither None nor callable.

    :raises TypeError: naming the argument and what it takes.
    """
    if value is not None and not callable(value):
        raise TypeError(f"{owner}({name}=...) takes {example}, not {value!r}")


def member_of(owner: str, name: str, kind: type[_Member], value: str) -> _Member:
    """Turn a word into the member of an enum.

    :raises ValueError: naming the argument and the words there are.
    """
    try:
        return kind(value)
    except ValueError:
        raise ValueError(f"{owner}({name}={value!r}): choose one of {', '.join(kind)}") from None


def readable(thing: Any, *, skip_none: bool = False) -> str:
    """Show a dataclass as it would be written, the same in every process."""
    shown = [
        f"{field.name}={_show(getattr(thing, field.name))}"
        for field in fields(thing)
        if not (skip_none and getattr(thing, field.name) is None)
    ]
    return f"{type(thing).__name__}({', '.join(shown)})"


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(repr(rule) for rule in value) + "]"
    return f"'{value}'" if isinstance(value, StrEnum) else describe(value)
