"""Check the arguments that people give to tasks, triggers and the hook: at parse, and after rendering.

Each public class has a table of what its arguments take. ``docs/arguments.md`` shows these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_dbt_rerun.config.argument_kinds import Fields, Id, TaskValue
from airflow_dbt_rerun.config.templates import has_template
from airflow_dbt_rerun.core.policy.arguments import OrNone, Value
from airflow_dbt_rerun.exceptions import DbtConfigError

Takes = Mapping[str, Value]
"""What each argument of a class takes, by its name."""


def checked(name: str, kind: Value, value: object) -> Any:
    """Check an argument that Airflow does not render, and return it in normalised form.

    :raises DbtConfigError: naming the argument and what it takes.
    """
    try:
        return kind.check(name, value)
    except (TypeError, ValueError) as error:
        unrendered = ": Airflow does not render a template here, so give the value" if has_template(value) else ""
        raise DbtConfigError(f"{error}{unrendered}") from error


def checked_template(name: str, kind: Value, value: object) -> Any:
    """Check an argument that Airflow renders, as far as it is known when the DAG is parsed.

    :return: the argument in normalised form, or unchanged if it contains a template.
    :raises DbtConfigError: naming the argument and what it takes.
    """
    if isinstance(value, str) and value.strip() == "None":
        raise DbtConfigError(f"{name} is the text 'None': write None without quotes, or leave the argument out")
    if not has_template(value):
        return checked(name, kind, value)
    if isinstance(_of(kind), Fields) and isinstance(value, Mapping):
        checked(name, kind, {key: each for key, each in value.items() if not has_template(each)})
    return value


def rendered(name: str, kind: Value, value: object) -> Any:
    """Check an argument after its templates were rendered, and return it in normalised form.

    Airflow renders templates to text, unless the DAG renders native objects: text then stands for what it says.

    :raises DbtConfigError: naming the argument, and what it takes or why it has no value.
    """
    return checked(name, kind, _read(name, kind, value))


def _read(where: str, kind: Value, value: object) -> object:
    if _is_nothing(value):
        raise DbtConfigError(f"{where} is {value!r} after rendering: check its template, {_fix(kind)}")
    read = kind.from_text(value) if isinstance(value, str) else value
    if isinstance(value, str) and read is None:
        raise DbtConfigError(f"{where} is {value!r} after rendering, which says nothing: {_fix(kind)}")
    fields = _of(kind)
    if not isinstance(fields, Fields) or not isinstance(read, Mapping):
        return read
    if isinstance(value, str) and (empty := next((n for n, each in read.items() if each is None), None)):
        raise DbtConfigError(f"{where}[{empty!r}] is null after rendering: check its template, or leave it out")
    return {n: _read(f"{where}[{n!r}]", fields.takes.get(n, _ANY), each) for n, each in read.items()}


def _is_nothing(value: object) -> bool:
    """Return whether a value is what Jinja makes of an undefined or missing one."""
    return isinstance(value, str) and value.strip() in ("", "None")


def _fix(kind: Value) -> str:
    if isinstance(_of(kind), Id):
        return "and that the task it reads from pushed an id"
    return "or leave the argument out"


def _of(kind: Value) -> Value:
    return kind.of if isinstance(kind, OrNone) else kind


class _Any(TaskValue):
    """Any value: the check of its name is still to come."""

    def check(self, where: str, value: object) -> object:  # noqa: ARG002 - any value is allowed
        """Return the value."""
        return value

    def __str__(self) -> str:
        return "any value"


_ANY = _Any()
