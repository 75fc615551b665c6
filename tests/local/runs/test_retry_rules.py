"""Which newer runs keep a failed run from being retried, under both readings of dbt's documents."""

from __future__ import annotations

import pytest

from tests.support import Json, LocalPlatform

RESET = {"node": "raw_orders", "times": 2, "message": "Connection reset by peer"}
NOT_LATEST = (False, "RETRY_NOT_LATEST_RUN")
RETRYABLE = (True, None)


@pytest.fixture
def failed(simulated: LocalPlatform) -> Json:
    """Return a failed run of the job ``seeds``; the run after it fails for the same reason."""
    simulated.trouble(RESET)
    run = simulated.run("seeds")
    assert run["status"] == 20
    return run


def retryable(platform: LocalPlatform, run: Json) -> tuple[bool, str | None]:
    """Return what the platform says about a retry of a run."""
    shown = platform.get(f"runs/{run['id']}/")
    return shown["can_retry"], shown["retry_not_supported_reason"]


@pytest.mark.parametrize(
    ("latest", "expected", "status"), [("any_newer", NOT_LATEST, 400), ("newer_success", RETRYABLE, 200)]
)
def test_a_newer_failure_blocks_a_retry_under_one_reading_only(
    simulated: LocalPlatform, failed: Json, latest: str, expected: tuple[bool, str | None], status: int
) -> None:
    """A run whose own retry failed is then retryable again; what the retry would run is shown either way."""
    simulated.behave(latest=latest)
    assert simulated.retry(failed)["status"] == 20
    assert retryable(simulated, failed) == expected
    assert simulated.get(f"runs/{failed['id']}/retry/")["failed_step"] == "dbt seed"
    answer = simulated.send("POST", f"runs/{failed['id']}/retry/")
    assert answer.status_code == status
    if answer.ok:
        assert simulated.wait(answer.json()["data"])["retrying_run_id"] == failed["id"]


def test_one_run_can_be_retried_twice_until_a_retry_succeeds(simulated: LocalPlatform, failed: Json) -> None:
    """Two POSTs before either retry has succeeded create two runs of the same work; the first success ends that."""
    simulated.behave(latest="newer_success")
    simulated.trouble({"node": "raw_orders", "times": 1, "seconds": 60})
    first = simulated.post(f"runs/{failed['id']}/retry/")
    simulated.until_troubled("raw_orders")
    second = simulated.post(f"runs/{failed['id']}/retry/")
    assert first["retrying_run_id"] == second["retrying_run_id"] == failed["id"]
    assert first["id"] < second["id"]
    simulated.cancel(first)
    assert simulated.wait(second)["status"] == 10
    assert retryable(simulated, failed) == NOT_LATEST
    assert simulated.send("POST", f"runs/{failed['id']}/retry/").status_code == 400


@pytest.mark.parametrize("latest", ["any_newer", "newer_success"])
def test_rerun_of_a_job_resumes_its_newest_run(simulated: LocalPlatform, failed: Json, latest: str) -> None:
    """The job endpoint acts on the newest run: the failed retry, which no reading calls superseded."""
    simulated.behave(latest=latest)
    retried = simulated.retry(failed)
    rerun = simulated.wait(simulated.post(f"jobs/{failed['job_id']}/rerun/"))
    assert (rerun["status"], rerun["retrying_run_id"]) == (10, retried["id"])
