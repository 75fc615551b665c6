"""The life cycle of runs: their steps, their order and their end. At night on real dbt, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from tests.support import Json, LocalPlatform

SIMULATED_BY_DAY = True

RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
BUILT_IN = ["Clone git repository", "Create profile from connection corner_shop", "Invoke dbt with `dbt deps`"]


@pytest.fixture
def failed(platform: LocalPlatform) -> Json:
    """Return a run whose first of two commands failed because of one node, which then heals."""
    platform.run("seeds")
    platform.trouble(RESET)
    run = platform.run("nightly", steps_override=["dbt run", "dbt test --select stg_orders"])
    assert run["status_humanized"] == "Error"
    return run


def names(steps: list[Json]) -> list[str]:
    """Return the names of steps."""
    return [step["name"] for step in steps]


# --- one run


def test_a_successful_run_has_the_recorded_steps(platform: LocalPlatform) -> None:
    """Three built-in steps come first, then each command by its recorded name; times are in order."""
    run = platform.trigger("seeds")
    assert (run["status"], run["status_humanized"], run["in_progress"]) == (1, "Queued", True)
    run = platform.wait(run)
    steps = platform.steps(run)
    assert (run["status"], run["status_message"], run["is_success"]) == (10, None, True)
    assert names(steps) == [*BUILT_IN, "Invoke dbt with `dbt seed`"]
    assert [step["index"] for step in steps] == [1, 2, 3, 4]
    assert all(step["status_humanized"] == "Success" and step["logs"] for step in steps)
    times = [run["created_at"], run["dequeued_at"], run["started_at"], steps[0]["started_at"], run["finished_at"]]
    assert times == sorted(times)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}\+00:00", at) for at in times)


def test_a_failed_command_ends_the_run(platform: LocalPlatform, failed: Json) -> None:
    """The last step is the failed one; its log has dbt's message and the recorded last line."""
    last = platform.steps(failed)[-1]
    assert failed["status_message"] == "dbt command failed"
    assert (last["name"], last["status"]) == ("Invoke dbt with `dbt run`", 20)
    assert "Connection reset by peer" in last["logs"]
    assert "\x1b[31m" in last["logs"]
    assert last["logs"].splitlines()[-1] == "dbt command failed"
    assert platform.results(failed, step=4)["orders"] == "error"


def test_a_retry_runs_unfinished_nodes_and_then_skipped_commands(platform: LocalPlatform, failed: Json) -> None:
    """Nodes that succeeded do not run again; commands that were skipped do."""
    before = platform.results(failed, step=4)
    run = platform.retry(failed)
    assert run["status"] == 10
    assert run["retrying_run_id"] == failed["id"]
    assert platform.results(run, step=4).keys() == {name for name, was in before.items() if was != "success"}
    assert names(platform.steps(run))[3:] == [
        "Invoke dbt with `dbt retry`",
        "Invoke dbt with `dbt test --select stg_orders`",
    ]
    trigger = platform.get(f"runs/{run['id']}/", include_related="trigger")["trigger"]
    assert trigger["cause_category"] == "rerun"


def test_a_retry_that_fails_can_be_retried(platform: LocalPlatform) -> None:
    """The second retry resumes the first, not the beginning."""
    platform.run("seeds")
    platform.trouble({**RESET, "times": 2})
    first = platform.run("orders")
    second = platform.retry(first)
    third = platform.retry(second)
    assert [run["status"] for run in (first, second, third)] == [20, 20, 10]
    assert third["retrying_run_id"] == second["id"]
    assert "stg_orders" not in platform.results(third)


def test_artifacts_name_their_run(platform: LocalPlatform) -> None:
    """Each run_results.json names the run, its job and the reason, as on dbt's platform."""
    run = platform.run("seeds", cause="because")
    metadata = platform.send("GET", f"runs/{run['id']}/artifacts/run_results.json").json()["metadata"]
    assert metadata["env"]["DBT_CLOUD_RUN_ID"] == str(run["id"])
    assert metadata["env"]["DBT_CLOUD_JOB_ID"] == str(run["job_id"])
    assert metadata["env"]["DBT_CLOUD_RUN_REASON"] == "because"


def test_an_error_of_the_platform_ends_the_run(
    new_platform: Callable[..., AbstractContextManager[LocalPlatform]],
) -> None:
    """The run ends as Error with a message, instead of remaining in progress."""
    with new_platform() as platform:
        (platform.project / "profiles.yml").unlink()
        profile = platform.run("seeds")
        (platform.project / "dbt_project.yml").unlink()
        platform.project.rename(platform.project.with_name("moved"))
        clone = platform.run("seeds")
    assert (profile["status"], profile["status_message"]) == (20, "dbt command failed")
    assert clone["status"] == 20
    assert "No such file" in clone["status_message"]


# --- overrides


def test_overrides_reach_dbt(platform: LocalPlatform) -> None:
    """Schema, threads, target name and commands apply to this run only; spaces in commands do not matter."""
    changed = platform.run(
        "seeds",
        schema_override="elsewhere",
        threads_override=3,
        target_name_override="weekly",
        steps_override=["dbt  seed   --select raw_orders "],
    )
    steps = platform.steps(changed)
    assert changed["status"] == 10
    assert steps[1]["name"] == f"{BUILT_IN[1]} (override schema to 'elsewhere')"
    assert "Concurrency: 3 threads (target='weekly')" in steps[3]["logs"]
    assert "elsewhere.raw_orders" in steps[3]["logs"]
    assert "Concurrency: 1 threads (target='duckdb')" in platform.steps(platform.run("seeds"))[3]["logs"]


def test_a_checkbox_step_can_fail_without_failing_the_run(
    new_platform: Callable[..., AbstractContextManager[LocalPlatform]],
) -> None:
    """Stale sources fail their own step, which comes first, and nothing else."""
    freshness = "loaded_at_field: at, freshness: {error_after: {count: 1, period: day}}"
    sources = f"sources: [{{name: raw, tables: [{{name: nowhere, {freshness}}}]}}]"
    with new_platform() as platform:
        (platform.project / "models" / "sources.yml").write_text(sources)
        definition = {"name": "checked", "execute_steps": ["dbt seed"], "run_generate_sources": True}
        job = platform.post("jobs/", definition)
        run = platform.wait(platform.post(f"jobs/{job['id']}/run/", {"cause": "a test"}))
        steps = platform.steps(run)
    assert run["status"] == 10
    assert names(steps)[3:] == ["Invoke dbt with `dbt source freshness`", "Invoke dbt with `dbt seed`"]
    assert [step["status"] for step in steps[3:]] == [20, 10]


def test_a_timeout_cancels_without_an_actor(platform: LocalPlatform) -> None:
    """The message is the recorded one; no actor is named, and the run cannot be resumed."""
    platform.run("seeds")
    platform.trouble({"node": "stg_orders", "seconds": 60})
    run = platform.run("orders", timeout_seconds_override=2)
    audit = platform.get(f"runs/{run['id']}/", include_related="audit")["audit"]
    assert (run["status"], run["is_cancelled"]) == (30, True)
    assert run["status_message"] == (
        "This run timed out after running for 2 seconds, which exceeded the configured timeout of 2 seconds."
    )
    assert audit["cancellation"] is None
    assert run["retry_not_supported_reason"] == "RETRY_NOT_FAILED_RUN"


# --- side by side


def test_runs_of_a_job_take_turns(platform: LocalPlatform) -> None:
    """The second run is queued and names the first; a run of another job does not wait."""
    platform.run("seeds")
    platform.trouble({"node": "stg_orders", "seconds": 60})
    first, second = platform.trigger("orders"), platform.trigger("orders")
    platform.until_troubled("stg_orders")
    waiting = platform.get(f"runs/{second['id']}/")
    assert (waiting["status"], waiting["blocked_by"]) == (1, [first["id"]])
    assert platform.run("seeds")["status"] == 10
    assert platform.post(f"runs/{first['id']}/cancel/")["status"] == 30
    assert platform.wait(second)["status"] == 10


def test_a_cancelled_run_ends_at_once_and_releases_the_warehouse(platform: LocalPlatform) -> None:
    """dbt is killed in the middle of a query, the run names the actor, and the next run succeeds."""
    platform.run("seeds")
    platform.trouble({"node": "stg_orders", "seconds": 60})
    run = platform.trigger("orders")
    platform.until_troubled("stg_orders")
    answer = platform.post(f"runs/{run['id']}/cancel/")
    assert (answer["status"], answer["status_message"]) == (30, "Cancelled by user.")
    assert platform.run("orders")["status"] == 10
    audit = platform.get(f"runs/{run['id']}/", include_related="audit")["audit"]
    assert audit["cancellation"]["actor"]["name"] == "Local User"
    assert platform.steps(run)[-1]["status_humanized"] == "Cancelled"


def test_a_queued_run_can_be_cancelled_and_a_complete_run_cannot(platform: LocalPlatform) -> None:
    """Cancelling ends a run that has not started, and does not change a run that has ended."""
    platform.run("seeds")
    platform.trouble({"node": "stg_orders", "seconds": 60})
    in_progress, queued = platform.trigger("orders"), platform.trigger("orders")
    assert platform.post(f"runs/{queued['id']}/cancel/")["status"] == 30
    platform.post(f"runs/{in_progress['id']}/cancel/")
    done = platform.run("seeds")
    assert platform.post(f"runs/{done['id']}/cancel/")["status"] == 10
    assert platform.steps(queued) == []


# --- can it be resumed?


def test_only_the_latest_run_can_be_resumed(platform: LocalPlatform, failed: Json) -> None:
    """A retry supersedes the run that it retries: a second retry is refused and starts nothing."""
    assert platform.resumable(failed) == (True, None)
    run = platform.retry(failed)
    assert platform.resumable(failed) == (False, "RETRY_NOT_LATEST_RUN")
    assert platform.send("POST", f"runs/{failed['id']}/retry/").status_code == 400
    newest = platform.get("runs/", job_definition_id=run["job_id"], order_by="-id", limit=1)
    assert newest[0]["id"] == run["id"]


def test_the_failed_step_is_shown_before_a_retry(platform: LocalPlatform, failed: Json) -> None:
    """GET on the retry path names the failed and the skipped commands, and starts nothing."""
    details = platform.get(f"runs/{failed['id']}/retry/")
    assert details == {"failed_step": "dbt run", "skipped_steps": ["dbt test --select stg_orders"]}
    assert platform.resumable(failed) == (True, None)


# --- rerun of a job


def test_rerun_resumes_a_failed_latest_run(platform: LocalPlatform, failed: Json) -> None:
    """It is a retry of that run."""
    run = platform.wait(platform.post(f"jobs/{failed['job_id']}/rerun/"))
    assert (run["status"], run["retrying_run_id"]) == (10, failed["id"])


@pytest.mark.parametrize("overrides", [{}, {"steps_override": ["dbt run --no-such-option"]}])
def test_rerun_runs_all_commands_if_the_newest_run_cannot_be_resumed(
    platform: LocalPlatform, overrides: Json
) -> None:
    """After a success, and by default also after a failure that cannot be resumed."""
    before = platform.run("seeds", **overrides)
    run = platform.wait(platform.post(f"jobs/{before['job_id']}/rerun/"))
    assert (run["status"], run["retrying_run_id"]) == (10, None)
    assert names(platform.steps(run))[3:] == ["Invoke dbt with `dbt seed`"]


# --- switches


@pytest.mark.parametrize("status", [403, 409, 422])
def test_the_status_of_a_refused_retry_can_be_chosen(platform: LocalPlatform, status: int) -> None:
    """Clients can be tested with any likely status."""
    platform.behave(refused_retry_status=status)
    run = platform.run("seeds")
    assert platform.send("POST", f"runs/{run['id']}/retry/").status_code == status


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({}, (True, "Invoke dbt with `dbt retry`", "another")),
        ({"retrying_run_id_filled": False}, (False, "Invoke dbt with `dbt retry`", "another")),
        ({"retry_step_name": "command"}, (True, "Invoke dbt with `dbt run --select +orders`", "another")),
        ({"retry_keeps_overrides": False}, (True, "Invoke dbt with `dbt retry`", None)),
    ],
)
def test_the_appearance_of_a_retry_can_be_chosen(
    platform: LocalPlatform, switches: Json, expected: tuple[bool, str, str | None]
) -> None:
    """Whether it names its parent, what its step is called, and whether it has the overrides."""
    platform.behave(**switches)
    platform.run("seeds", schema_override="another")
    platform.trouble({**RESET, "node": "stg_orders"})
    run = platform.retry(platform.run("orders", schema_override="another"))
    trigger = platform.get(f"runs/{run['id']}/", include_related="trigger")["trigger"]
    seen: tuple[Any, ...] = (run["retrying_run_id"] is not None, platform.steps(run)[3]["name"])
    assert (*seen, trigger["schema_override"]) == expected


def test_unknown_switches_are_refused(platform: LocalPlatform) -> None:
    """A misspelt switch must not leave a test running under the default."""
    for body in ({"no_such_switch": 1}, {"refused_retry_status": 200}):
        answer = platform.send("POST", "/_control/behaviour", json=body)
        assert answer.status_code == 400
