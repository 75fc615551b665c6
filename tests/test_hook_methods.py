"""The official hook's methods, on the local platform: the same code works with either hook."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import Any, cast

import pytest
from airflow.providers.dbt.cloud.hooks.dbt import DbtCloudHook

from airflow_dbt_rerun import DbtCloudRerunHook, DbtRunCancelled, DbtRunFailed, DbtRunTimeout, RunStatus
from airflow_dbt_rerun.exceptions import DbtConfigError, DbtForbiddenError
from tests.support import LocalPlatform

JOBS = {"nightly": "dbt seed; dbt build --exclude resource_type:seed", "seeds": "dbt seed"}
BROKEN = {"node": "orders", "times": 1, "message": "Table with name raw_refunds does not exist!"}
HANGS = {"node": "orders", "times": 1, "seconds": 60}
OTHERWISE = {"get_conn", "list_accounts", "get_request_url_params", "get_headers_tenants_from_connection"}
"""Methods that docs/migrating.md names as different or missing."""

pytestmark = pytest.mark.usefixtures("connected")


@pytest.fixture
def hook() -> DbtCloudRerunHook:
    """Return a hook on the simulated platform."""
    return DbtCloudRerunHook()


def official_methods() -> list[str]:
    """Name the public methods that the official hook itself defines."""
    return [
        name
        for name, value in vars(DbtCloudHook).items()
        if not name.startswith("_") and callable(getattr(value, "__func__", value)) and name not in OTHERWISE
    ]


@pytest.mark.parametrize("name", official_methods())
def test_signature_is_the_official_one(name: str) -> None:
    """Each method is there, with the official parameters in the official order, and no other needed one."""
    theirs, ours = (
        list(inspect.signature(getattr(cls, name)).parameters.values()) for cls in (DbtCloudHook, DbtCloudRerunHook)
    )
    assert [(each.name, each.kind) for each in ours] == [(each.name, each.kind) for each in theirs]
    assert [each.default is each.empty for each in ours] == [each.default is each.empty for each in theirs]


def test_objects_are_read(hook: DbtCloudRerunHook, simulated: LocalPlatform) -> None:
    """Account, project, environment and job, as ``.json()["data"]``."""
    assert hook.get_account().json()["data"]["id"] == simulated.account_id
    (project,) = hook.list_projects()[0].json()["data"]
    assert hook.get_project(project["id"]).json()["data"]["name"] == project["name"]
    (environment,) = hook.list_environments(project["id"], name_contains="")[0].json()["data"]
    read = hook.get_environment(project["id"], environment["id"], account_id=simulated.account_id)
    assert read.json()["data"]["id"] == environment["id"]
    jobs = [job for page in hook.list_jobs(project_id=project["id"]) for job in page.json()["data"]]
    assert sorted(job["id"] for job in jobs) == sorted(simulated.jobs.values())
    names = {"project_name": project["name"], "environment_name": environment["name"], "job_name": "seeds"}
    assert hook.get_job_by_name(**names)["id"] == simulated.jobs["seeds"]
    assert hook.get_job(simulated.jobs["seeds"]).json()["data"]["execute_steps"] == ["dbt seed"]


def test_run_is_started_watched_and_its_artifacts_read(hook: DbtCloudRerunHook, simulated: LocalPlatform) -> None:
    """A @task that was written for the official hook goes through."""
    started = hook.trigger_job_run(simulated.jobs["seeds"], "by hand", steps_override=["dbt seed"])
    run_id = started.json()["data"]["id"]
    assert hook.wait_for_job_run_status(run_id, check_interval=1, timeout=60)
    assert hook.get_job_run_status(run_id) == RunStatus.SUCCESS
    related = hook.get_job_run(run_id, include_related=["trigger"]).json()["data"]["trigger"]
    assert (related["cause"], related["steps_override"]) == ("by hand", ["dbt seed"])
    assert "run_results.json" in hook.list_job_run_artifacts(run_id).json()["data"]
    results = hook.get_job_run_artifact(run_id, "run_results.json", step=4)
    assert results.ok
    assert results.json()["results"]
    assert results.text == results.content.decode()
    query = {
        "job_definition_id": simulated.jobs["seeds"],
        "order_by": "-id",
        "limit": 1,
        "include_related": ["trigger"],
    }
    (latest,) = hook.get_job_runs(payload=query).json()["data"]
    assert (latest["id"], latest["trigger"]["cause"]) == (run_id, "by hand")
    listed = hook.list_job_runs(job_definition_id=simulated.jobs["seeds"], order_by="-id")[0].json()
    assert listed["data"][0]["id"] == run_id
    assert listed["extra"]["pagination"]["total_count"] == len(listed["data"])


def test_event_loop(hook: DbtCloudRerunHook, simulated: LocalPlatform) -> None:
    """The methods for triggers."""
    run = simulated.run("seeds")

    async def read() -> tuple[Any, int, Any]:
        return (
            await hook.get_job_run_artifacts_concurrently(run["id"], ["run_results.json", "manifest.json"]),
            await hook.get_job_status(run["id"]),
            await hook.get_job_details(run["id"], include_related=["trigger"]),
        )

    artifacts, status, details = asyncio.run(read())
    assert set(artifacts) == {"run_results.json", "manifest.json"}
    assert (status, details["data"]["trigger"]["cause"]) == (10, "a test")


def test_failure_is_raised_with_its_diagnosis_in_the_log(
    hook: DbtCloudRerunHook, simulated: LocalPlatform, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the node and its message, where the official hook prints the step's log."""
    simulated.trouble(BROKEN)
    run = simulated.run("nightly")
    # Airflow's own logger does not pass through the standard library's.
    hook._log = cast("Any", logging.getLogger("hook"))
    with caplog.at_level(logging.ERROR), pytest.raises(DbtRunFailed, match=f"dbt run {run['id']} has ended"):
        hook.wait_for_job_run_status(run["id"])
    assert "orders" in caplog.text
    assert "raw_refunds does not exist" in caplog.text
    assert hook.wait_for_job_run_status(run["id"], expected_statuses={20, 30})


def test_wait_ends(hook: DbtCloudRerunHook, simulated: LocalPlatform) -> None:
    """In time, without a cancel; and with a run that a person cancels."""
    simulated.trouble(HANGS)
    run = simulated.trigger("nightly")
    assert hook.wait_for_job_run_status(run["id"], expected_statuses=RunStatus.RUNNING, timeout=60)
    with pytest.raises(DbtRunTimeout, match="still"):
        hook.wait_for_job_run_status(run["id"], timeout=0.2)
    hook.cancel_job_run(run["id"])
    with pytest.raises(DbtRunCancelled):
        hook.wait_for_job_run_status(run["id"])


def test_retry_resumes_the_latest_run_that_failed(hook: DbtCloudRerunHook, simulated: LocalPlatform) -> None:
    """From failure if it failed, else anew; overrides that dbt would ignore are refused."""
    simulated.trouble(BROKEN)
    run = simulated.run("nightly")
    job_id = simulated.jobs["nightly"]
    with pytest.raises(DbtConfigError, match="takes no schema_override"):
        hook.trigger_job_run(job_id, "again", retry_from_failure=True, schema_override="sandbox")
    resumed = hook.trigger_job_run(job_id, "again", retry_from_failure=True).json()["data"]
    assert simulated.wait(resumed)["retrying_run_id"] == run["id"]
    anew = hook.trigger_job_run(job_id, "again", retry_from_failure=True).json()["data"]
    assert simulated.wait(anew)["retrying_run_id"] is None
    last = hook.retry_failed_job_run(job_id).json()["data"]
    assert simulated.wait(last)["job_definition_id"] == job_id


def test_account_can_be_given_with_each_call(hook: DbtCloudRerunHook, simulated: LocalPlatform) -> None:
    """Another account than the connection's is asked with the same token."""
    run = simulated.run("seeds")
    assert hook.get_job_run(run["id"], account_id=simulated.account_id).ok
    with pytest.raises(DbtForbiddenError):
        hook.get_job_run(run["id"], account_id=simulated.account_id + 1)
