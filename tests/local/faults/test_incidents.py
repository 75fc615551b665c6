"""Server-side events that a test can request for jobs, runs and the account."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import Json, LocalPlatform

POSTS = ("jobs/{job}/run/", "jobs/{job}/rerun/", "runs/{run}/retry/")
"""Every request that starts a run."""


@pytest.fixture
def failed(simulated: LocalPlatform) -> Iterator[Json]:
    """Return a failed run; its job is active again afterwards."""
    simulated.run("seeds")  # failures in a row are counted from here
    simulated.trouble({"node": "raw_orders", "times": 1, "message": "Connection reset by peer"})
    yield simulated.run("seeds")
    simulated.control("POST", f"jobs/{simulated.jobs['seeds']}", {"deactivated": False})


@pytest.fixture
def blocked(simulated: LocalPlatform) -> Iterator[Json]:
    """Return a run in progress that holds up the later runs of its job until the test ends."""
    simulated.trouble({"node": "raw_orders", "times": 1, "seconds": 60})
    run = simulated.trigger("seeds")
    simulated.until_troubled("raw_orders")
    yield run
    simulated.cancel(run)


def schedule(platform: LocalPlatform, job_id: int) -> Json:
    """Let dbt's scheduler queue a run of a job."""
    run: Json = platform.control("POST", f"jobs/{job_id}/schedule")
    return run


def statuses(platform: LocalPlatform, run: Json) -> set[int]:
    """Request a run in every way and return the HTTP statuses."""
    paths = [path.format(job=run["job_id"], run=run["id"]) for path in POSTS]
    return {platform.send("POST", path, json={"cause": "a test"}).status_code for path in paths}


def test_a_deactivated_job_starts_no_run(simulated: LocalPlatform, failed: Json) -> None:
    """Every request for a run is refused with the chosen status until the job is active again."""
    job = f"jobs/{failed['job_id']}"
    simulated.control("POST", job, {"deactivated": True})
    simulated.behave(refused_start_status=409)
    shown = simulated.get(f"{job}/")
    assert (shown["deactivated"], shown["run_failure_count"]) == (True, 100)
    assert statuses(simulated, failed) == {409}
    simulated.control("POST", job, {"deactivated": False})
    shown = simulated.get(f"{job}/")
    assert (shown["deactivated"], shown["run_failure_count"]) == (False, 1)
    assert simulated.retry(failed)["status"] == 10


@pytest.mark.parametrize(
    "restriction",
    [{"locked": True, "lock_cause": "unpaid"}, {"run_locked_until": "2999-01-01T00:00:00Z"}, {"queue_limit": 0}],
)
def test_a_restricted_account_starts_no_run(simulated: LocalPlatform, failed: Json, restriction: Json) -> None:
    """The account shows the reason, and every request for a run is refused until the restriction is lifted."""
    simulated.control("POST", "account", restriction)
    account = simulated.get("")
    assert {name: account[name] for name in restriction} == restriction
    assert statuses(simulated, failed) == {400}
    simulated.control("DELETE", "account")
    assert simulated.get("")["queue_limit"] == 50
    assert simulated.retry(failed)["status"] == 10


def test_an_expired_lock_has_no_effect(simulated: LocalPlatform, failed: Json) -> None:
    """``run_locked_until`` in the past restricts nothing."""
    simulated.control("POST", "account", {"run_locked_until": "2020-01-01T00:00:00Z"})
    assert simulated.retry(failed)["status"] == 10


def test_a_deleted_run_is_gone(simulated: LocalPlatform, failed: Json) -> None:
    """Even a run in progress: it is stopped and no longer listed, and its job can run again."""
    simulated.trouble({"node": "raw_orders", "times": 1, "seconds": 60})
    in_progress = simulated.trigger("seeds")
    simulated.until_troubled("raw_orders")
    for run in (failed, in_progress):
        simulated.control("DELETE", f"runs/{run['id']}")
        assert simulated.send("GET", f"runs/{run['id']}/").status_code == 404
    assert not {failed["id"], in_progress["id"]} & {run["id"] for run in simulated.get("runs/")}
    assert simulated.run("seeds")["status"] == 10


def test_a_run_of_a_deleted_job_cannot_be_retried(simulated: LocalPlatform) -> None:
    """The run still exists, its job does not."""
    job = simulated.post("jobs/", {"name": "old", "execute_steps": ["dbt seed"]})
    simulated.trouble({"node": "raw_orders", "times": 1, "message": "Connection reset by peer"})
    run = simulated.wait(simulated.post(f"jobs/{job['id']}/run/", {"cause": "a test"}))
    simulated.send("DELETE", f"jobs/{job['id']}/")
    assert simulated.send("POST", f"runs/{run['id']}/retry/").status_code == 404
    assert simulated.get(f"runs/{run['id']}/")["status"] == 20


# --- dbt's scheduler


def test_dbts_scheduler_queues_runs(simulated: LocalPlatform) -> None:
    """A scheduled run says so, and runs the commands of its job."""
    run = schedule(simulated, simulated.jobs["seeds"])
    assert (run["trigger"]["cause"], run["trigger"]["cause_category"]) == ("scheduled", "scheduled")
    assert simulated.wait(run)["status"] == 10
    assert simulated.steps(run)[-1]["name"] == "Invoke dbt with `dbt seed`"


def test_scheduled_runs_wait_in_the_queue_by_default(simulated: LocalPlatform, blocked: Json) -> None:
    """As runs that a client asked for do."""
    older, newer = schedule(simulated, blocked["job_id"]), schedule(simulated, blocked["job_id"])
    assert simulated.get(f"runs/{older['id']}/")["status"] == 1
    simulated.cancel(blocked)
    assert [simulated.wait(run)["status"] for run in (older, newer)] == [10, 10]


def test_dbts_scheduler_cancels_the_run_that_it_queued_before(simulated: LocalPlatform, blocked: Json) -> None:
    """The older scheduled run never starts, and no actor is named; a run that a client asked for stays queued."""
    simulated.behave(over_scheduling="cancel_older")
    asked_for = simulated.trigger("seeds")
    older, newer = schedule(simulated, blocked["job_id"]), schedule(simulated, blocked["job_id"])
    cancelled = simulated.get(f"runs/{older['id']}/", include_related="audit,run_steps")
    assert (cancelled["status"], cancelled["started_at"], cancelled["dequeued_at"]) == (30, None, None)
    assert cancelled["status_message"] == "The run was canceled because a newer run of this job was queued."
    assert (cancelled["audit"]["cancellation"], cancelled["run_steps"]) == (None, [])
    assert [simulated.get(f"runs/{run['id']}/")["status"] for run in (blocked, asked_for, newer)] == [3, 1, 1]
    simulated.cancel(blocked)
    assert [simulated.wait(run)["status"] for run in (asked_for, newer)] == [10, 10]


def test_dbts_scheduler_leaves_other_jobs_alone(simulated: LocalPlatform, blocked: Json) -> None:
    """A scheduled run supersedes runs of its own job only."""
    simulated.behave(over_scheduling="cancel_older")
    queued = schedule(simulated, blocked["job_id"])
    assert simulated.wait(schedule(simulated, simulated.jobs["run"]))["status"] == 10
    assert simulated.get(f"runs/{queued['id']}/")["status"] == 1
    simulated.cancel(queued)


@pytest.mark.parametrize("filled", [True, False])
def test_a_cancelled_run_may_lack_the_time_of_its_end(
    simulated: LocalPlatform, blocked: Json, *, filled: bool
) -> None:
    """Whether it was queued or in progress."""
    simulated.behave(cancelled_finished_at_filled=filled)
    queued = simulated.trigger("seeds")
    for run in (queued, blocked):
        simulated.cancel(run)
        cancelled = simulated.get(f"runs/{run['id']}/")
        assert (cancelled["status"], cancelled["is_complete"]) == (30, True)
        assert (cancelled["finished_at"] is not None) is filled


def test_a_run_that_was_not_cancelled_always_has_the_time_of_its_end(simulated: LocalPlatform) -> None:
    """The switch concerns cancelled runs only."""
    simulated.behave(cancelled_finished_at_filled=False)
    assert simulated.run("seeds")["finished_at"] is not None


def test_a_deactivated_job_is_not_scheduled(simulated: LocalPlatform, failed: Json) -> None:
    """dbt's scheduler is refused as clients are, and queues nothing."""
    job = failed["job_id"]
    simulated.control("POST", f"jobs/{job}", {"deactivated": True})
    assert simulated.send("POST", f"/_control/jobs/{job}/schedule").status_code == 400
    assert simulated.get("runs/", job_definition_id=job, order_by="-id", limit=1)[0]["id"] == failed["id"]


# --- mistakes


def test_unknown_objects_and_fields_are_refused(simulated: LocalPlatform) -> None:
    """A misspelt request must not leave a test without its incident."""
    for method, what, body in (
        ("POST", "jobs/1", {"deactivated": True}),
        ("POST", "jobs/1/schedule", None),
        ("DELETE", "runs/1", None),
        ("POST", "account", {"lock": True}),
    ):
        assert simulated.send(method, f"/_control/{what}", json=body).status_code in {400, 404}
