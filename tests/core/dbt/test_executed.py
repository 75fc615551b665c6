"""What a run executed, by its own steps, however the job is defined now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from airflow_dbt_rerun.core.dbt.executed import (
    did_not_finish,
    executed,
    is_of_another_definition,
    leaves_out,
    was_edited_since,
)
from airflow_dbt_rerun.core.dbt.models import Run, RunStep, RunTrigger

BUILTIN = ("Clone git repository", "Create profile from connection DuckDB", "Invoke dbt with `dbt deps`")


def ran(*commands: str, shown: Sequence[str], status: int = 20, category: str = "api") -> Run:
    """A run that executed these commands, shown with those of the job."""
    names = [*BUILTIN, *(f"Invoke dbt with `{command}`" for command in commands)]
    steps = tuple(RunStep(place, place, name, 10) for place, name in enumerate(names, start=1))
    trigger = RunTrigger("x", category, {})
    return Run(1, 7, status, steps=steps, commands=tuple(shown), trigger=trigger)


@pytest.mark.parametrize(
    ("done", "shown", "status", "edited"),
    [
        (["dbt seed", "dbt build"], ["dbt seed", "dbt build"], 10, False),
        (["dbt seed"], ["dbt seed", "dbt build"], 20, False),  # it failed there
        (["dbt seed"], ["dbt seed", "dbt build"], 10, True),
        (["dbt seed", "dbt build"], ["dbt seed"], 20, True),
        (["dbt build"], ["dbt build --exclude orders"], 20, True),
        (["dbt build --target prod"], ["dbt build"], 20, False),  # the platform may add options
        (["dbt source freshness", "dbt build", "dbt docs generate"], ["dbt build"], 10, False),
        (["dbt deps", "dbt build"], ["dbt deps", "dbt build"], 10, False),
        (["dbt build", "dbt seed"], ["dbt seed", "dbt build"], 20, True),
        ([], ["dbt build"], 20, False),  # a built-in step failed
        (["dbt build"], [], 20, False),
    ],
)
def test_edited_job_is_known_by_the_steps(done: list[str], shown: list[str], status: int, *, edited: bool) -> None:
    """Commands that were not executed, or others that were, cannot be those of the run."""
    assert is_of_another_definition(ran(*done, shown=shown, status=status)) is edited


def test_resumed_run_is_not_judged() -> None:
    """It executes a part of the commands."""
    assert not is_of_another_definition(ran("dbt retry", shown=["dbt seed", "dbt build"], category="rerun"))


def test_what_the_platform_adds_is_left_out() -> None:
    """The boxes of a job are no commands of it."""
    assert executed(ran("dbt source freshness", "dbt build", shown=[])) == ("dbt build",)


@pytest.mark.parametrize(
    ("begun", "done", "left"),
    [
        (["dbt seed", "dbt build"], ["dbt seed", "dbt build", "dbt test"], False),
        (["dbt seed", "dbt build"], ["dbt seed"], True),
        (["dbt build"], ["dbt build --exclude orders"], True),
        (["dbt build --select 'a'"], ["dbt build --select  a"], False),
        ([], ["dbt seed"], False),
        (["dbt seed"], [], False),
    ],
)
def test_whole_run_begins_as_the_one_that_failed(begun: list[str], done: list[str], *, left: bool) -> None:
    """Nothing is claimed where one of the two is not known."""
    assert leaves_out(begun, ran(*done, shown=done, status=10)) is left


@pytest.mark.parametrize(
    ("owed", "done", "left"),
    [
        (["dbt build", "dbt test"], ["dbt retry", "dbt test"], False),
        (["dbt build", "dbt test"], ["dbt retry"], True),
        (["dbt build", "dbt test"], ["dbt build"], True),
        (["dbt build"], ["dbt retry"], False),
        (["dbt build", "dbt docs generate"], ["dbt build"], False),
        (["dbt build", "dbt test"], [], False),
    ],
)
def test_rerun_goes_on_to_the_last_command(owed: list[str], done: list[str], *, left: bool) -> None:
    """What stood behind the failed command is owed, too."""
    assert did_not_finish(owed, ran(*done, shown=done, status=10)) is left


def test_edit_is_known_by_the_moment_of_the_jobs_last_change() -> None:
    """Nothing is claimed where dbt does not say when it was."""
    edited = replace(ran("dbt build", shown=["dbt build"]), job_updated_at="2026-11-29T05:00:00Z")
    assert was_edited_since(edited, "2026-11-29 04:00:00+00:00")
    assert not was_edited_since(edited, "2026-11-29 06:00:00+00:00")
    assert not was_edited_since(edited, None)
    assert not was_edited_since(ran("dbt build", shown=[]), "2026-11-29 04:00:00+00:00")
