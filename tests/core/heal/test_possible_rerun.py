"""From which command on a run has to be run again."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.dbt.models import RetryNotSupported
from airflow_dbt_rerun.core.heal.possible_rerun import (
    NEEDS_NEW_COMMANDS,
    WHY_NOT_FROM_FAILURE,
    commands_from_failed_step,
)
from tests.core.builders import run, step, steps


def test_every_reason_of_the_platform_has_words() -> None:
    """Each of the platform's five reasons has a text for people."""
    assert set(WHY_NOT_FROM_FAILURE) == set(RetryNotSupported)
    assert set(NEEDS_NEW_COMMANDS) < set(RetryNotSupported)


@pytest.mark.parametrize(
    ("commands", "ran", "resumes", "expected"),
    [
        (("dbt a", "dbt b", "dbt c"), ("dbt a", "dbt b"), (), ("dbt b", "dbt c")),
        (("dbt a", "dbt b"), ("dbt a",), (), ("dbt a", "dbt b")),
        (("dbt run", "dbt test", "dbt run"), ("dbt run", "dbt test", "dbt run"), (), ("dbt run",)),
        (("dbt a", "dbt b", "dbt c"), ("dbt retry",), ("dbt b", "dbt c"), ("dbt b", "dbt c")),
        (("dbt a", "dbt b", "dbt c"), ("dbt retry", "dbt c"), ("dbt b", "dbt c"), ("dbt c",)),
        (("dbt of the job",), ("dbt b",), ("dbt b", "dbt c"), ("dbt b", "dbt c")),
        (("dbt of the job",), ("dbt b", "dbt c"), ("dbt b", "dbt c"), ("dbt c",)),
        (("dbt a", "dbt b"), ("dbt source freshness", "dbt a"), (), ("dbt a", "dbt b")),
    ],
)
def test_commands_from_failed_step(
    commands: tuple[str, ...], ran: tuple[str, ...], resumes: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """The last of the steps that ran is the one that failed; it and what follows must run (again)."""
    assert commands_from_failed_step(run(commands=commands, steps=steps(*ran)), resumes) == expected


def test_built_in_deps_step_runs_all_commands() -> None:
    """dbt deps is a dbt command, but not one of the job's."""
    seen = run(commands=("dbt a", "dbt b"), steps=(step(1, "Clone git repository"), step(3, "dbt deps", 20)))
    assert commands_from_failed_step(seen) == ("dbt a", "dbt b")
