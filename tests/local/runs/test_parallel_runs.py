"""Runs of a CI job do not wait for each other; runs of any other job do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.local.shop import until
from tests.support import Json, LocalPlatform

SLEEPING = {"node": "raw_orders", "times": -1, "seconds": 60}


@contextmanager
def a_job(platform: LocalPlatform, **settings: object) -> Iterator[Json]:
    """Create a job that seeds, and delete it at the end."""
    job: Json = platform.post("jobs/", {"name": "checks", "execute_steps": ["dbt seed"], **settings})
    yield job
    platform.send("DELETE", f"jobs/{job['id']}/")


def start(platform: LocalPlatform, job: Json) -> Json:
    """Start a run of a job."""
    run: Json = platform.post(f"jobs/{job['id']}/run/", {"cause": "a test"})
    return run


def copies(platform: LocalPlatform, job: Json) -> list[Path]:
    """Return the working directories of a job's runs."""
    return list((platform.state.parent / "work").glob(f"{job['id']}*"))


def test_two_runs_of_a_ci_job_are_running_at_once(simulated: LocalPlatform) -> None:
    """Neither names a blocker, each has a copy of the project, and the copies go when the runs end."""
    simulated.trouble(SLEEPING)
    with a_job(simulated, job_type="ci") as job:
        runs = [start(simulated, job), start(simulated, job)]
        for run in runs:
            simulated.wait(run, status=3)
        seen = [simulated.get(f"runs/{run['id']}/") for run in runs]
        assert [(run["status"], run["blocked_by"]) for run in seen] == [(3, []), (3, [])]
        simulated.until_troubled("raw_orders")
        assert copies(simulated, job)
        for run in runs:
            simulated.cancel(run)
        simulated.trouble()
        assert simulated.wait(start(simulated, job))["status"] == 10
        asyncio.run(until(lambda: not copies(simulated, job)))


@pytest.mark.parametrize("kind", ["other", "scheduled", "merge"])
def test_runs_of_other_jobs_queue(simulated: LocalPlatform, kind: str) -> None:
    """The second run waits for the first and names it; merge jobs are no exception."""
    simulated.trouble(SLEEPING)
    with a_job(simulated, job_type=kind) as job:
        first = start(simulated, job)
        simulated.until_troubled("raw_orders")
        second = start(simulated, job)
        seen = simulated.get(f"runs/{second['id']}/")
        assert (seen["status"], seen["blocked_by"]) == (1, [first["id"]])
        simulated.trouble()
        simulated.cancel(first)
        assert simulated.wait(second)["status"] == 10


def test_a_job_of_the_command_line_becomes_a_ci_job(simulated: LocalPlatform) -> None:
    """Its type can be changed over the API; the next runs go by it."""
    job = simulated.get(f"jobs/{simulated.jobs['seeds']}/")
    simulated.trouble(SLEEPING)
    simulated.post(f"jobs/{job['id']}/", {"job_type": "ci"})
    runs = [start(simulated, job), start(simulated, job)]
    assert [simulated.wait(run, status=3)["status"] for run in runs] == [3, 3]
    simulated.post(f"jobs/{job['id']}/", {"job_type": job["job_type"]})
    for run in runs:
        simulated.cancel(run)


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, "other"),
        ({"triggers": {"schedule": True}}, "scheduled"),
        ({"triggers": {"on_merge": True, "schedule": True}}, "merge"),
        ({"triggers": {"git_provider_webhook": True, "schedule": False}}, "ci"),
        ({"triggers": {"github_webhook": True, "schedule": True}}, "ci"),
        ({"job_type": "adaptive", "triggers": {"github_webhook": True}}, "adaptive"),
    ],
)
def test_the_type_of_a_job_is_shown(simulated: LocalPlatform, settings: Json, kind: str) -> None:
    """Alone, in lists and in runs; a job that was created without a type has that of its triggers."""
    with a_job(simulated, **settings) as job:
        run = start(simulated, job)
        listed = {each["id"]: each for each in simulated.get("jobs/")}
        assert [shown["job_type"] for shown in (job, listed[job["id"]], run["job"])] == [kind] * 3
        assert {name: job["triggers"][name] for name in settings.get("triggers", {})} == settings.get(
            "triggers", {}
        )
        simulated.wait(run)


def test_an_unknown_type_is_refused(simulated: LocalPlatform) -> None:
    """400, and the message lists the types."""
    answer = simulated.send("POST", "jobs/", json={"name": "x", "job_type": "CI"})
    assert answer.status_code == 400
    assert "job_type: 'CI' is not one of ci, scheduled" in answer.json()["status"]["user_message"]


@pytest.mark.nightly
@pytest.mark.dbt
def test_two_runs_of_a_ci_job_succeed_on_real_dbt(platform: LocalPlatform) -> None:
    """Their commands take turns at the DuckDB file, and a failed run is resumed beside another one."""
    platform.trouble({"node": "raw_orders", "times": 1, "message": "Connection reset by peer"})
    with a_job(platform, job_type="ci") as job:
        failed = platform.wait(start(platform, job))
        assert failed["status"] == 20
        resumed, other = platform.post(f"runs/{failed['id']}/retry/"), start(platform, job)
        assert [platform.wait(run)["status"] for run in (resumed, other)] == [10, 10]
        assert set(platform.results(resumed)) == {"raw_orders"}
