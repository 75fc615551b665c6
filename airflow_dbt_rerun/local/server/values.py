"""The values that fields of a request body take. A check returns what is wrong, or None."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_dbt_rerun.core.plain_data import check_limits
from airflow_dbt_rerun.local.dbt.commands import dbt_arguments
from airflow_dbt_rerun.local.runs.records import JOB_TYPES
from airflow_dbt_rerun.local.runs.store import ACTIVE, DELETED

Check = Callable[[Any], str | None]

LARGEST_ID = 2**63 - 1
LARGEST_NUMBER = 2**31 - 1
"""The largest number of seconds or threads: dbt's document calls them integers, which clients read as 32 bits."""

CAUSE_MAX_LENGTH = 255
"""Characters of a cause; longer ones are refused."""


def typed(*types: type) -> Check:
    """Return a check of the type; a boolean does not count as an integer."""

    def check(value: Any) -> str | None:
        is_valid = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        return None if is_valid else f"must be of type {types[0].__name__}"

    return check


def whole_number(least: int, most: int = LARGEST_NUMBER) -> Check:
    """Return a check of a whole number within limits, both included."""

    def check(value: Any) -> str | None:
        is_valid = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return None if is_valid else f"must be a whole number from {least} to {most}"

    return check


def mapping(fields: Mapping[str, Check]) -> Check:
    """Return a check of an object: of these fields, as far as they are given. Nulls and others are accepted."""

    def check(value: Any) -> str | None:
        if not isinstance(value, dict):
            return "must be of type dict"
        problems = ((name, fields[name](value[name])) for name in fields if value.get(name) is not None)
        return next((f"{name}: {problem}" for name, problem in problems if problem), None)

    return check


an_id = whole_number(1, LARGEST_ID)


def a_cause(value: Any) -> str | None:
    """Check the cause of a run."""
    if not isinstance(value, str) or not value:
        return "This field is required."
    too_long = len(value) > CAUSE_MAX_LENGTH
    return f"Ensure this field has no more than {CAUSE_MAX_LENGTH} characters." if too_long else None


def a_job_type(value: Any) -> str | None:
    """Check a job's type."""
    return None if value in JOB_TYPES else f"{value!r} is not one of {', '.join(JOB_TYPES)}"


def a_state(value: Any) -> str | None:
    """Check a job's state."""
    is_valid = value in (ACTIVE, DELETED) and not isinstance(value, bool)
    return None if is_valid else f"must be {ACTIVE} (active) or {DELETED} (deleted)"


def commands(value: Any) -> str | None:
    """Check a list of dbt commands."""
    if not isinstance(value, list) or not all(isinstance(command, str) for command in value):
        return "must be a list of dbt commands"
    try:
        for command in value:
            dbt_arguments(command)
    except ValueError as error:
        return str(error)
    return None


def unusable(body: Any) -> str | None:
    """Return what no field may contain, with its place: a NUL, half a surrogate pair, a number that is not finite.

    SQLite cannot store the first two as text, an environment variable of dbt cannot hold a NUL, and JSON has no
    such number.
    """
    try:
        check_limits(body, "the request body")
    except ValueError as error:
        return str(error)
    for place, value in _scalars(body):
        if isinstance(value, str) and ("\0" in value or not _is_unicode(value)):
            return f"{_printable(place)}: must not contain NUL or a lone surrogate"
        if isinstance(value, float) and not math.isfinite(value):
            return f"{_printable(place)}: must be a finite number"
    return None


def _scalars(body: Any) -> Iterator[tuple[str, Any]]:
    """Yield each key and each value that is not a list or an object, with the name of the field it belongs to."""
    waiting = [("the request body", body)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, dict):
            yield from ((str(name), name) for name in value)
            waiting += value.items()
        elif isinstance(value, list):
            waiting += [(place, each) for each in value]
        else:
            yield place, value


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)
