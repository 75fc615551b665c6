"""Faults on demand: clients meet the requested fault, as often as requested."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import requests

from tests.support import LocalPlatform

SIMULATED_BY_DAY = True

UNLIMITED = -1


def newest(platform: LocalPlatform) -> int:
    """Return the id of the newest run, or 0."""
    runs = platform.get("runs/", order_by="-id", limit=1)
    return int(runs[0]["id"]) if runs else 0


def test_a_status_is_answered_as_often_as_requested(platform: LocalPlatform) -> None:
    """Afterwards the platform answers normally; other paths and methods are unaffected."""
    platform.fault("status", status=429, count=2, method="GET", path=r"/jobs/$")
    assert platform.send("GET", "runs/").status_code == 200
    answers = [platform.send("GET", "jobs/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert "Retry-After" not in answers[0].headers
    assert answers[0].json()["status"]["is_success"] is False


def test_a_status_can_carry_retry_after(platform: LocalPlatform) -> None:
    """The header that some servers send."""
    platform.fault("status", status=503, retry_after=7)
    answer = platform.send("GET", "jobs/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_latency_delays_the_request(platform: LocalPlatform) -> None:
    """A client with a shorter timeout gives up."""
    platform.fault("latency", seconds=30)
    with pytest.raises(requests.ReadTimeout):
        platform.session.get(
            f"{platform.base_url}/api/v2/accounts/",
            headers={"Authorization": f"Token {platform.token}"},
            timeout=0.2,
        )
    assert platform.send("GET", "jobs/").status_code == 200


def test_a_dropped_connection_has_no_answer_and_no_effect(platform: LocalPlatform) -> None:
    """Nothing is started."""
    before = newest(platform)
    platform.fault("drop", method="POST")
    with pytest.raises(requests.ConnectionError):
        platform.trigger("seeds")
    assert newest(platform) == before


@pytest.mark.parametrize("status", [0, 504])
def test_a_lost_answer_has_an_effect(platform: LocalPlatform, status: int) -> None:
    """The run exists although the client saw a dropped connection or a gateway's error page."""
    before = newest(platform)
    platform.fault("lost", method="POST", path=r"/run/?$", status=status)
    body = {"cause": "lost"}
    if status:
        assert platform.send("POST", f"jobs/{platform.jobs['seeds']}/run/", json=body).status_code == status
    else:
        with pytest.raises(requests.ConnectionError):
            platform.send("POST", f"jobs/{platform.jobs['seeds']}/run/", json=body)
    runs = platform.get("runs/", id__gt=before, include_related="trigger")
    assert [run["trigger"]["cause"] for run in runs] == ["lost"]
    platform.post(f"runs/{runs[0]['id']}/cancel/")


def test_answers_can_be_spoilt(platform: LocalPlatform) -> None:
    """A web page with status 200, and truncated JSON."""
    platform.fault("html")
    platform.fault("malformed")
    page, half = platform.send("GET", "jobs/"), platform.send("GET", "jobs/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert half.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        half.json()


def test_answers_can_be_mixed_up(platform: LocalPlatform) -> None:
    """The answer is about what was asked for before, if that was of the same kind; nothing else is mixed up."""
    one, other = sorted(platform.jobs.values())[:2]
    platform.control("DELETE", "requests")
    platform.fault("mixed_up", path="/jobs/", count=3)
    answers = [platform.get(f"jobs/{job}/")["id"] for job in (one, one, other, other)]
    assert answers == [one, one, one, other]
    platform.control("DELETE", "faults")


@pytest.mark.dbt
def test_artifacts_and_logs_can_be_late_or_missing(platform: LocalPlatform) -> None:
    """Late means a 404 or an empty log for a number of requests; missing means the same without a limit."""
    run = platform.run("seeds")
    artifact = f"runs/{run['id']}/artifacts/run_results.json"
    platform.fault("status", status=404, path="/artifacts/", count=2)
    platform.fault("no_logs", path=r"/runs/\d+", count=2)
    assert [platform.send("GET", artifact).status_code for _ in range(3)] == [404, 404, 200]
    logs = [platform.steps(run)[-1]["logs"] for _ in range(2)]
    assert logs[0] == ""
    assert "Completed successfully" in logs[1]
    platform.fault("status", status=404, path="/artifacts/", count=UNLIMITED)
    assert {platform.send("GET", artifact).status_code for _ in range(5)} == {404}


def test_faults_are_listed_and_removed(platform: LocalPlatform) -> None:
    """A test can list the faults that are left, and remove them."""
    platform.fault("drop", count=3)
    assert [fault["count"] for fault in platform.control("GET", "faults")] == [3]
    platform.control("DELETE", "faults")
    assert platform.control("GET", "faults") == []
    assert platform.send("GET", "jobs/").status_code == 200


def test_requests_over_one_connection_have_one_client(platform: LocalPlatform) -> None:
    """The record of requests shows how many connections a client uses."""
    platform.control("DELETE", "requests")
    for _ in range(2):
        platform.send("GET", "jobs/")
    platform.session.close()
    platform.send("GET", "jobs/")
    first, second, third = (request["client"] for request in platform.control("GET", "requests"))
    assert first == second != third


@pytest.mark.parametrize(
    "body", [{}, {"kind": "sabotage"}, {"kind": "drop", "how": "hard"}, {"kind": "drop", "path": "("}]
)
def test_invalid_faults_are_refused(platform: LocalPlatform, body: dict[str, str]) -> None:
    """A misspelt fault must not leave a test without a fault."""
    assert platform.send("POST", "/_control/faults", json=body).status_code == 400


def test_requests_are_counted(platform: LocalPlatform) -> None:
    """Every request is listed, including those that met a fault; those to the control path are not."""
    platform.fault("drop", method="POST")
    platform.send("GET", "jobs/?limit=1")
    with pytest.raises(requests.ConnectionError):
        platform.trigger("seeds")
    recorded = platform.control("GET", "requests")
    assert [(request["method"], request["query"]) for request in recorded] == [("GET", "limit=1"), ("POST", "")]
    assert platform.posts() == [recorded[1]["path"]]
    platform.control("DELETE", "requests")
    assert platform.control("GET", "requests") == []


def test_there_is_no_control_path_without_the_option(
    new_platform: Callable[..., AbstractContextManager[LocalPlatform]],
) -> None:
    """A platform without ``--faults`` cannot be made to fail."""
    with new_platform(faults=False) as platform:
        for what in ("faults", "requests", "behaviour", "account"):
            assert platform.send("GET", f"/_control/{what}").status_code == 404
