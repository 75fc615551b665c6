"""What a task asks dbt for: its arguments and ``additional_run_config`` as one trigger request (P13).

dbt's own document (``TriggerRunRequest``) is the list of fields: each is sent, or refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.core.messages import shown, unknown
from airflow_dbt_rerun.core.policy.overrides import TAKES, plain
from airflow_dbt_rerun.exceptions import DbtConfigError
from airflow_dbt_rerun.operators.arguments import is_template

CAUSE = "cause"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The fields of a trigger request, without those that were not given."""

    overrides: Mapping[str, Any]
    cause: str | None = None
    """What the author adds to the cause."""


def run_request(
    steps_override: Sequence[str] | str | None,
    schema_override: str | None,
    additional_run_config: Mapping[str, Any] | None,
) -> RunRequest:
    """Join a task's overrides into one request. An argument that is None changes nothing.

    Values that are still templates are taken as they are: they are checked when they are rendered.

    :raises DbtConfigError: if a field is unknown, has a wrong value, or is given twice with different values.
    """
    arguments = {"steps_override": steps_override, "schema_override": schema_override}
    given = {name: value for name, value in arguments.items() if value is not None}
    more = _fields(additional_run_config)
    cause = more.pop(CAUSE, None)
    for name in given.keys() & more.keys():
        pair = given[name], more[name]
        if not any(map(_has_template, pair)) and _checked(name, name, pair[0]) != _checked(name, name, pair[1]):
            raise DbtConfigError(
                f"{name}={given[name]!r} contradicts additional_run_config[{name!r}]={more[name]!r}: give one"
            )
    checked = {name: _checked(f"additional_run_config[{name!r}]", name, value) for name, value in more.items()}
    checked |= {name: _checked(name, name, value) for name, value in given.items()}
    return RunRequest(plain(checked), cause)


def _fields(given: object) -> dict[str, Any]:
    if given is None or is_template(given):
        return {}
    if not isinstance(given, Mapping):
        raise DbtConfigError(
            f"additional_run_config takes a mapping such as {{'threads_override': 8}}, not {shown(given)}"
        )
    for name in given:
        if name not in TAKES and name != CAUSE:
            raise DbtConfigError(f"additional_run_config: {unknown('field', name, [CAUSE, *TAKES])}")
    cause = given.get(CAUSE)
    if cause is not None and not isinstance(cause, str):
        raise DbtConfigError(f"additional_run_config['cause'] takes a text, not {shown(cause)}")
    return {name: value for name, value in given.items() if value is not None}


def _checked(where: str, name: str, value: object) -> Any:
    if _has_template(value):
        return value
    try:
        return TAKES[name].check(where, value)
    except (TypeError, ValueError) as error:
        raise DbtConfigError(str(error)) from error


def _has_template(value: object) -> bool:
    parts = value if isinstance(value, (list, tuple)) else (value,)
    return any(map(is_template, parts))
