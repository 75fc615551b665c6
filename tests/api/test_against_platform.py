"""Every endpoint, by both senders, against the local platform running real dbt."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import Any

import pytest

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.exceptions import (
    DbtAnswerLostError,
    DbtForbiddenError,
    DbtNotFoundError,
    DbtRefusedError,
    DbtUnauthorizedError,
)
from tests.api.senders import Blocking
from tests.support import LocalPlatform

pytestmark = pytest.mark.dbt


@pytest.fixture
def there(platform: LocalPlatform) -> Settings:
    """Point at the local platform."""
    return Settings(platform.base_url, platform.account_id, platform.token)


@pytest.fixture
def job_id(platform: LocalPlatform) -> int:
    """Take any of the platform's jobs."""
    return int(next(iter(platform.jobs.values())))


def ended(sender: Blocking, there: Settings, run_id: int) -> Run:
    """Wait until a run is over."""
    for _ in range(600):
        run = sender.send(there, endpoints.get_run(run_id, include_related=endpoints.FULL_RUN))
        if run.is_terminal:
            return run
        time.sleep(0.2)
    raise AssertionError(f"run {run_id} does not end")


def test_places_and_jobs(sender: Blocking, there: Settings, platform: LocalPlatform, job_id: int) -> None:
    """Account, projects, environments and jobs are found, by id, by list and by a part of the name."""
    assert sender.send(there, endpoints.get_account()).id == platform.account_id
    (project,) = sender.collect(there, endpoints.list_projects())
    (environment,) = sender.collect(there, endpoints.list_environments(project.id))
    job = sender.send(there, endpoints.get_job(job_id))
    assert (job.id, job.project_id, job.environment_id) == (job_id, project.id, environment.id)
    assert job.execute_steps
    jobs = sender.collect(there, endpoints.list_jobs(project_id=project.id, limit=1))
    assert {one.id for one in jobs} == set(platform.jobs.values())
    found = sender.send(there, endpoints.list_jobs(name_contains=job.name.upper()))
    assert job_id in {one.id for one in found}


def test_the_life_of_a_failed_run(sender: Blocking, there: Settings, job_id: int) -> None:
    """Trigger, watch, read steps, logs, results and artifacts, ask for the plan, resume, find both in the lists."""
    overrides = {
        "steps_override": ["dbt run --select stg_orders", "dbt test --select stg_orders"],
        "schema_override": f"empty_{uuid.uuid4().hex[:8]}",  # no seed was ever loaded there, so the model fails
    }
    asked = sender.send(there, endpoints.trigger_job(job_id, cause="test: a failed run", overrides=overrides))
    failed = ended(sender, there, asked.id)
    assert (failed.is_error, failed.can_retry, failed.job_id) == (True, True, job_id)
    assert failed.trigger is not None
    assert failed.trigger.cause == "test: a failed run"
    assert failed.commands == tuple(overrides["steps_override"])

    (step,) = failed.failed_steps
    assert "dbt command failed" in sender.send(there, endpoints.get_step(step.id, debug_logs=True)).logs
    results = sender.send(there, endpoints.get_step_results(failed.id, step=step.index))
    assert [(node.name, node.is_failed) for node in results.nodes] == [("stg_orders", True)]
    assert "run_results.json" in sender.send(there, endpoints.list_artifacts(failed.id))
    assert sender.send(there, endpoints.get_json_artifact(failed.id, "manifest.json", step=step.index))["nodes"]

    plan = sender.send(there, endpoints.preview_retry(failed.id))
    assert "dbt run --select stg_orders" in (plan.failed_step or "")
    assert len(plan.skipped_steps) == 1

    again = sender.send(there, endpoints.retry_run(failed.id))
    assert again.id > failed.id
    with pytest.raises(DbtRefusedError, match="RETRY_NOT_LATEST_RUN"):
        sender.send(there, endpoints.retry_run(failed.id))
    assert ended(sender, there, again.id).is_error

    newest = sender.send(there, endpoints.list_runs(job_id=job_id, include_related=("trigger",), limit=2))
    assert [run.id for run in newest] == [again.id, failed.id]
    asked_for = sender.send(there, endpoints.list_runs(ids=[failed.id, again.id], status_in=[20]))
    assert {run.id for run in asked_for} == {failed.id, again.id}
    assert not sender.send(there, endpoints.list_runs(ids=[failed.id], status=10)).items


def test_a_run_can_be_cancelled(sender: Blocking, there: Settings, job_id: int) -> None:
    """Rerun the job, then cancel the new run: it ends as cancelled, by a user."""
    started = sender.send(there, endpoints.rerun_job(job_id))
    sender.send(there, endpoints.cancel_run(started.id))
    stopped = ended(sender, there, started.id)
    assert stopped.is_cancelled
    assert stopped.cancelled_by
    with pytest.raises(DbtRefusedError, match="RETRY_NOT_FAILED_RUN"):
        sender.send(there, endpoints.retry_run(started.id))


def test_mistakes_give_the_errors_of_the_tree(sender: Blocking, there: Settings, job_id: int) -> None:
    """Wrong token, wrong account, unknown job and unknown artifact: one clear error each."""
    get_job = endpoints.get_job(job_id)
    with pytest.raises(DbtUnauthorizedError, match="another region"):
        sender.send(replace(there, token="wrong"), get_job)
    with pytest.raises(DbtForbiddenError, match="check the account id"):
        sender.send(replace(there, account_id=there.account_id + 1), get_job)
    with pytest.raises(
        DbtNotFoundError, match=r"GET jobs/999/: .* answered 404: The requested resource was not found"
    ):
        sender.send(there, endpoints.get_job(999))
    with pytest.raises(DbtNotFoundError):
        sender.send(there, endpoints.trigger_job(999, cause="x"))
    with pytest.raises(DbtNotFoundError):
        sender.send(there, endpoints.get_artifact(999, "run_results.json"))


@pytest.mark.parametrize(
    "fault",
    [{"kind": "lost"}, {"kind": "lost", "status": 504}, {"kind": "html"}, {"kind": "malformed"}],
    ids=lambda fault: " ".join(map(str, fault.values())),
)
def test_a_lost_answer_is_no_reason_to_post_again(
    sender: Blocking, there: Settings, platform: LocalPlatform, fault: dict[str, Any]
) -> None:
    """P2: the run was created, but the answer was lost; one POST was sent, and a search finds the run."""
    job_id = platform.jobs["seeds"]
    platform.fault(method="POST", **fault)
    cause = f"test: lost {uuid.uuid4().hex}"
    with pytest.raises(DbtAnswerLostError, match="may or may not have been carried out"):
        sender.send(there, endpoints.trigger_job(job_id, cause=cause))
    assert len(platform.posts()) == 1
    look = endpoints.list_runs(job_id=job_id, include_related=("trigger",), limit=5)
    (found,) = [run for run in sender.send(there, look) if run.trigger and run.trigger.cause == cause]
    sender.send(there, endpoints.cancel_run(found.id))


def test_a_bad_moment_of_the_platform_passes(sender: Blocking, there: Settings, platform: LocalPlatform) -> None:
    """A 429 with its own wait and then a 503 do not keep a GET from its answer."""
    platform.fault("status", method="GET", path="/jobs/", status=429, retry_after=7)
    platform.fault("status", method="GET", path="/jobs/", status=503)
    assert sender.send(there, endpoints.get_job(platform.jobs["seeds"])).name == "seeds"
    assert sender.waits == [7.0, 2.0]
