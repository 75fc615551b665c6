"""Which run of a job is the awaited one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import Run, RunTrigger
from airflow_dbt_rerun.core.watch.awaited_run import Awaited
from tests.core.builders import run

DUE = "2026-11-23 02:00:00+00:00"
BEFORE, JUST_THEN, AFTER = "2026-11-23 01:59:59.999+00:00", DUE, "2026-11-23 02:00:01+00:00"


def awaited(**changes: Any) -> Awaited:
    """Await a run of job 7."""
    since = epoch(DUE)
    assert since is not None
    return Awaited(job_id=7, since=since, **changes)


def a_run(run_id: int, category: str | None = "scheduled", cause: str = "scheduled", **changes: Any) -> Run:
    """A run that came in time and succeeded, unless changed."""
    defaults = {"status": 10, "created_at": AFTER, "git_branch": "main", "trigger": RunTrigger(cause, category, {})}
    return run(run_id, **{**defaults, **changes})


def chosen(of: Awaited, *runs: Run) -> int | None:
    """Choose among runs, the newest first, as dbt's lists may be."""
    found = of.choose(reversed(runs))
    return found.id if found else None


def test_first_and_latest() -> None:
    """Choose among the runs created in time, in any order of the list; an empty list is not an error."""
    runs = [a_run(1, created_at=BEFORE), a_run(2, created_at=JUST_THEN), a_run(3)]
    assert chosen(awaited(), *runs) == 2
    assert chosen(awaited(match="latest"), *runs) == 3
    assert chosen(awaited(), runs[0]) is None
    assert chosen(awaited(), a_run(1, job_id=8), a_run(2, created_at=None)) is None


def test_cause_category() -> None:
    """Runs started for another or an unknown reason do not count."""
    runs = [a_run(1, "ui"), a_run(2, None), a_run(3, trigger=None), a_run(4, "ci"), a_run(5, "scheduled")]
    assert chosen(awaited(cause_categories=("scheduled",)), *runs) == 5
    assert chosen(awaited(cause_categories=("scheduled", "ci")), *runs) == 4


def test_branch_that_is_not_known_yet_is_waited_for() -> None:
    """A run has no branch before it has cloned: the next best could be the wrong one."""
    unknown = a_run(1, status=1, git_branch=None)
    assert chosen(awaited(git_branch="main"), unknown, a_run(2)) is None
    assert chosen(awaited(git_branch="main", match="latest"), a_run(0), unknown) is None
    assert chosen(awaited(git_branch="main"), a_run(1, git_branch="feature"), a_run(2)) == 2
    asked_for = RunTrigger("", "ui", {"git_branch": "feature"})
    assert chosen(awaited(git_branch="feature"), a_run(1, status=1, git_branch=None, trigger=asked_for)) == 1


def test_run_that_ended_before_it_cloned_is_on_no_branch() -> None:
    """It will never have a branch, so it is not waited for."""
    assert chosen(awaited(git_branch="main"), a_run(1, status=20, git_branch=None), a_run(2)) == 2


@pytest.mark.parametrize(
    "rerun",
    [
        a_run(2, "rerun", retrying_run_id=1),
        a_run(2, "rerun"),
        a_run(2, "api", "[dbt-rerun 0a1b2c3d4e5f6071>1] rerun from the failed step"),
    ],
    ids=["named", "null", "marked"],
)
def test_rerun_belongs_to_the_run_that_it_repairs(rerun: Run) -> None:
    """``latest`` gives the run, not the rerun of it, nor the rerun of that; so a heal is not taken for a run."""
    again = a_run(3, "rerun", retrying_run_id=2)
    assert chosen(awaited(match="latest"), a_run(1, status=20), rerun, again) == 1
    assert chosen(awaited(match="latest"), a_run(1, status=20), rerun, a_run(3)) == 3


def test_rerun_of_a_run_that_does_not_count_is_a_run_of_its_own() -> None:
    """It came in time although what it repairs did not; or reruns are what is asked for."""
    early, rerun = a_run(1, status=20, created_at=BEFORE), a_run(2, "rerun", retrying_run_id=1)
    assert chosen(awaited(), early, rerun) == 2
    assert chosen(awaited(match="latest"), early, a_run(2), a_run(3, "rerun", retrying_run_id=1)) == 3
    assert chosen(awaited(cause_categories=("rerun",)), a_run(1, status=20), rerun) == 2


def test_it_travels_as_plain_json_and_says_what_it_is() -> None:
    """It crosses to the triggerer; and logs and errors say what was awaited."""
    it = awaited(cause_categories=("scheduled", "ci"), git_branch="main", match="latest")
    assert Awaited.from_dict(json.loads(json.dumps(it.to_dict()))) == it
    assert str(it) == (
        "the latest run of job 7 created at or after 2026-11-23 02:00:00+00:00 "
        "by cause category scheduled or ci on branch main"
    )


@pytest.mark.parametrize(
    ("awaited", "fits"),
    [
        ({}, True),
        ({"cause_categories": ("api",)}, True),
        ({"cause_categories": ("scheduled",)}, False),
        ({"git_branch": "main"}, True),
        ({"git_branch": "dev"}, False),
    ],
)
def test_run_outside_the_filters_never_stands_for_the_awaited_one(awaited: dict[str, Any], *, fits: bool) -> None:
    """P11: what supersedes the awaited run has to pass the sensor's filters, too."""
    other = run(150, git_branch="main", trigger=RunTrigger("x", "api"))
    assert Awaited(7, 0.0, **awaited).fits(other) is fits


def test_run_on_an_unknown_branch_does_not_fit() -> None:
    """A run that has not cloned yet may turn out to be on another branch."""
    assert not Awaited(7, 0.0, git_branch="main").fits(run(150, 1, git_branch=None))
