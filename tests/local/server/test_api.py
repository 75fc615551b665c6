"""The Administrative API as clients use it: paths, tokens, lists, bodies and refusals."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.support import Json, LocalPlatform

pytestmark = pytest.mark.dbt

NOT_FOUND = "The requested resource was not found. Please check that you have the proper permissions."


@pytest.fixture(scope="module")
def runs(shared_platform: LocalPlatform) -> list[Json]:
    """Return three runs, oldest first: a success, an error, and a success of another job."""
    return [
        shared_platform.run("seeds"),
        shared_platform.run("seeds", steps_override=["dbt run --no-such-option"]),
        shared_platform.run("orders"),
    ]


def ids(answer: list[Json]) -> list[int]:
    """Return the ids in a list."""
    return [element["id"] for element in answer]


def envelope(code: int, user_message: str, developer_message: str | None) -> Json:
    """Return an error in the recorded format."""
    status = {"code": code, "is_success": False, "user_message": user_message}
    return {"status": {**status, "developer_message": developer_message}, "data": None}


# --- paths and tokens


def test_a_trailing_slash_makes_no_difference(platform: LocalPlatform, runs: list[Json]) -> None:
    """There is no redirect: some clients do not follow it, others lose the body of a POST."""
    run, job = f"runs/{runs[0]['id']}", f"jobs/{platform.jobs['seeds']}"
    for path in ("runs", run, job, f"{run}/artifacts"):
        answers = [platform.send("GET", spelling) for spelling in (path, f"{path}/")]
        assert [answer.status_code for answer in answers] == [200, 200]
    for spelling in ("run", "run/"):
        answer = platform.send("POST", f"{job}/{spelling}", json={"cause": "a test"})
        assert answer.status_code == 200
        platform.post(f"runs/{answer.json()['data']['id']}/cancel")


@pytest.mark.parametrize("kind", ["Token", "Bearer"])
def test_both_kinds_of_authorization_are_understood(platform: LocalPlatform, kind: str) -> None:
    """They are equivalent."""
    assert platform.send("GET", "jobs/", headers={"Authorization": f"{kind} {platform.token}"}).status_code == 200


@pytest.mark.parametrize("header", [None, "Token", "Token wrong", "Bearer \xff", "Basic {token}", "{token}"])
def test_a_wrong_token_is_answered_as_recorded(platform: LocalPlatform, header: str | None) -> None:
    """401 with the recorded body on every path, including the control path."""
    headers = {} if header is None else {"Authorization": header.format(token=platform.token).encode("latin-1")}
    for path in ("runs/", "/api/v2/no-such-thing", "/api/v2/accounts/1/runs/", "/_control/requests"):
        answer = platform.send("GET", path, headers=headers)
        assert answer.status_code == 401
        assert answer.json() == envelope(401, "Invalid token.", None)


def test_a_wrong_account_is_answered_as_recorded(platform: LocalPlatform) -> None:
    """403, not 404: the token is right, the account is not."""
    for version in ("v2", "v3"):
        answer = platform.send("GET", f"/api/{version}/accounts/{platform.account_id + 1}/projects/")
        assert answer.status_code == 403
        assert answer.json() == envelope(403, "Access denied: Token is not scoped to account.", None)


@pytest.mark.parametrize(
    "path", ["runs/1/", "jobs/1/", "steps/1/", f"runs/{10**23}/", "runs/abc/", "nothing/", "/nothing", "/api/v2/"]
)
def test_unknown_ids_and_paths_are_answered_as_recorded(platform: LocalPlatform, path: str) -> None:
    """404 with the recorded body."""
    answer = platform.send("GET", path)
    assert answer.status_code == 404
    assert answer.json() == envelope(404, NOT_FOUND, "")


def test_a_wrong_method_is_refused_in_the_envelope(platform: LocalPlatform) -> None:
    """This answer, too, is a JSON object with a status."""
    answer = platform.send("POST", "runs/")
    assert (answer.status_code, answer.json()["status"]["code"]) == (405, 405)


# --- one run


def test_every_run_has_the_fields_that_clients_rely_on(platform: LocalPlatform, runs: list[Json]) -> None:
    """Alone, in a list and after a POST; ids are integers above 2^31."""
    posted = platform.trigger("seeds")
    platform.post(f"runs/{posted['id']}/cancel/")
    for run in (posted, platform.get(f"runs/{runs[0]['id']}/"), *platform.get("runs/")):
        for name in ("id", "account_id", "project_id", "environment_id", "job_id", "job_definition_id"):
            assert isinstance(run[name], int)
            assert run[name] > 2**31
        assert isinstance(run["can_retry"], bool)
        assert run["is_cancelled"] == (run["status"] == 30)
        assert run["href"].endswith(f"/runs/{run['id']}/")


def test_related_objects_are_shown_on_request(platform: LocalPlatform, runs: list[Json]) -> None:
    """A POST always shows trigger and job; a GET has nulls and no steps by default."""
    posted = platform.trigger("seeds", cause="because")
    platform.post(f"runs/{posted['id']}/cancel/")
    assert posted["trigger"]["cause"] == "because"
    assert posted["job"]["name"] == "seeds"
    plain = platform.get(f"runs/{runs[0]['id']}/")
    assert (plain["trigger"], plain["job"], plain["run_steps"]) == (None, None, [])


@pytest.mark.parametrize(("job_embed", "has_commands"), [("full", True), ("partial", False)])
def test_the_job_inside_a_run_can_be_partial(
    platform: LocalPlatform, runs: list[Json], job_embed: str, *, has_commands: bool
) -> None:
    """It then lacks its commands wherever a run shows it; the job itself always shows them."""
    platform.behave(job_embed=job_embed)
    posted = platform.trigger("seeds")
    platform.cancel(posted)
    single = platform.get(f"runs/{runs[0]['id']}/", include_related="job")
    listed = platform.get("runs/", pk=runs[0]["id"], include_related="job")[0]
    for run in (posted, single, listed):
        assert ("execute_steps" in run["job"], run["job"]["name"]) == (has_commands, "seeds")
    assert platform.get(f"jobs/{platform.jobs['seeds']}/")["execute_steps"] == ["dbt seed"]


@pytest.mark.parametrize(
    "spelling",
    [["run_steps", "job"], "run_steps,job", '["run_steps", "job"]', "['run_steps','job']", " run_steps , job "],
)
def test_all_spellings_of_include_related_mean_the_same(
    platform: LocalPlatform, runs: list[Json], spelling: str | list[str]
) -> None:
    """Clients write lists in five ways; an empty list requests nothing."""
    run = platform.get(f"runs/{runs[0]['id']}/", include_related=spelling)
    assert len(run["run_steps"]) == 4
    assert run["job"]["id"] == platform.jobs["seeds"]
    assert run["trigger"] is None
    assert platform.get(f"runs/{runs[0]['id']}/", include_related="")["run_steps"] == []


def test_a_list_has_no_steps(platform: LocalPlatform, runs: list[Json]) -> None:
    """As documented, a list includes triggers and jobs, but no steps."""
    run = platform.get("runs/", pk=runs[0]["id"], include_related="run_steps,job,trigger")[0]
    assert (run["run_steps"], run["job"]["name"], run["trigger"]["cause"]) == ([], "seeds", "a test")


def test_debug_logs_are_complete_on_request(platform: LocalPlatform, runs: list[Json]) -> None:
    """By default there is only the truncated text, marked as such."""
    step = platform.steps(runs[0])[-1]
    assert step["debug_logs"] is None
    assert step["truncated_debug_logs"].startswith("This log output is truncated.")
    assert "MainThread" in platform.get(f"steps/{step['id']}/", include_related="debug_logs")["debug_logs"]


# --- lists


def test_filters_select_runs(platform: LocalPlatform, runs: list[Json]) -> None:
    """Each documented filter selects the runs that it describes."""
    good, bad, other = (run["id"] for run in runs)
    ours = [good, bad, other]

    def listed(**params: Any) -> list[int]:
        return ids(platform.get("runs/", pk__in=json.dumps(ours), **params))

    assert listed() == ours
    assert listed(status=20) == [bad]
    assert listed(status__in="[10, 20]", order_by="-id") == ours[::-1]
    assert listed(id__gt=good) == [bad, other]
    assert listed(pk=bad) == [bad]
    assert listed(job_definition_id=platform.jobs["orders"]) == [other]
    assert listed(environment_id=runs[0]["environment_id"]) == ours
    assert listed(environment_id=1) == []
    assert listed(project_id=runs[0]["project_id"]) == ours
    assert listed(project_id__in="[1]") == []
    assert listed(dbt_version="0.1.0") == []
    assert listed(dbt_version__in=f'["{runs[0]["dbt_version"]}"]') == ours
    assert listed(deferring_run_id=1) == []
    assert listed(has_docs_generated="true") == []
    assert listed(has_sources_generated="false") == ours
    assert listed(state="all") == ours
    assert listed(state="deleted") == []
    assert listed(finished_at__range=json.dumps([runs[1]["finished_at"], runs[2]["finished_at"]])) == [bad, other]
    assert listed(created_at__range=f"2020-01-01T00:00:00Z,{runs[0]['created_at']}") == [good]
    assert listed(no_such_filter=1) == ours


def test_a_range_of_ends_contains_no_run_in_progress(platform: LocalPlatform) -> None:
    """A run without an end is not between two times; in an order by end it comes last."""
    platform.run("seeds")
    platform.trouble({"node": "stg_orders", "seconds": 60})
    run = platform.trigger("orders")
    whole = json.dumps(["2020-01-01T00:00:00+00:00", "2100-01-01T00:00:00+00:00"])
    assert ids(platform.get("runs/", pk=run["id"])) == [run["id"]]
    assert platform.get("runs/", pk=run["id"], finished_at__range=whole) == []
    assert platform.get("runs/", order_by="-finished_at", limit=1)[0]["id"] == run["id"]
    platform.post(f"runs/{run['id']}/cancel/")


@pytest.mark.parametrize(
    "spelling", ["[{0},{1}]", "{0},{1}", '["{0}", "{1}"]', "[{0}]&pk__in=[{1}]", "{0}&pk__in={1}"]
)
def test_all_spellings_of_arrays_mean_the_same(platform: LocalPlatform, runs: list[Json], spelling: str) -> None:
    """JSON in one parameter, comma-separated values, or a repeated parameter."""
    query = spelling.format(runs[0]["id"], runs[1]["id"])
    assert ids(platform.get(f"runs/?pk__in={query}")) == ids(runs[:2])


def test_an_empty_array_selects_nothing(platform: LocalPlatform) -> None:
    """An empty filter differs from no filter."""
    assert platform.get("runs/?pk__in=[]") == []


def test_pk_in_can_be_unsupported(platform: LocalPlatform, runs: list[Json]) -> None:
    """The platform then ignores it like any unknown name and does not echo it."""
    platform.behave(pk_in_understood=False)
    answer = platform.send("GET", "runs/", params={"pk__in": f"[{runs[0]['id']}]"}).json()
    assert len(answer["data"]) > 1
    assert "pk__in" not in answer["extra"]["filters"]


def test_pages_are_counted_as_recorded(platform: LocalPlatform, runs: list[Json]) -> None:
    """A page shows its own and the total count; a page has at most 100 elements."""
    params = {"pk__in": json.dumps(ids(runs)), "limit": 2, "offset": 1, "order_by": "-created_at"}
    answer = platform.send("GET", "runs/", params=params).json()
    assert ids(answer["data"]) == [runs[1]["id"], runs[0]["id"]]
    assert answer["extra"] == {
        "filters": {
            "limit": 2,
            "offset": 1,
            "state": "all",
            "account_id": platform.account_id,
            "pk__in": ids(runs),
        },
        "order_by": "-created_at",
        "pagination": {"count": 2, "total_count": 3},
    }
    assert platform.send("GET", "runs/?limit=5000").json()["extra"]["filters"]["limit"] == 100


@pytest.mark.parametrize(
    "query",
    [
        "status=abc",
        "pk__in=[1,x]",
        "limit=0",
        "limit=x",
        "offset=-1",
        "order_by=cause",
        "state=gone",
        "created_at__range=[2020-01-01]",
        "created_at__range=[yesterday,today]",
        "has_docs_generated=perhaps",
    ],
)
def test_invalid_values_are_refused(platform: LocalPlatform, query: str) -> None:
    """400, and the message names the parameter."""
    answer = platform.send("GET", f"runs/?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.json()["status"]["user_message"]


# --- triggers


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"[]", "object"),
        (b"{}", "cause"),
        (b'{"cause": ""}', "cause"),
        (b'{"cause": "c", "steps_override": "dbt run"}', "steps_override"),
        (b'{"cause": "c", "steps_override": ["rm -rf /"]}', "steps_override"),
        (b'{"cause": "c", "steps_override": ["dbt run --vars \'{"]}', "steps_override"),
        (b'{"cause": "c", "threads_override": "4"}', "threads_override"),
        (b'{"cause": "c", "threads_override": true}', "threads_override"),
        (b'{"cause": "c", "generate_docs_override": 1}', "generate_docs_override"),
    ],
)
def test_an_invalid_trigger_starts_nothing(platform: LocalPlatform, body: bytes, named: str) -> None:
    """400, and the message names the field."""
    newest = platform.get("runs/?order_by=-id&limit=1")
    answer = platform.send("POST", f"jobs/{platform.jobs['seeds']}/run/", data=body)
    assert answer.status_code == 400
    assert named in answer.json()["status"]["user_message"]
    assert ids(platform.get("runs/?order_by=-id&limit=1")) == ids(newest)


def test_nulls_and_unknown_names_in_a_trigger_are_ignored(platform: LocalPlatform) -> None:
    """Clients send all overrides as nulls, and repeat the ids of the path."""
    job = platform.jobs["seeds"]
    body = {"cause": "a test", "steps_override": None, "threads_override": None, "job_id": job, "account_id": 1}
    run = platform.post(f"jobs/{job}/run/", body)
    platform.post(f"runs/{run['id']}/cancel/")
    assert run["trigger"]["steps_override"] is None


# --- artifacts


def test_artifacts_belong_to_a_step(platform: LocalPlatform, runs: list[Json]) -> None:
    """By default to the last step; built-in steps have none."""
    path = f"runs/{runs[0]['id']}/artifacts/run_results.json"
    last = platform.send("GET", path)
    assert last.headers["content-type"] == "application/json"
    assert last.json()["args"]["which"] == "seed"
    assert platform.send("GET", path, params={"step": 4}).content == last.content
    assert "run_results.json" in platform.get(f"runs/{runs[0]['id']}/artifacts/")
    assert platform.send("GET", path, params={"step": 1}).status_code == 404
    assert platform.send("GET", path, params={"step": "last"}).status_code == 400


def test_the_artifacts_of_a_run_without_any_are_null(platform: LocalPlatform, runs: list[Json]) -> None:
    """As recorded, not an empty list."""
    assert platform.get(f"runs/{runs[1]['id']}/artifacts/") is None


@pytest.mark.parametrize("path", ["../stdout.log", "..%2Fstdout.log", "/etc/passwd", "%2Fetc%2Fpasswd", "."])
def test_artifacts_stay_inside_their_directory(platform: LocalPlatform, runs: list[Json], path: str) -> None:
    """No spelling of a path leads to another file."""
    url = f"{platform.base_url}/api/v2/accounts/{platform.account_id}/runs/{runs[0]['id']}/artifacts/{path}"
    request = requests.Request("GET", url, headers={"Authorization": f"Token {platform.token}"}).prepare()
    request.url = url  # requests would normalise the path
    assert platform.session.send(request).status_code in (400, 404)


def test_the_artifact_of_a_job_is_that_of_its_latest_success(platform: LocalPlatform, runs: list[Json]) -> None:
    """Failed runs are skipped, and a missing artifact is a 404."""
    artifact = platform.send("GET", f"jobs/{platform.jobs['orders']}/artifacts/run_results.json").json()
    assert artifact["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(runs[2]["id"])
    assert platform.send("GET", f"jobs/{platform.jobs['orders']}/artifacts/no.json").status_code == 404


# --- jobs


def test_jobs_are_created_changed_and_deleted(platform: LocalPlatform) -> None:
    """An update keeps the other settings; a deleted job is not listed and cannot be run."""
    created = platform.post(
        "jobs/", {"name": "Made here", "execute_steps": ["dbt ls"], "triggers": {"schedule": True}}
    )
    path = f"jobs/{created['id']}/"
    assert created["triggers"] == {
        "github_webhook": False,
        "git_provider_webhook": False,
        "schedule": True,
        "on_merge": False,
    }
    changed = platform.post(path, {"execution": {"timeout_seconds": 60}})
    assert (changed["execute_steps"], changed["execution"]) == (["dbt ls"], {"timeout_seconds": 60})
    assert ids(platform.get("jobs/", name__icontains="made HERE")) == [created["id"]]
    assert platform.send("DELETE", path).status_code == 204
    assert platform.send("GET", path).status_code == 404
    assert platform.send("POST", path + "run/", json={"cause": "a test"}).status_code == 404
    assert ids(platform.get("jobs/", name__icontains="made here")) == []
    assert ids(platform.get("jobs/", name__icontains="made here", state="all")) == [created["id"]]


@pytest.mark.parametrize(
    "body", [{}, {"name": 1}, {"name": "x", "execute_steps": ["ls"]}, {"name": "x", "triggers": []}]
)
def test_an_invalid_job_is_not_created(platform: LocalPlatform, body: Json) -> None:
    """400, and no job."""
    before = platform.get("jobs/", state="all")
    assert platform.send("POST", "jobs/", json=body).status_code == 400
    assert platform.get("jobs/", state="all") == before


def test_jobs_show_their_latest_runs_on_request(platform: LocalPlatform, runs: list[Json]) -> None:
    """One request shows the state of a job; consecutive failures are counted."""
    job = platform.get(f"jobs/{platform.jobs['orders']}/", include_related="['most_recent_run', 'environment']")
    assert job["most_recent_run"]["id"] >= runs[2]["id"]
    assert job["environment"]["id"] == job["environment_id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", job["created_at"])
    failing = platform.post("jobs/", {"name": "failing", "execute_steps": ["dbt run --no-such-option"]})
    platform.wait(platform.post(f"jobs/{failing['id']}/run/", {"cause": "a test"}))
    assert platform.get(f"jobs/{failing['id']}/")["run_failure_count"] == 1
    platform.send("DELETE", f"jobs/{failing['id']}/")


# --- account, project, environment


@pytest.mark.parametrize("version", ["v2", "v3"])
def test_account_project_and_environment_are_found(platform: LocalPlatform, version: str) -> None:
    """By id, in lists and by name, as clients search for them."""
    api = f"/api/{version}/accounts/"
    account = platform.get(f"{api}{platform.account_id}/")
    project = platform.get(f"{api}{platform.account_id}/projects/", name__icontains="CORNER")[0]
    environments = f"{api}{platform.account_id}/projects/{project['id']}/environments/"
    environment = platform.get(environments, name__icontains="prod")[0]
    assert ids(platform.get(api)) == [account["id"]] == [platform.account_id]
    assert (account["static_subdomain"], account["vanity_subdomain"], account["locked"]) == (None, None, False)
    assert platform.get(f"{environments}{environment['id']}")["project_id"] == project["id"]
    assert platform.get(environments, name__icontains="no such name") == []
    assert platform.send("GET", f"{api}{platform.account_id}/projects/1/").status_code == 404
    assert platform.get("/api/v2/whoami/")["user"]["email"]


def test_the_project_says_where_its_warehouse_is(platform: LocalPlatform) -> None:
    """Its connection is the output that the profile uses, with the paths that the platform gives dbt."""
    (project,) = platform.get("projects/")
    connection = project["connection"]
    assert (connection["name"], connection["type"], connection["id"]) == (
        "duckdb",
        "duckdb",
        project["connection_id"],
    )
    path = str(platform.state.parent / "warehouse" / "warehouse.duckdb")
    assert connection["details"] == {"type": "duckdb", "path": path}


def test_links_lead_to_pages_that_need_no_token(platform: LocalPlatform, runs: list[Json]) -> None:
    """The page of a run shows how it ended, but no logs; ``/`` is a web page, as on dbt's platform."""
    for page in ("/", urlsplit(runs[1]["href"]).path):
        answer = platform.send("GET", page, headers={})
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "dbt command failed" in answer.text
    assert "No such option" not in answer.text


def test_the_platform_listens_on_loopback_only(platform: LocalPlatform) -> None:
    """Its address belongs to the loopback interface."""
    assert urlsplit(platform.base_url).hostname == "127.0.0.1"
