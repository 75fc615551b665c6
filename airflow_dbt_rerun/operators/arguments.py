"""Check the arguments of a task, when the DAG is parsed and again once its templates have been rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from airflow_dbt_rerun.config.arguments import Takes, checked, checked_template, rendered
from airflow_dbt_rerun.config.templates import has_template
from airflow_dbt_rerun.exceptions import DbtConfigError

READ_AT_PARSE = ("policy", "signatures")
"""Arguments that are stored in normalised form at once; the others stay as given until they are rendered."""


class CheckedArguments:
    """Check the arguments of a task by a table."""

    takes: ClassVar[Takes]
    stored_as: ClassVar[Mapping[str, str]] = {}
    """The attribute of an argument, where Airflow's own class has a method of the argument's name."""
    template_fields: Sequence[str]

    def _check_arguments(self) -> None:
        """Check the arguments when the DAG is parsed, as far as they are no templates.

        :raises DbtConfigError: naming the argument and what it takes.
        """
        for name, kind in self.takes.items():
            attribute = self.stored_as.get(name, name)
            check = checked_template if attribute in self.template_fields else checked
            value = check(name, kind, getattr(self, attribute))
            if name in READ_AT_PARSE:
                setattr(self, attribute, value)

    def _read_arguments(self) -> None:
        """Check the arguments after rendering, and store what they stand for. To be called before any request.

        :raises DbtConfigError: naming the argument and what it takes.
        """
        for name, kind in self.takes.items():
            attribute = self.stored_as.get(name, name)
            read = rendered if attribute in self.template_fields else checked
            setattr(self, attribute, read(name, kind, getattr(self, attribute)))


def is_known(value: object) -> bool:
    """Return whether a value is given and contains no template."""
    return value is not None and not has_template(value)


def check_quickest(quickest: float | None, check_interval: float) -> None:
    """Check ``quickest_check_interval`` against ``check_interval``.

    :raises DbtConfigError: if it is greater.
    """
    if quickest is not None and quickest > check_interval:
        takes = "quickest_check_interval takes a number of seconds above zero and at most check_interval"
        raise DbtConfigError(f"{takes}, not {quickest!r}")


def required_id(name: str, value: Any) -> int:
    """Return an id that has been rendered, and may have been rendered to None.

    :raises DbtConfigError: if it is None.
    """
    if value is None:
        raise DbtConfigError(
            f"{name} is None after rendering: check its template, and that the task it reads from pushed an id"
        )
    return int(value)
