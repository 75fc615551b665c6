"""What befalls jobs, runs and the account when a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import Json, LocalPlatform, local_platform

POSTS = ("jobs/{job}/run/", "jobs/{job}/rerun/", "runs/{run}/retry/")
"""Every way of asking for a run."""


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """One platform for all tests here."""
    with local_platform(tmp_path_factory.mktemp("mishaps"), "--simulate", jobs={"seeds": "dbt seed"}) as platform:
        yield platform


@pytest.fixture
def failed(simulated: LocalPlatform) -> Iterator[Json]:
    """A failed run, on a platform that is itself again afterwards."""
    simulated.trouble({"node": "raw_orders", "times": 1, "message": "Connection reset by peer"})
    before = simulated.control("GET", "behaviour")
    yield simulated.run("seeds")
    simulated.control("DELETE", "account")
    simulated.control("POST", f"jobs/{simulated.jobs['seeds']}", {"deactivated": False})
    simulated.behave(**before)
    simulated.trouble()


def statuses(platform: LocalPlatform, run: Json) -> set[int]:
    """Ask for a run in every way."""
    paths = [path.format(job=run["job_id"], run=run["id"]) for path in POSTS]
    return {platform.send("POST", path, json={"cause": "a test"}).status_code for path in paths}


def test_a_deactivated_job_starts_no_run(simulated: LocalPlatform, failed: Json) -> None:
    """The job says so, every way of starting is refused with the chosen status, until it is activated."""
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
    "standing",
    [{"locked": True, "lock_cause": "unpaid"}, {"run_locked_until": "2999-01-01T00:00:00Z"}, {"queue_limit": 0}],
)
def test_an_account_starts_no_run(simulated: LocalPlatform, failed: Json, standing: Json) -> None:
    """The account says why, and every way of starting is refused, until it is in good standing again."""
    simulated.control("POST", "account", standing)
    account = simulated.get("")
    assert {name: account[name] for name in standing} == standing
    assert statuses(simulated, failed) == {400}
    simulated.control("DELETE", "account")
    assert simulated.get("")["queue_limit"] == 50
    assert simulated.retry(failed)["status"] == 10


def test_a_lock_that_is_over_locks_nothing(simulated: LocalPlatform, failed: Json) -> None:
    """``run_locked_until`` in the past is history."""
    simulated.control("POST", "account", {"run_locked_until": "2020-01-01T00:00:00Z"})
    assert simulated.retry(failed)["status"] == 10


def test_a_deleted_run_is_gone(simulated: LocalPlatform, failed: Json) -> None:
    """Also one that is going: it is stopped, its job runs on, and no list has it any more."""
    simulated.trouble({"node": "raw_orders", "times": 1, "seconds": 60})
    going = simulated.trigger("seeds")
    simulated.until_troubled("raw_orders")
    for run in (failed, going):
        simulated.control("DELETE", f"runs/{run['id']}")
        assert simulated.send("GET", f"runs/{run['id']}/").status_code == 404
    assert not {failed["id"], going["id"]} & {run["id"] for run in simulated.get("runs/")}
    assert simulated.run("seeds")["status"] == 10


def test_a_run_of_a_deleted_job_cannot_be_retried(simulated: LocalPlatform) -> None:
    """The run is still there, its job is not."""
    job = simulated.post("jobs/", {"name": "old", "execute_steps": ["dbt seed"]})
    simulated.trouble({"node": "raw_orders", "times": 1, "message": "Connection reset by peer"})
    run = simulated.wait(simulated.post(f"jobs/{job['id']}/run/", {"cause": "a test"}))
    simulated.send("DELETE", f"jobs/{job['id']}/")
    assert simulated.send("POST", f"runs/{run['id']}/retry/").status_code == 404
    assert simulated.get(f"runs/{run['id']}/")["status"] == 20


def test_what_is_not_there_cannot_be_changed(simulated: LocalPlatform) -> None:
    """A misspelt mishap must not leave a test without one."""
    for method, what, body in (
        ("POST", "jobs/1", {"deactivated": True}),
        ("DELETE", "runs/1", None),
        ("POST", "account", {"lock": True}),
    ):
        assert simulated.send(method, f"/_control/{what}", json=body).status_code in {400, 404}
