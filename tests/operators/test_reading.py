"""The operators that list jobs and runs and fetch an artifact, with the official arguments and answers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun import (
    DbtCloudGetJobRunArtifactOperator,
    DbtCloudListJobRunsOperator,
    DbtCloudListJobsOperator,
)
from airflow_dbt_rerun.exceptions import DbtConfigError, DbtNotFoundError
from tests.support import LocalPlatform

JOBS = {"nightly": "dbt seed; dbt build --exclude resource_type:seed", "seeds": "dbt seed"}
CONTEXT: Any = {}

pytestmark = pytest.mark.usefixtures("connected")


def test_jobs_are_listed(simulated: LocalPlatform) -> None:
    """The ids of all jobs, or of a project's."""
    assert DbtCloudListJobsOperator(task_id="list").execute(CONTEXT) == sorted(simulated.jobs.values())
    newest = DbtCloudListJobsOperator(task_id="list", order_by="-id").execute(CONTEXT)
    assert newest == sorted(simulated.jobs.values(), reverse=True)
    (project,) = simulated.get("projects/")
    of_project = DbtCloudListJobsOperator(task_id="list", project_id=str(project["id"])).execute(CONTEXT)
    assert sorted(of_project) == sorted(simulated.jobs.values())
    assert DbtCloudListJobsOperator(task_id="list", project_id=project["id"] + 1).execute(CONTEXT) == []


def runs(**arguments: Any) -> Any:
    """List runs as a task does."""
    return DbtCloudListJobRunsOperator(task_id="list", **arguments).execute(CONTEXT)


def test_runs_are_listed(simulated: LocalPlatform) -> None:
    """Each run as dbt describes it, with what is related; all pages."""
    first, second = simulated.run("seeds"), simulated.run("seeds")
    found = runs(job_id=simulated.jobs["seeds"], include_related=["trigger"])
    assert [run["id"] for run in found][-2:] == [first["id"], second["id"]]
    assert found[-1]["trigger"]["cause"] == "a test"
    assert json.loads(json.dumps(found)) == found


def test_latest_run_by_status(simulated: LocalPlatform) -> None:
    """dbt filters, so that one request with one run suffices."""
    good = simulated.run("nightly")
    simulated.trouble({"node": "orders", "times": 1, "message": "Table with name raw_refunds does not exist!"})
    bad = simulated.run("nightly")
    simulated.control("DELETE", "requests")
    job_id = simulated.jobs["nightly"]
    assert runs(job_id=job_id, latest_only=True)["id"] == bad["id"]
    assert runs(job_id=job_id, latest_only=True, status_filter=10)["id"] == good["id"]
    assert runs(job_id=job_id, latest_only=True, status_filter=[30, 1]) is None
    assert len(simulated.paths()) == 3
    assert {run["status"] for run in runs(status_filter=[20, 30])} == {20}


def test_artifact_is_written(simulated: LocalPlatform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is the artifact, byte for byte; its name is the official one, or the given one."""
    monkeypatch.chdir(tmp_path)
    run = simulated.run("nightly")
    path = f"runs/{run['id']}/artifacts/run_results.json"
    fetch = DbtCloudGetJobRunArtifactOperator(task_id="get", run_id=str(run["id"]), path="run_results.json")
    name = fetch.execute(CONTEXT)
    assert name == f"{run['id']}_run_results.json"
    assert (tmp_path / name).read_bytes() == simulated.send("GET", path).content
    seeds = DbtCloudGetJobRunArtifactOperator(
        task_id="get", run_id=run["id"], path="run_results.json", step=4, output_file_name="new/seeds.json"
    )
    assert seeds.execute(CONTEXT) == "new/seeds.json"
    named = {each["unique_id"] for each in json.loads((tmp_path / "new/seeds.json").read_text())["results"]}
    assert named
    assert named != {each["unique_id"] for each in json.loads((tmp_path / name).read_text())["results"]}


def test_artifact_that_is_not_there(simulated: LocalPlatform, tmp_path: Path) -> None:
    """Nothing is written."""
    run = simulated.run("seeds")
    file = tmp_path / "catalog.json"
    fetch = DbtCloudGetJobRunArtifactOperator(
        task_id="get", run_id=run["id"], path="catalog.json", output_file_name=str(file)
    )
    with pytest.raises(DbtNotFoundError):
        fetch.execute(CONTEXT)
    assert not file.exists()


@pytest.mark.parametrize(
    ("cls", "given", "words"),
    [
        (DbtCloudListJobRunsOperator, {"status_filter": 11}, "status_filter takes one or several of 1, 2, 3, 10"),
        (DbtCloudListJobRunsOperator, {"status_filter": []}, "status_filter takes"),
        (DbtCloudListJobsOperator, {"project_id": "shop"}, "project_id must be a number"),
        (DbtCloudGetJobRunArtifactOperator, {"run_id": 1, "path": ""}, "path takes a text that is not empty"),
        (DbtCloudGetJobRunArtifactOperator, {"run_id": 1, "path": "x", "step": 0}, "step takes a whole number"),
    ],
)
def test_wrong_argument_is_named(cls: Any, given: dict[str, Any], words: str) -> None:
    """As in all tasks of this package, while the DAG is parsed."""
    with pytest.raises(DbtConfigError, match=words):
        cls(task_id="t", **given)
