"""P11: a run stands for another only if it did the same work in the same place. One row, one test."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.core.dbt.models import OVERRIDE_FIELDS, Run, RunTrigger
from airflow_dbt_rerun.core.heal.same_work import IN_FORCE, differences, stand_in
from tests.api_document import schemas
from tests.core.builders import run, steps

DOCS = Path(__file__).parents[3] / "docs" / "rerunning.md"


def started(
    run_id: int = 101, *, category: str = "api", changes: dict[str, Any] | None = None, **overrides: Any
) -> Run:
    """Make a run that was started with overrides."""
    given = {"environment_id": 3, "git_branch": "main", "job_target": "prod", **(changes or {})}
    return run(run_id, trigger=RunTrigger("x", category, overrides), **given)


@pytest.mark.parametrize(
    ("ours", "other", "words"),
    [
        (started(), started(changes={"job_id": 8}), "job 8 instead of 7"),
        (started(), started(changes={"environment_id": 4}), "environment 4 instead of 3"),
        (
            started(schema_override="client_a"),
            started(schema_override="client_b"),
            "schema client_b instead of client_a",
        ),
        (started(schema_override="client_a"), started(), "schema the job's own instead of client_a"),
        (started(), started(target_name_override="dev"), "target dev instead of prod"),
        (started(), started(dbt_version_override="1.9.0"), "dbt version 1.9.0 instead of the job's own"),
        (started(), started(git_branch="dev"), "branch dev instead of main"),
        (started(), started(changes={"git_branch": "dev"}), "branch dev instead of main"),
        (
            started(git_branch="dev", changes={"git_branch": None}),
            started(changes={"git_branch": None}),
            "branch the job's own instead of dev",
        ),
        (started(), started(git_sha="abc"), "commit abc instead of the job's own"),
        (
            started(),
            started(github_pull_request_id=5),
            "github pull request 5 instead of the job's own",
        ),
        (started(), started(gitlab_merge_request_id=5), "gitlab merge request 5 instead of the job's own"),
        (started(), started(azure_pull_request_id=5), "azure pull request 5 instead of the job's own"),
        (started(), started(non_native_pull_request_id=5), "non native pull request 5 instead of the job's own"),
        (
            started(changes={"commands": ("dbt build",), "steps": ()}),
            started(changes={"commands": ("dbt build --vars '{a: 1}'",), "steps": ()}),
            "commands dbt build --vars '{a: 1}' instead of dbt build",
        ),
        (
            started(changes={"commands": ("dbt build",), "steps": ()}),
            started(changes={"commands": ("dbt build --full-refresh",), "steps": ()}),
            "commands dbt build --full-refresh instead of dbt build",
        ),
    ],
)
def test_other_work_is_named(ours: Run, other: Run, words: str) -> None:
    """What differs is named, and the run does not stand for ours."""
    assert differences(ours, other) == (words,)
    assert stand_in(ours, [other]) is None


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        (started(), started(102)),
        (started(), started(102, target_name_override="prod")),
        (started(), started(102, threads_override=8, generate_docs_override=True, timeout_seconds_override=60)),
        (started(), started(102, changes={"git_branch": None})),
        (
            started(changes={"commands": ("dbt build --select  a",), "steps": ()}),
            started(102, changes={"commands": ('dbt build --select "a"',), "steps": ()}),
        ),
        (started(), started(102, category="scheduled")),
    ],
    ids=["the very same", "the job's target, named", "how it runs", "not cloned yet", "spelling", "who started it"],
)
def test_same_work_is_the_same(ours: Run, other: Run) -> None:
    """What is in force counts, not how it is spelled or who asked."""
    assert differences(ours, other) == ()
    assert stand_in(ours, [other]) is other


@pytest.mark.parametrize("side", ["ours", "other"])
def test_unknown_commands_are_no_proof(side: str) -> None:
    """Where the commands are not on record nothing is claimed."""
    unknown, known = started(changes={"commands": (), "steps": ()}), started()
    pair = (unknown, known) if side == "ours" else (known, unknown)
    assert differences(*pair) == ("the commands are not known",)


def test_run_whose_start_is_not_known_is_no_proof() -> None:
    """Without its trigger, nobody knows which overrides it was started with."""
    assert differences(started(), replace(started(), trigger=None)) == ("it is not known how it was started",)


def test_steps_tell_more_than_the_job_of_today() -> None:
    """The job may have been edited before or after either run: what each executed is in its own steps."""
    built = steps("dbt seed", "dbt build", failed=False)
    both = {"commands": ("dbt seed", "dbt build")}
    ours = started(changes={**both, "steps": built})
    shorter = started(102, changes={**both, "steps": built[:-1], "status": 10})
    assert differences(ours, started(102, changes={**both, "steps": built, "status": 10})) == ()
    assert differences(ours, shorter) == ("commands dbt seed instead of dbt seed; dbt build",)
    edited = started(changes={"commands": ("dbt seed",), "steps": built})
    assert differences(edited, shorter) == ("the commands are not known",)


def test_newest_whole_run_stands_for_ours() -> None:
    """The rerun from failure of another run does part of its work only, so it does not count."""
    ours = started()
    newer = [started(102), started(103), started(104, category="rerun"), started(105, schema_override="x")]
    assert stand_in(ours, newer) is newer[1]


def test_every_field_of_the_trigger_request_is_known() -> None:
    """P13: a field that dbt adds to its document cannot be forgotten: not when comparing, not on a rerun."""
    fields = set(schemas()["TriggerRunRequestRequest"]["properties"]) - {"cause"}
    assert set(OVERRIDE_FIELDS) == fields
    how = {"threads_override", "generate_docs_override", "timeout_seconds_override"}
    compared = [name for name in fields - how if differences(started(), started(**{name: _value(name)}))]
    assert set(compared) == fields - how - {"steps_override"}  # those are in the run's commands


def _value(name: str) -> Any:
    return 5 if name.endswith("_id") else "elsewhere"


def test_page_lists_what_is_compared() -> None:
    """The table in docs/rerunning.md has a row for each thing that is compared."""
    page = DOCS.read_text(encoding="utf-8")
    table = page[page.index("## Same work") :].split("\n## ")[0]
    assert [name for name in IN_FORCE if f"| {name} |" not in table] == []
