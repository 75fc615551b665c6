"""Check the arguments that all tasks share, when the DAG is parsed or a template has been rendered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from airflow_dbt_rerun.api.endpoints import number
from airflow_dbt_rerun.config.documents import as_policy
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature, own
from airflow_dbt_rerun.exceptions import DbtConfigError

T = TypeVar("T")


def is_template(value: object) -> bool:
    """Return whether an argument is a template that Airflow has yet to render."""
    return isinstance(value, str) and "{{" in value


def check_ids(task: object, *parameters: str) -> None:
    """Check that ids are whole numbers.

    :raises DbtConfigError: naming the parameter.
    """
    for parameter in parameters:
        value = getattr(task, parameter)
        if isinstance(value, (int, str)) and not is_template(value):
            number(parameter, value)


def rendered_id(name: str, value: object) -> int:
    """Return an id after its template was rendered.

    :raises DbtConfigError: naming the parameter, if it rendered to nothing or is no number.
    """
    if value is None or str(value).strip() in ("", "None"):
        raise DbtConfigError(
            f"{name} is {value!r} after rendering: check its template, and that the task it reads from pushed an id"
        )
    return number(name, str(value))


def check_seconds(task: object, *parameters: str) -> None:
    """Check that durations are numbers above zero.

    :raises DbtConfigError: naming the parameter.
    """
    for parameter in parameters:
        value = getattr(task, parameter)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
            raise DbtConfigError(f"{parameter} takes a number of seconds above zero, not {value!r}")


def check_quickest(quickest: float | None, check_interval: float) -> None:
    """Check ``quickest_check_interval`` against ``check_interval``.

    :raises DbtConfigError: if it is not above zero, or greater than ``check_interval``.
    """
    if quickest is not None and not 0 < quickest <= check_interval:
        raise DbtConfigError(
            "quickest_check_interval takes a number of seconds above zero and at most check_interval, "
            f"not {quickest!r}"
        )


def read_policy_argument(value: RerunPolicy | Mapping[str, Any] | str | None) -> RerunPolicy | None:
    """Read a policy in any form that a DAG author may pass.

    :raises DbtConfigError: naming the field that is wrong.
    """
    return _checked(lambda: as_policy(value, "policy"))


def checked_signatures(value: object) -> tuple[Signature, ...]:
    """Check the signatures that a DAG author passes.

    :raises DbtConfigError: naming the entry that is wrong.
    """
    return _checked(lambda: own.check(value, "signatures"))


def checked_callbacks(value: object) -> tuple[Callable[[Any], Any], ...]:
    """Return ``on_rerun`` as a tuple, whether it is None, a function, a notifier, or several of them.

    :raises DbtConfigError: if one of them is not callable.
    """
    callbacks = () if value is None else tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for each in callbacks:
        if not callable(each):
            raise DbtConfigError(f"on_rerun takes functions or notifiers, not {each!r}")
    return callbacks


def _checked(read: Callable[[], T]) -> T:
    try:
        return read()
    except (TypeError, ValueError) as error:
        raise DbtConfigError(str(error)) from error
