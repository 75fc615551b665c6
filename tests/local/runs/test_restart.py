"""What survives a crash or a stop of the server, and what does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.support import EXAMPLE_PROJECT, LocalPlatform

NewPlatform = Callable[..., AbstractContextManager[LocalPlatform]]


@pytest.fixture(params=["simulated", pytest.param("real", marks=[pytest.mark.nightly, pytest.mark.dbt])])
def either_platform(request: pytest.FixtureRequest, new_platform: NewPlatform) -> NewPlatform:
    """Platforms with a simulated dbt, and at night with a real one: the same is expected."""
    return partial(new_platform, "--simulate") if request.param == "simulated" else new_platform


def test_a_run_that_a_crash_interrupted_is_an_error(either_platform: NewPlatform) -> None:
    """It ends and cannot be resumed; the run that waited for it runs on the new server."""
    with either_platform() as first:
        first.run("seeds")
        first.trouble({"node": "stg_orders", "seconds": 60})
        interrupted, waiting = first.trigger("orders"), first.trigger("orders")
        first.until_troubled("stg_orders")
        first.kill()
    with either_platform() as second:
        shown = second.get(f"runs/{interrupted['id']}/")
        assert (shown["status"], shown["finished_at"] is not None) == (20, True)
        assert "stopped" in shown["status_message"]
        assert (shown["can_retry"], second.steps(shown)[-1]["status"]) == (False, 20)
        assert second.wait(waiting)["status"] == 10


def test_a_new_server_continues_where_the_old_one_stopped(either_platform: NewPlatform) -> None:
    """Job ids, the token, runs, artifacts and logs are the same, and a failed run can be resumed."""
    with either_platform() as first:
        first.run("seeds")
        first.trouble({"node": "orders", "times": 1, "message": "Connection reset by peer"})
        failed = first.run("orders")
        before = first.steps(failed)
        assert first.stop() == 0
    with either_platform() as second:
        assert (second.token, second.jobs) == (first.token, first.jobs)
        assert second.steps(failed) == before
        resumed = second.retry(failed)
    assert (resumed["status"], resumed["id"]) == (10, failed["id"] + 1)


def test_jobs_of_an_earlier_server_are_updated(either_platform: NewPlatform) -> None:
    """A job with the same name gets the new commands; other jobs remain."""
    with either_platform(jobs={"a": "dbt seed", "b": "dbt build"}) as first:
        ids = dict(first.jobs)
    with either_platform(jobs={"a": "dbt seed; dbt run"}) as second:
        assert second.jobs == ids
        assert second.get(f"jobs/{ids['a']}/")["execute_steps"] == ["dbt seed", "dbt run"]
        assert second.get(f"jobs/{ids['b']}/")["execute_steps"] == ["dbt build"]


@pytest.mark.parametrize("how", [pytest.param("stop", marks=pytest.mark.nightly), "kill"])
def test_nothing_is_left_running(new_platform: NewPlatform, how: str) -> None:
    """dbt ends with the server, even in the middle of a query."""
    with new_platform() as platform:
        platform.run("seeds")
        platform.trouble({"node": "stg_orders", "seconds": 60})
        run = platform.trigger("orders")
        platform.until_troubled("stg_orders")
        started = psutil.Process(platform.process.pid).children(recursive=True)
        assert len(started) >= 2  # the fork server and dbt
        getattr(platform, how)()
        _, alive = psutil.wait_procs(started, timeout=30)
        assert alive == []
    with new_platform() as after:
        assert after.get(f"runs/{run['id']}/")["status"] == 20


@pytest.mark.nightly
def test_the_state_directory_may_lie_in_the_project(new_platform: NewPlatform, tmp_path: Path) -> None:
    """That is the default when the current directory is served; runs do not copy it."""
    inside = tmp_path / "project" / ".local-platform"
    with new_platform("--state-dir", str(inside)) as platform:
        assert platform.run("seeds")["status"] == 10
        assert platform.run("seeds")["status"] == 10
        copies = list((inside / "work").glob("*/.local-platform"))
    assert copies == []


def test_two_servers_do_not_share_a_state_directory(either_platform: NewPlatform) -> None:
    """The second would fail the runs of the first, so it is refused; the first continues."""
    with either_platform() as platform:
        state = str(platform.state.parent)
        command = [sys.executable, "-m", "airflow_dbt_rerun.local", "--project-dir", str(EXAMPLE_PROJECT)]
        second = subprocess.run([*command, "--state-dir", state], capture_output=True, text=True, check=False)
        assert second.returncode == 2
        assert second.stderr.startswith("airflow-dbt-rerun local: --state-dir")
        assert platform.get("jobs/")
