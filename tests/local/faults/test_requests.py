"""Faults on demand: what a client meets is what was asked for, as often as asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
import requests

from tests.support import LocalPlatform

FOREVER = -1


def newest(platform: LocalPlatform) -> int:
    """Return the id of the newest run, 0 if there is none."""
    runs = platform.get("runs/", order_by="-id", limit=1)
    return int(runs[0]["id"]) if runs else 0


def test_a_status_comes_as_often_as_asked_for(platform: LocalPlatform) -> None:
    """Then the platform is itself again; other paths and methods never met it."""
    platform.fault("status", status=429, count=2, method="GET", path=r"/jobs/$")
    assert platform.send("GET", "runs/").status_code == 200
    answers = [platform.send("GET", "jobs/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 200]
    assert "Retry-After" not in answers[0].headers
    assert answers[0].json()["status"]["is_success"] is False


def test_a_status_can_say_when_to_come_back(platform: LocalPlatform) -> None:
    """With the header that some servers send."""
    platform.fault("status", status=503, retry_after=7)
    answer = platform.send("GET", "jobs/")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "7")


def test_latency_is_a_wait_before_the_work(platform: LocalPlatform) -> None:
    """A client that waits less long sees a timeout."""
    platform.fault("latency", seconds=30)
    with pytest.raises(requests.ReadTimeout):
        platform.session.get(
            f"{platform.base_url}/api/v2/accounts/",
            headers={"Authorization": f"Token {platform.token}"},
            timeout=0.2,
        )
    assert platform.send("GET", "jobs/").status_code == 200


def test_a_dropped_connection_has_no_answer_and_no_effect(platform: LocalPlatform) -> None:
    """Nothing was started."""
    before = newest(platform)
    platform.fault("drop", method="POST")
    with pytest.raises(requests.ConnectionError):
        platform.trigger("seeds")
    assert newest(platform) == before


@pytest.mark.parametrize("status", [0, 504])
def test_a_lost_answer_has_an_effect(platform: LocalPlatform, status: int) -> None:
    """The run is there though the client saw a dropped connection, or a gateway's error page."""
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


def test_answers_can_be_something_else(platform: LocalPlatform) -> None:
    """A web page with 200, and JSON that ends in the middle."""
    platform.fault("html")
    platform.fault("malformed")
    page, half = platform.send("GET", "jobs/"), platform.send("GET", "jobs/")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert half.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        half.json()


@pytest.mark.dbt
def test_artifacts_and_logs_can_be_late_or_never_come(platform: LocalPlatform) -> None:
    """Late is a 404, or an empty log, for a number of requests; missing is the same for ever."""
    run = platform.run("seeds")
    artifact = f"runs/{run['id']}/artifacts/run_results.json"
    platform.fault("status", status=404, path="/artifacts/", count=2)
    platform.fault("no_logs", path=r"/runs/\d+", count=2)
    assert [platform.send("GET", artifact).status_code for _ in range(3)] == [404, 404, 200]
    logs = [platform.steps(run)[-1]["logs"] for _ in range(2)]
    assert logs[0] == ""
    assert "Completed successfully" in logs[1]
    platform.fault("status", status=404, path="/artifacts/", count=FOREVER)
    assert {platform.send("GET", artifact).status_code for _ in range(5)} == {404}


def test_faults_are_listed_and_forgotten(platform: LocalPlatform) -> None:
    """A test sees what is left to come, and can take it back."""
    platform.fault("drop", count=3)
    assert [fault["count"] for fault in platform.control("GET", "faults")] == [3]
    platform.control("DELETE", "faults")
    assert platform.control("GET", "faults") == []
    assert platform.send("GET", "jobs/").status_code == 200


def test_requests_over_one_connection_have_one_client(platform: LocalPlatform) -> None:
    """So connections can be counted, which no client can be asked for."""
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
def test_faults_without_meaning_are_refused(platform: LocalPlatform, body: dict[str, str]) -> None:
    """A misspelt fault must not leave a test without one."""
    assert platform.send("POST", "/_control/faults", json=body).status_code == 400


def test_requests_are_counted(platform: LocalPlatform) -> None:
    """Every request is there with method and path, those that met a fault too; the control path's own are not."""
    platform.fault("drop", method="POST")
    platform.send("GET", "jobs/?limit=1")
    with pytest.raises(requests.ConnectionError):
        platform.trigger("seeds")
    seen = platform.control("GET", "requests")
    assert [(request["method"], request["query"]) for request in seen] == [("GET", "limit=1"), ("POST", "")]
    assert platform.posts() == [seen[1]["path"]]
    platform.control("DELETE", "requests")
    assert platform.control("GET", "requests") == []


def test_there_is_no_control_path_without_the_option(
    new_platform: Callable[..., AbstractContextManager[LocalPlatform]],
) -> None:
    """A platform that was not asked for faults has no way to get any."""
    with new_platform(faults=False) as platform:
        for what in ("faults", "requests", "behaviour", "account"):
            assert platform.send("GET", f"/_control/{what}").status_code == 404
