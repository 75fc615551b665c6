"""What a task asks dbt for: its arguments and ``additional_run_config`` as one trigger request (P13).

dbt's own document (``TriggerRunRequest``) is the list of fields: each is sent, or refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.core.policy.overrides import TAKES, plain
from airflow_dbt_rerun.exceptions import DbtConfigError
from airflow_dbt_rerun.operators.arguments import is_known
from airflow_dbt_rerun.operators.takes import CAUSE


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The fields of a trigger request, without those that were not given."""

    overrides: Mapping[str, Any]
    cause: str | None = None
    """What the author adds to the cause."""


def run_request(
    steps_override: Sequence[str] | str | None,
    schema_override: str | None,
    additional_run_config: Mapping[str, Any] | str | None,
) -> RunRequest:
    """Join a task's overrides, whose values have been checked, into one request.

    An argument that is None changes nothing. Templates are left out: they are joined when they are rendered.

    :raises DbtConfigError: if a field is given twice with different values.
    """
    given = _known({"steps_override": steps_override, "schema_override": schema_override})
    more = _known(additional_run_config if isinstance(additional_run_config, Mapping) else {})
    cause = more.pop(CAUSE, None)
    for name in given.keys() & more.keys():
        if _normal(name, given[name]) != _normal(name, more[name]):
            raise DbtConfigError(
                f"{name}={given[name]!r} contradicts additional_run_config[{name!r}]={more[name]!r}: give one"
            )
    return RunRequest(plain({name: _normal(name, value) for name, value in (more | given).items()}), cause)


def _known(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if is_known(value)}


def _normal(name: str, value: object) -> Any:
    """Return a value in normalised form: a list and a tuple of the same commands are equal."""
    return TAKES[name].check(name, value)
