"""What dbt's commands do, by their words."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.dbt.commands import builds_nothing


@pytest.mark.parametrize(
    ("command", "nothing"),
    [
        ("dbt build", False),
        ("dbt run --select docs", False),
        ("dbt --target compile run", False),
        ("dbt retry", False),
        ("dbt source freshness", False),
        ("dbt run --empty", True),
        ("dbt run --sample=3d", True),
        ("dbt build --sample '3 days'", True),
        ("dbt compile", True),
        ("dbt --warn-error docs generate", True),
        ("dbt clone --target prod", True),
        ("dbt list", True),
    ],
)
def test_commands_that_build_nothing(command: str, *, nothing: bool) -> None:
    """dbt records a success for their nodes, which have no data of this command."""
    assert builds_nothing(command) is nothing
