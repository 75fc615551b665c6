"""What a run was defined to do is known while dbt says that the job is older than the run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from airflow_dbt_rerun.core.dbt.definition import Definition
from airflow_dbt_rerun.core.dbt.models import Run

COMMANDS = ("dbt seed", "dbt build")
RUN = Run(
    id=7,
    job_id=3,
    status=20,
    created_at="2026-11-30 02:00:00+00:00",
    commands=COMMANDS,
    job_commands=COMMANDS,
    job_target="prod",
    job_updated_at="2026-11-29 12:00:00+00:00",
)


def test_definition_is_known_while_the_job_is_older_than_the_run() -> None:
    """The job that is shown is then the one that started the run."""
    assert Definition.of(RUN) == Definition(COMMANDS, "prod")


@pytest.mark.parametrize(
    "unknown",
    [
        {"job_updated_at": "2026-11-30 02:00:01+00:00"},
        {"job_updated_at": None},
        {"created_at": None},
        {"commands": ()},
    ],
)
def test_definition_is_not_known(unknown: dict[str, Any]) -> None:
    """Where dbt does not tell, the job may have been edited."""
    assert Definition.of(replace(RUN, **unknown)) is None


@pytest.mark.parametrize(
    ("shown", "overrides", "edited"),
    [
        ({}, {}, None),
        ({"job_commands": ("dbt seed",)}, {}, "its commands were dbt seed; dbt build"),
        ({"job_commands": ("dbt seed",)}, {"steps_override": ["dbt run"]}, None),
        ({"job_target": "dev"}, {}, "its target was prod"),
        ({"job_target": "dev"}, {"target_name_override": "ci"}, None),
        ({"job_commands": (), "job_target": None}, {}, None),
    ],
)
def test_edit_is_named(shown: dict[str, Any], overrides: dict[str, Any], edited: str | None) -> None:
    """Overrides apply whatever the job says."""
    known = Definition.of(RUN)
    assert known is not None
    assert known.edited(replace(RUN, **shown), overrides) == edited


def test_definition_survives_json() -> None:
    """It is part of a deferred task's memory."""
    assert Definition.from_dict({"commands": list(COMMANDS), "target": None}) == Definition(COMMANDS)
