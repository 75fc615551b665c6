"""Check functions that users pass, before a heal calls them: conditions, stops, waits and callbacks."""

from __future__ import annotations

import inspect
from typing import Any

from airflow_dbt_rerun.core.policy.naming import name_of


def check_function(where: str, function: Any, argument: str) -> None:
    """Refuse a function that cannot be called with one argument, or that would not do its work when called.

    :param where: the beginning of the error: the place and what it takes.
    :param argument: what the function will be called with, for the error: ``the RerunState``.
    :raises TypeError: if the function is async, is a generator, or takes no argument or more than one.
    """
    if _is(function, inspect.iscoroutinefunction) or _is(function, inspect.isasyncgenfunction):
        raise TypeError(f"{where}; {name_of(function)} is async and would never be awaited")
    if _is(function, inspect.isgeneratorfunction):
        raise TypeError(f"{where}; {name_of(function)} is a generator and would never run: write return, not yield")
    if not _takes_one_argument(function):
        raise TypeError(
            f"{where}; {name_of(function)} cannot be called with one argument: give it one parameter, {argument}"
        )


def _is(function: Any, of_kind: Any) -> bool:
    """Return whether a function, or the ``__call__`` of an object, is of a kind."""
    return bool(of_kind(function) or of_kind(getattr(function, "__call__", None)))  # noqa: B004 - not a test


def _takes_one_argument(function: Any) -> bool:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some functions written in C have none
        return True
    try:
        signature.bind(None)
    except TypeError:
        return False
    return True
