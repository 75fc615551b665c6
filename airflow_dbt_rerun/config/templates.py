"""Recognise what Airflow has yet to render when a DAG is parsed."""

from __future__ import annotations

from collections.abc import Mapping

_SIGNS = ("{{", "{%", "{#")


def is_template(value: object) -> bool:
    """Return whether Airflow has yet to render a value: a Jinja text, a task's output, a parameter of the DAG."""
    if isinstance(value, str):
        return any(sign in value for sign in _SIGNS)
    # XComArg, dag.param(...) and literal(...) share a base class, whose path differs between Airflow 2 and 3.
    return hasattr(value, "iter_references") and hasattr(value, "resolve")


def has_template(value: object) -> bool:
    """Return whether a value is a template, or contains one."""
    if isinstance(value, Mapping):
        return any(map(has_template, value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return any(map(has_template, value))
    return is_template(value)
