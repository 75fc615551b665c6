"""What no client should send is refused by name: the platform never fails, and never stores it."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.support import Json, LocalPlatform

BIG = 10**300
DEEP = '{"cause": ' + "[" * 100_000 + "]" * 100_000 + "}"


def message(answer: Any) -> str:
    """Return the message to the user."""
    return str(answer.json()["status"]["user_message"])


@pytest.fixture(scope="module")
def run(shared_simulated: LocalPlatform) -> Json:
    """Return a complete run with artifacts."""
    return shared_simulated.run("seeds")


@pytest.mark.parametrize(
    ("body", "status", "named"),
    [
        (DEEP, 400, "JSON"),
        ('{"cause": ' + "[" * 100 + "]" * 100 + "}", 400, "cause"),
        (r'{"cause": "\ud800"}', 400, "cause"),
        (r'{"cause": "a\u0000b"}', 400, "cause"),
        (r'{"cause": "c", "schema_override": "\udfff"}', 400, "schema_override"),
        (r'{"cause": "c", "git_branch": "\u0000"}', 400, "git_branch"),
        (r'{"cause": "c", "steps_override": ["dbt run --vars \u0000"]}', 400, "steps_override"),
        (r'{"cause": "c", "\ud800": 1}', 400, "surrogate"),
        ('{"cause": "' + "c" * 256 + '"}', 400, "cause"),
        ('{"cause": "' + "c" * 3_000_000 + '"}', 413, "2,000,000"),
        ('{"cause": "c", "more": "' + "c" * 20_000_000 + '"}', 413, "2,000,000"),
        ('{"cause": "c", "timeout_seconds_override": -5}', 400, "timeout_seconds_override"),
        (f'{{"cause": "c", "timeout_seconds_override": {BIG}}}', 400, "timeout_seconds_override"),
        ('{"cause": "c", "timeout_seconds_override": 1.5}', 400, "timeout_seconds_override"),
        ('{"cause": "c", "timeout_seconds_override": NaN}', 400, "timeout_seconds_override"),
        ('{"cause": "c", "threads_override": -1}', 400, "threads_override"),
        ('{"cause": "c", "threads_override": 0}', 400, "threads_override"),
        (f'{{"cause": "c", "threads_override": {2**31}}}', 400, "threads_override"),
        (f'{{"cause": "c", "github_pull_request_id": {2**63}}}', 400, "github_pull_request_id"),
        ('{"cause": "c", "more": 1e999}', 400, "more"),
        ('{"cause": "c", "threads_override": ' + "9" * 5_000 + "}", 400, "JSON"),
    ],
)
def test_a_trigger_that_nothing_could_carry_out_is_refused(
    simulated: LocalPlatform, body: str, status: int, named: str
) -> None:
    """By name, and no run is created."""
    before = [run["id"] for run in simulated.get("runs/")]
    answer = simulated.send("POST", f"jobs/{simulated.jobs['seeds']}/run/", data=body)
    assert (answer.status_code, named in message(answer)) == (status, True)
    assert [run["id"] for run in simulated.get("runs/")] == before


def test_limits_themselves_are_accepted(simulated: LocalPlatform) -> None:
    """A cause of 255 characters, in any script, and the largest numbers."""
    body = {"cause": "日" * 255, "timeout_seconds_override": 2**31 - 1, "threads_override": 1}
    run = simulated.post(f"jobs/{simulated.jobs['seeds']}/run/", body)
    assert simulated.wait(run)["status"] == 10
    assert run["trigger"]["cause"] == "日" * 255


@pytest.mark.parametrize(
    "change",
    [
        {"state": 77},
        {"state": True},
        {"execution": {"timeout_seconds": "x"}},
        {"execution": {"timeout_seconds": -1}},
        {"execution": {"timeout_seconds": BIG}},
        {"settings": {"threads": "x"}},
        {"settings": {"threads": -1}},
        {"settings": {"target_name": 5}},
        {"triggers": {"schedule": "yes"}},
        {"deferring_job_definition_id": -1},
        {"name": "a\0b"},
        {"execute_steps": ["dbt run \0"]},
        {"schedule": {"cron": "\0"}},
    ],
)
def test_a_job_that_could_not_run_is_refused(simulated: LocalPlatform, change: Json) -> None:
    """400 that names the field; the job stays as it is."""
    path = f"jobs/{simulated.jobs['seeds']}/"
    before = simulated.get(path)
    answer = simulated.send("POST", path, json=change)
    assert answer.status_code == 400
    assert message(answer).startswith((next(iter(change)), "cron"))
    assert simulated.get(path) == before


@pytest.mark.parametrize(
    "query",
    [
        f"offset={2**63}",
        f"offset={BIG}",
        f"limit={BIG}",
        f"pk={2**63}",
        f"pk=-{2**63 + 1}",
        f"pk__in=1,{2**64}",
        f"id__gt={10**19}",
        "id__gt=1_0",
        "pk=%D9%A3",
        "created_at__range=0001-01-01T00:00:00%2B05:00,2020-01-01",
        "created_at__range=2020-01-01,9999-12-31T23:00:00-05:00",
        "pk__in=" + "1," * 2_000,
        f"job_definition_id={BIG}",
    ],
)
def test_values_that_the_database_cannot_compare_are_refused(simulated: LocalPlatform, query: str) -> None:
    """400 that names the parameter."""
    answer = simulated.send("GET", f"runs/?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in message(answer)


def test_a_range_may_begin_with_the_calendar(simulated: LocalPlatform, run: Json) -> None:
    """Year 1 in UTC is a time like any other."""
    found = simulated.get("runs/", pk=run["id"], created_at__range="0001-01-01T00:00:00,9999-12-31T00:00:00")
    assert [each["id"] for each in found] == [run["id"]]


@pytest.mark.parametrize(
    "name",
    ["%00", "a%00.json", "x" * 300, "x" * 5_000, "%0A", "a/" * 900, "%ed%a0%80", "%F0%9F%98%80" * 100],
)
def test_an_artifact_that_no_file_can_be_named_is_missing(simulated: LocalPlatform, run: Json, name: str) -> None:
    """404 for a run and for a job, and no path of this machine in the answer."""
    for path in (f"runs/{run['id']}/artifacts/{name}", f"jobs/{simulated.jobs['seeds']}/artifacts/{name}"):
        answer = simulated.send("GET", path)
        assert answer.status_code == 404
        assert str(simulated.project.parent) not in answer.text


@pytest.mark.parametrize("size", [20, 100, 1_500, 5_000])
def test_an_id_beyond_64_bits_is_missing(simulated: LocalPlatform, run: Json, size: int) -> None:
    """404 on every path that has an id, the pages included."""
    digits = "9" * size
    for path in (f"runs/{digits}/", f"jobs/{digits}/", f"steps/{digits}/", f"runs/{digits}/artifacts/x"):
        assert simulated.send("GET", path).status_code == 404
    page = urlsplit(run["href"]).path.replace(str(run["id"]), digits)
    assert simulated.send("GET", page).status_code == 404
    assert simulated.send("GET", f"runs/{run['id']}/artifacts/x", params={"step": digits}).status_code == 400


# --- web pages


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("LocalHost.", 200),
        ("[::1]:{port}", 200),
        ("evil.example", 403),
        ("evil.example:{port}", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost@evil.example", 403),
        ("127.0.0.1:{port}:80", 403),
        ("", 403),
    ],
)
def test_pages_are_shown_to_this_machine_only(simulated: LocalPlatform, run: Json, host: str, status: int) -> None:
    """A web site that lets its own name point to 127.0.0.1 cannot read them: the browser sends that name."""
    named = host.format(port=urlsplit(simulated.base_url).port)
    for page in ("/", urlsplit(run["href"]).path):
        answer = simulated.send("GET", page, headers={"Host": named})
        assert answer.status_code == status
        assert ("nightly" in answer.text or str(run["id"]) in answer.text) is (status == 200)


# --- faults


@pytest.mark.parametrize(
    ("fault", "named"),
    [
        ({"kind": "status", "status": 500, "path": "(a+)+$"}, "path: '(a+)+$' is too slow"),
        ({"kind": "status", "status": 500, "path": "(" * 3_000 + ")" * 3_000}, "path"),
        ({"kind": "status", "status": 500, "path": ["a"]}, "path"),
        ({"kind": "drop", "count": "x"}, "count"),
        ({"kind": "drop", "count": -2}, "count"),
        ({"kind": "drop", "method": 5}, "method"),
        ({"kind": "status", "status": "x"}, "status"),
        ({"kind": "status", "status": 7}, "status"),
        ({"kind": "status", "status": 503, "retry_after": "soon"}, "retry_after"),
        ({"kind": "latency", "seconds": -1}, "seconds"),
        ({"kind": "latency", "seconds": 1e300}, "seconds"),
    ],
)
def test_a_fault_that_would_hurt_the_platform_is_refused(simulated: LocalPlatform, fault: Json, named: str) -> None:
    """400 that names the field, and requests are answered as before."""
    answer = simulated.send("POST", "/_control/faults", json=fault)
    assert answer.status_code == 400
    assert named in message(answer)
    assert simulated.control("GET", "faults") == []


@pytest.mark.parametrize(
    "change", [{"run_locked_until": "soon"}, {"run_locked_until": 5}, {"queue_limit": "x"}, {"locked": "x"}]
)
def test_a_restriction_that_means_nothing_is_refused(simulated: LocalPlatform, change: Json) -> None:
    """400 that names the field: later triggers would fail."""
    answer = simulated.send("POST", "/_control/account", json=change)
    assert answer.status_code == 400
    assert next(iter(change)) in message(answer)
