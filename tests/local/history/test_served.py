"""A platform that begins with a history, over HTTP."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.core.diagnosis import diagnose
from airflow_dbt_rerun.engine.reader import RunReader
from airflow_dbt_rerun.local.command import add_options
from airflow_dbt_rerun.local.options import InvalidOptionError, read_options
from tests.support import EXAMPLE_PROJECT, Json, LocalPlatform, local_platform

HISTORY = ("--simulate", "--history", "21", "--history-seed", "3", "--history-until", "2025-03-31T06:07Z")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """Serve three weeks of twenty jobs."""
    with local_platform(tmp_path_factory.mktemp("served"), *HISTORY, jobs={"mine": "dbt run"}) as platform:
        yield platform


def pages(platform: LocalPlatform, **params: str | int) -> list[Json]:
    """Return all runs that a filter matches, page by page."""
    found: list[Json] = []
    while page := platform.get("runs/", limit=100, offset=len(found), **params):
        found += page
    return found


def test_the_history_ends_now_and_is_listed_in_pages(served: LocalPlatform) -> None:
    """As many runs as the truth counts, in order, and the last of them ended today."""
    runs = pages(served, order_by="-created_at")
    truth = served.truth()
    assert len(runs) == truth["runs"]
    created = [run["created_at"] for run in runs]
    assert created == sorted(created, reverse=True)
    assert truth["from"] < created[-1] < created[0] < truth["until"]
    assert all(run["is_complete"] and run["finished_at"] < truth["until"] for run in runs)


def test_filters_find_the_failures(served: LocalPlatform) -> None:
    """By status, by job and by time, the same runs as the truth names."""
    failures = served.truth()["failures"]
    assert {run["id"] for run in pages(served, status__in="[20,30]")} == {each["run_id"] for each in failures}
    first, last = failures[3], failures[-3]
    between = f'["{first["finished_at"]}", "{last["finished_at"]}"]'
    listed = pages(served, finished_at__range=between, status=20, order_by="finished_at")
    expected = [
        each["run_id"]
        for each in sorted(failures, key=lambda each: str(each["finished_at"]))
        if first["finished_at"] <= each["finished_at"] <= last["finished_at"] and each["status"] == 20
    ]
    assert [run["id"] for run in listed] == expected
    of_job = pages(served, job_definition_id=first["job_id"], status__in="[20,30]")
    assert [run["id"] for run in of_job] == [f["run_id"] for f in failures if f["job_id"] == first["job_id"]]


def test_the_diagnosis_agrees_with_the_truth(served: LocalPlatform) -> None:
    """Our own reader understands failed runs, and names nodes and categories as they truly were."""
    client = DbtClient(Settings(served.base_url, served.account_id, served.token))
    reader = RunReader(client)
    for failure in served.truth()["failures"][::4]:
        run = reader.read(failure["run_id"])
        found = diagnose(run, reader.results(run))
        expected = "unknown" if not failure["signature_known"] else failure["category"]
        if not failure["nodes"]:
            assert [str(finding.category) for finding in found.findings] == [expected]
        elif failure["status"] == 20:
            named = {finding.subject: str(finding.category) for finding in found.findings}
            assert named == {
                node["unique_id"]: node["category"] if node["signature_known"] else "unknown"
                for node in failure["nodes"]
            }


def test_what_follows_a_failure_is_what_the_truth_says(served: LocalPlatform) -> None:
    """The next run of the job, its trigger and its commit, as the API shows them."""
    runs = pages(served, order_by="id", include_related='["trigger"]')
    for failure in served.truth()["failures"]:
        later = (run for run in runs if run["job_id"] == failure["job_id"] and run["id"] > failure["run_id"])
        after = next(later, None)
        if after is None:
            assert failure["next"]["kind"] == "nothing"
            continue
        expected = failure["next"]
        assert (after["id"], after["status"], after["created_at"]) == (
            expected["run_id"],
            expected["status"],
            expected["created_at"],
        )
        category = {"scheduled": "scheduled", "person_from_start": "ui", "person_from_failure": "rerun"}
        assert after["trigger"]["cause_category"] == category[expected["kind"]]
        is_retry = expected["kind"] == "person_from_failure"
        assert after["retrying_run_id"] == (failure["run_id"] if is_retry else None)
        if after["git_sha"] is not None:
            assert (after["git_sha"] != failure["git_sha"]) is expected["commit_between"]


def test_only_the_newest_run_of_a_job_can_be_retried(served: LocalPlatform) -> None:
    """Older failures are refused as such, whatever else is true of them."""
    for run in pages(served, status=20)[:-3]:
        if run["can_retry"]:
            newer = pages(served, job_definition_id=run["job_id"], id__gt=run["id"])
            assert newer == []
        else:
            assert run["retry_not_supported_reason"] in {"RETRY_NOT_LATEST_RUN", "RETRY_NO_RUN_RESULTS"}


def test_a_step_leaves_what_a_real_one_leaves(served: LocalPlatform) -> None:
    """A failed command has a log, results and a manifest; a clone has a log only."""
    failure = next(each for each in served.truth()["failures"] if each["nodes"])
    run = served.get(f"runs/{failure['run_id']}/", include_related="run_steps,trigger,job")
    assert run["job"]["execute_steps"]
    assert [step["index"] for step in run["run_steps"]] == list(range(1, failure["step"] + 1))
    assert all(step["logs"] for step in run["run_steps"])
    path = f"runs/{failure['run_id']}/artifacts"
    assert served.get(f"{path}/") == ["manifest.json", "run_results.json"]
    assert served.send("GET", f"{path}/run_results.json", params={"step": 1}).status_code == 404
    results = served.send("GET", f"{path}/run_results.json").json()
    assert results["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run["id"])
    assert all(result["execution_time"] >= 0 for result in results["results"])


def test_the_platform_lives_on(served: LocalPlatform) -> None:
    """The newest failure of a job is resumed by a simulated dbt retry; another job runs as usual."""
    failed = next(run for run in pages(served, order_by="-id", status=20) if run["can_retry"])
    names = {unique.split(".")[2] for unique in unfinished(served, failed)}
    again = served.wait(served.post(f"runs/{failed['id']}/retry/"))
    assert again["status"] == 10
    assert again["retrying_run_id"] == failed["id"]
    step = next(step for step in served.steps(again) if step["name"] == "Invoke dbt with `dbt retry`")
    assert set(served.results(again, step["index"])) == names
    assert served.run("mine")["status"] == 10


def unfinished(platform: LocalPlatform, run: Json) -> list[str]:
    """Return the nodes that failed or were skipped in a run's last step."""
    results = platform.send("GET", f"runs/{run['id']}/artifacts/run_results.json").json()["results"]
    return [each["unique_id"] for each in results if each["status"] in ("error", "fail", "skipped")]


# --- starting


def test_a_restart_continues_from_the_history(tmp_path: Path) -> None:
    """The same runs and the same files, with and without the option; it ends now; another history is refused."""
    short = ("--simulate", "--history", "8", "--history-jobs", "3")
    with local_platform(tmp_path, *short, jobs={}) as platform:
        before, first = statuses(platform), last_artifact(platform)
        until = datetime.fromisoformat(platform.truth()["until"])
        assert datetime.now(UTC) - until < timedelta(minutes=5)
    with local_platform(tmp_path, "--simulate", jobs={}) as platform:
        assert statuses(platform) == before
        assert last_artifact(platform).content == first.content
    with (
        pytest.raises(AssertionError, match="holds another history: --history 8 --history-jobs 3 --history-seed 0"),
        local_platform(tmp_path, "--simulate", "--history", "9", jobs={}),
    ):
        pass


def statuses(platform: LocalPlatform) -> dict[int, int]:
    """Return the status of each run."""
    return {run["id"]: run["status"] for run in pages(platform)}


def last_artifact(platform: LocalPlatform) -> requests.Response:
    """Return the results of the newest run that succeeded."""
    run = platform.get("runs/", order_by="-id", status=10, limit=1)[0]
    return platform.send("GET", f"runs/{run['id']}/artifacts/run_results.json")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--simulate", "--history", "9", "--history-until", "soon"), "--history-until: 'soon' is not a moment"),
        (("--simulate", "--history", "9", "--history-until", "2999-01-01"), "must not be in the future"),
        (("--simulate", "--engine", "v2", "--history", "9"), "--history: needs --simulate, and the engine core"),
        (("--history", "9"), "--history: needs --simulate"),
        (("--simulate", "--history", "0"), "--history: must be a whole number from 1 to 365, not 0"),
        (("--simulate", "--history", "9", "--history-jobs", "900"), "--history-jobs: must be a whole number"),
        (("--simulate", "--history-seed", "9"), "--history-seed: needs --history DAYS"),
    ],
)
def test_options_that_make_no_history_are_refused(options: tuple[str, ...], message: str) -> None:
    """The message names the option and the fix."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    with pytest.raises(InvalidOptionError, match=message):
        read_options(parser.parse_args(["--project-dir", str(EXAMPLE_PROJECT), *options]))


def test_a_state_directory_that_is_in_use_gets_no_history(tmp_path: Path) -> None:
    """Ids of a history would come after runs that are older."""
    with local_platform(tmp_path, "--simulate", jobs={"mine": "dbt run"}):
        pass
    with (
        pytest.raises(AssertionError, match="already holds jobs; name an empty one with --state-dir"),
        local_platform(tmp_path, "--simulate", "--history", "9", jobs={}),
    ):
        pass
