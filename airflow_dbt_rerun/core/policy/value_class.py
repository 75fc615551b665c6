"""What rules and policies share: errors for misspelt arguments, a readable ``repr``, equality by code."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import fields
from enum import StrEnum
from typing import Any, TypeVar, cast

from airflow_dbt_rerun.core.messages import unknown
from airflow_dbt_rerun.core.policy.strategies import describe, form

_T = TypeVar("_T")


def names_its_arguments(cls: type[_T]) -> type[_T]:
    """Make the constructor refuse an unknown argument with a list of the known ones."""
    plain: Callable[..., None] = cls.__init__

    @functools.wraps(plain)
    def init(self: Any, *args: Any, **kwargs: Any) -> None:
        known = [field.name for field in fields(cast("Any", cls))]
        for name in kwargs:
            if name not in known:
                raise TypeError(f"{cls.__name__}(): {unknown('argument', name, known)}")
        plain(self, *args, **kwargs)

    setattr(cls, "__init__", init)  # noqa: B010 - a plain assignment is refused by type checkers
    return cls


class Written:
    """A dataclass whose ``repr`` is the code that makes it; two with the same code are equal.

    tenacity's stops and waits define no equality, so their forms are compared.
    """

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        values = [getattr(self, field.name) for field in fields(cast("Any", self))]
        return tuple(form(value) if callable(value) else value for value in values)

    def __repr__(self) -> str:
        given = [(field.name, getattr(self, field.name)) for field in fields(cast("Any", self))]
        return (
            f"{type(self).__name__}({', '.join(f'{name}={_show(v)}' for name, v in given if self._says(name, v))})"
        )

    def _says(self, name: str, value: object) -> bool:  # noqa: ARG002 - a hook for classes with optional fields
        return True


def _show(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f"'{each}'" if isinstance(each, StrEnum) else repr(each) for each in value) + "]"
    return f"'{value}'" if isinstance(value, StrEnum) else describe(value)
