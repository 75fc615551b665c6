"""How each endpoint is spelled on the wire, and how its answer is read. Nothing is sent here."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.endpoints import Endpoint, Page, Resource, RetryPreview, next_page
from airflow_dbt_rerun.core.dbt.fields import FieldError
from airflow_dbt_rerun.core.dbt.jobs import Job
from airflow_dbt_rerun.core.dbt.models import Run, WatchedRun
from airflow_dbt_rerun.exceptions import DbtConfigError

ACCOUNT = 70403103922125
V2 = f"/api/v2/accounts/{ACCOUNT}"
V3 = f"/api/v3/accounts/{ACCOUNT}"


@pytest.mark.parametrize(
    ("endpoint", "method", "path"),
    [
        (endpoints.get_account(), "GET", f"{V2}/"),
        (endpoints.list_projects(), "GET", f"{V3}/projects/"),
        (endpoints.list_environments(5), "GET", f"{V3}/projects/5/environments/"),
        (endpoints.get_job(5), "GET", f"{V2}/jobs/5/"),
        (endpoints.list_jobs(), "GET", f"{V2}/jobs/"),
        (endpoints.trigger_job(5, cause="x"), "POST", f"{V2}/jobs/5/run/"),
        (endpoints.rerun_job("5"), "POST", f"{V2}/jobs/5/rerun/"),
        (endpoints.get_run(" 70403110257794 "), "GET", f"{V2}/runs/70403110257794/"),
        (endpoints.get_run_state(7), "GET", f"{V2}/runs/7/"),
        (endpoints.list_runs(), "GET", f"{V2}/runs/"),
        (endpoints.list_run_states([7]), "GET", f"{V2}/runs/"),
        (endpoints.list_going_runs(), "GET", f"{V2}/runs/"),
        (endpoints.list_ended_runs(), "GET", f"{V2}/runs/"),
        (endpoints.list_watched_runs(statuses=(10,), ended_since=0.0), "GET", f"{V2}/runs/"),
        (endpoints.preview_retry(7), "GET", f"{V2}/runs/7/retry/"),
        (endpoints.retry_run(7), "POST", f"{V2}/runs/7/retry/"),
        (endpoints.cancel_run(7), "POST", f"{V2}/runs/7/cancel/"),
        (endpoints.get_step(9), "GET", f"{V2}/steps/9/"),
        (endpoints.list_artifacts(7), "GET", f"{V2}/runs/7/artifacts/"),
        (endpoints.get_artifact(7, "manifest.json"), "GET", f"{V2}/runs/7/artifacts/manifest.json"),
        (endpoints.get_artifact(7, "/compiled/a b.sql"), "GET", f"{V2}/runs/7/artifacts/compiled/a%20b.sql"),
    ],
)
def test_paths(endpoint: Endpoint[Any], method: str, path: str) -> None:
    """Method and path are the documented ones; all but artifacts end in a slash, which POSTs depend on."""
    assert (endpoint.method, urlsplit(endpoint.location(ACCOUNT)).path) == (method, path)


@pytest.mark.parametrize(
    ("endpoint", "query"),
    [
        (endpoints.get_run(7), {}),
        (endpoints.get_run(7, include_related=("run_steps", "job")), {"include_related": ["['run_steps','job']"]}),
        (endpoints.get_step(9, debug_logs=True), {"include_related": ["['debug_logs']"]}),
        (endpoints.get_artifact(7, "x"), {}),
        (endpoints.get_step_results(7, step=4), {"step": ["4"]}),
        (
            endpoints.list_runs(ids=[1, "2"], status_in=[1, 2, 3], limit=2),
            {"pk__in": ["[1,2]"], "status__in": ["[1,2,3]"], "order_by": ["-id"], "limit": ["2"], "offset": ["0"]},
        ),
        (
            endpoints.list_run_states([1, 2]),
            {"pk__in": ["[1,2]"], "order_by": ["-id"], "limit": ["2"], "offset": ["0"]},
        ),
        (
            endpoints.list_going_runs(offset=100),
            {"status__in": ["[1,2,3]"], "order_by": ["-id"], "limit": ["100"], "offset": ["100"]},
        ),
        (
            endpoints.list_ended_runs(),
            {
                "status__in": ["[10,20,30]"],
                "order_by": ["-finished_at"],
                "limit": ["100"],
                "offset": ["0"],
            },
        ),
        (
            endpoints.list_runs(
                job_id="3",
                project_id=4,
                environment_id=5,
                status=20,
                id_gt=6,
                created_at=(datetime(2026, 1, 1, tzinfo=UTC), "2026-01-02"),
                finished_at=("a", "b"),
                include_related=("trigger",),
                order_by="created_at",
                offset=100,
            ),
            {
                "job_definition_id": ["3"],
                "project_id": ["4"],
                "environment_id": ["5"],
                "status": ["20"],
                "id__gt": ["6"],
                "created_at__range": ['["2026-01-01T00:00:00+00:00","2026-01-02"]'],
                "finished_at__range": ['["a","b"]'],
                "include_related": ["['trigger']"],
                "order_by": ["created_at"],
                "limit": ["100"],
                "offset": ["100"],
            },
        ),
        (
            endpoints.list_jobs(project_id=1, environment_id=2, name_contains="Night & day", limit=1, offset=3),
            {
                "project_id": ["1"],
                "environment_id": ["2"],
                "name__icontains": ["Night & day"],
                "limit": ["1"],
                "offset": ["3"],
            },
        ),
    ],
)
def test_queries(endpoint: Endpoint[Any], query: dict[str, list[str]]) -> None:
    """Lists go as one JSON array, related objects in dbt Labs' own spelling, and what is None stays away."""
    assert parse_qs(urlsplit(endpoint.location(ACCOUNT)).query) == query


def test_trigger_body() -> None:
    """The cause wins and is cut to what the platform keeps; overrides that are None are not sent."""
    overrides = {
        "steps_override": ["dbt build"],
        "git_sha": None,
        "cause": "forged",
        "generate_docs_override": False,
    }
    body = endpoints.trigger_job(5, cause="c" * 300, overrides=overrides).json
    assert body == {"cause": "c" * 255, "steps_override": ["dbt build"], "generate_docs_override": False}


def test_posts_without_a_documented_body_send_none() -> None:
    """Retry, rerun and cancel take no body."""
    assert [make(7).json for make in (endpoints.retry_run, endpoints.rerun_job, endpoints.cancel_run)] == [None] * 3


def test_overrides_stay_out_of_the_repr() -> None:
    """P10: overrides may carry secrets in ``--vars``, so neither repr nor name shows them."""
    endpoint = endpoints.trigger_job(5, cause="why", overrides={"steps_override": ["dbt run --vars 'pw: hunter2'"]})
    assert "hunter2" not in repr(endpoint) + str(endpoint)


@pytest.mark.parametrize("wrong", ["abc", "", "12x", "-1", "0", "1.5", "٣", "{{ var.value.job }}"])
def test_an_id_that_is_no_number_is_one_clear_line(wrong: str) -> None:
    """A job id that did not render, or was mistyped, is refused before anything is sent."""
    with pytest.raises(DbtConfigError, match="job_id must be a number, not ") as caught:
        endpoints.get_job(wrong)
    assert repr(wrong) in str(caught.value)


def read(endpoint: Endpoint[Any], envelope: Any) -> Any:
    """Read an answer from its decoded form."""
    return endpoint.parse(json.dumps(envelope).encode())


def test_lists_know_their_total() -> None:
    """A page holds its elements and, where the platform says so, how many there are in all."""
    envelope = {"data": [{"id": 1, "name": "a"}], "extra": {"pagination": {"count": 1, "total_count": 9}}}
    assert read(endpoints.list_projects(), envelope) == Page((Resource(1, "a"),), 9)
    assert read(endpoints.list_projects(), {"data": []}) == Page((), None)


@pytest.mark.parametrize(
    ("items", "total", "limit", "offset", "following"),
    [
        (2, 5, 2, 0, 2),
        (2, 5, 2, 2, 4),
        (1, 5, 2, 4, None),
        (0, 5, 2, 4, None),
        (2, None, 2, 0, 2),
        (1, None, 2, 2, None),
        (2, 2, 2, 0, None),
        (1, 5, 2, 0, 1),
    ],
)
def test_paging_ends(items: int, total: int | None, limit: int, offset: int, following: int | None) -> None:
    """The next page starts behind the last element seen; an empty page ends the list whatever the total claims."""
    page = Page((Job(1, "a"),) * items, total)
    after = next_page(endpoints.list_jobs(limit=limit, offset=offset), page)
    assert (after.params["offset"] if after else None) == following


def test_watching_reads_what_it_needs() -> None:
    """Of each run, id, status and start are read; a run without a status is an unreadable answer."""
    run = {"id": "7", "status": 3, "started_at": "2026-01-01 00:00:00+00:00", "job": {}, "run_steps": None}
    state = WatchedRun(7, 3, "2026-01-01 00:00:00+00:00")
    assert read(endpoints.get_run_state(7), {"data": run}) == state
    listed = Page((state,), 1)
    for endpoint in (endpoints.list_run_states([7]), endpoints.list_going_runs()):
        assert read(endpoint, {"data": [run], "extra": {"pagination": {"total_count": 1}}}) == listed
    with pytest.raises(FieldError, match="'status' is missing"):
        read(endpoints.get_run_state(7), {"data": {"id": 7}})


def test_small_answers() -> None:
    """A retry plan and an empty list of artifacts are read from the recorded shapes."""
    plan = {"data": {"failed_step": "dbt build", "skipped_steps": ["dbt test"]}}
    assert read(endpoints.preview_retry(7), plan) == RetryPreview("dbt build", ("dbt test",))
    assert read(endpoints.list_artifacts(7), {"data": ["manifest.json"]}) == ("manifest.json",)
    assert read(endpoints.list_artifacts(7), {"data": None}) == ()


def test_artifacts_come_raw_decoded_or_as_results() -> None:
    """One artifact, three ways to read it; results know the step they belong to."""
    file = {
        "metadata": {"adapter_type": "duckdb"},
        "results": [{"unique_id": "model.shop.orders", "status": "error", "message": "boom"}],
    }
    raw = json.dumps(file).encode()
    assert endpoints.get_artifact(7, "run_results.json").parse(raw) == raw
    assert endpoints.get_json_artifact(7, "run_results.json").parse(raw) == file
    results = endpoints.get_step_results(7, step=4).parse(raw)
    assert (results.adapter, results.step_index, results.nodes[0].message) == ("duckdb", 4, "boom")


RUN_OF_JOB = {"id": 8, "status": 1, "job_definition_id": 5}


@pytest.mark.parametrize(
    ("endpoint", "answer"),
    [
        (endpoints.get_run(7), {**RUN_OF_JOB, "status": 10}),
        (endpoints.get_run_state(7), {**RUN_OF_JOB, "status": 10}),
        (endpoints.cancel_run(7), RUN_OF_JOB),
        (endpoints.get_job(7), {"id": 8}),
        (endpoints.get_step(7), {"id": 8, "index": 1, "status": 10}),
        (endpoints.trigger_job(5, cause=""), {**RUN_OF_JOB, "job_definition_id": 6}),
        (endpoints.trigger_job(5, cause=""), {**RUN_OF_JOB, "job_definition_id": None}),
        (endpoints.trigger_job(5, cause=""), {**RUN_OF_JOB, "id": 0}),
        (endpoints.rerun_job(5), {**RUN_OF_JOB, "job_definition_id": 6}),
        (endpoints.retry_run(8), RUN_OF_JOB),
        (endpoints.retry_run(9), RUN_OF_JOB),
        (endpoints.retry_run(7), {**RUN_OF_JOB, "id": -8}),
        (endpoints.retry_run(7), {**RUN_OF_JOB, "retrying_run_id": 6}),
    ],
    ids=str,
)
def test_answer_about_something_else_is_refused(endpoint: Any, answer: dict[str, Any]) -> None:
    """P1: an answer about another run, or a run of another job, is no answer to the question."""
    with pytest.raises(FieldError):
        read(endpoint, {"data": answer})


@pytest.mark.parametrize(
    "status", [10.0, 10.9, True, " 1_0 ", "1e1", [10], None, float("inf"), 10**400, "\u0661\u0660"]
)
def test_loose_numbers_are_no_status(status: Any) -> None:
    """Success is 10 and nothing else."""
    with pytest.raises(FieldError, match="'status'"):
        Run.from_api({**RUN_OF_JOB, "status": status})
