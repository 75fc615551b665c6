"""Every answer has a size and an end: seven hostile servers against both senders, and pages without end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.api.endpoints import Endpoint, Page
from airflow_dbt_rerun.api.limits import Limits, TooLargeError, whole
from airflow_dbt_rerun.api.paging import MOST_PAGES, Paging
from airflow_dbt_rerun.api.retries import NO_RETRIES
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.core.dbt.jobs import Job
from airflow_dbt_rerun.exceptions import DbtAnswerLostError, DbtApiError, DbtBadAnswerError
from tests.api.hostile import HOSTILE, Play, bomb, endless_body, playing, slow_body
from tests.api.scripted import Answer, ScriptedServer
from tests.api.senders import Blocking

SMALL = Limits(answer_mb=1, artifact_mb=2, answer_seconds=1.0, artifact_seconds=1.5)
ASKED = [endpoints.get_run(7), endpoints.list_runs(job_id=7), endpoints.get_step_results(7, step=4)]


@pytest.fixture(params=HOSTILE, ids=lambda play: play.__name__)
def there(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """Settings that point at a hostile server."""
    with playing(request.param) as address:
        yield replace(settings, base_url=f"http://{address}", timeout=0.5, limits=SMALL)


@pytest.mark.parametrize("endpoint", ASKED, ids=str)
def test_get_ends_with_our_own_error(there: Settings, sender: Blocking, endpoint: Endpoint[Any]) -> None:
    """P7: each ends by itself; none is a value."""
    with pytest.raises(DbtApiError):
        sender.send(there, endpoint, retries=NO_RETRIES)


def test_post_is_a_lost_answer(there: Settings, sender: Blocking) -> None:
    """P2: whatever the server does with its answer, the POST may have been carried out."""
    with pytest.raises(DbtAnswerLostError):
        sender.send(there, endpoints.retry_run(7))


@pytest.mark.parametrize(("play", "says"), [(endless_body, "more than 1 MB"), (bomb, "more than 1 MB")])
def test_size_is_named_and_asked_for_once(settings: Settings, sender: Blocking, play: Play, says: str) -> None:
    """Unpacked bytes count; to ask again would bring as much."""
    with playing(play) as address, pytest.raises(DbtBadAnswerError, match=says):
        sender.send(replace(settings, base_url=f"http://{address}", limits=SMALL), endpoints.get_run(7))
    assert sender.waits == []


def test_time_is_named(settings: Settings, sender: Blocking) -> None:
    """The limit of the whole request, not the silence between two bytes."""
    with playing(slow_body) as address:
        there = replace(settings, base_url=f"http://{address}", limits=SMALL)
        with pytest.raises(DbtApiError, match="no whole answer within 1 s"):
            sender.send(there, endpoints.get_run(7), retries=NO_RETRIES)


def test_client_works_on_after_a_hostile_answer(
    server: ScriptedServer, settings: Settings, sender: Blocking
) -> None:
    """The connection of the request that was given up is not used again."""
    server.answers(Answer(body=b"[" * 2_000_000), Answer(body=b'{"data": {"id": 7, "status": 3}}'))
    there = replace(settings, limits=SMALL)
    with pytest.raises(DbtBadAnswerError):
        sender.send(there, endpoints.get_run(7))
    assert sender.send(there, endpoints.get_run(7)).id == 7


def test_artifacts_may_be_larger() -> None:
    """Each kind of answer has its own limits; both by the timeout unless the connection names them."""
    answer, artifact = endpoints.get_run(7), endpoints.get_artifact(7, "manifest.json")
    assert [Limits().megabytes(each) for each in (answer, artifact)] == [64, 512]
    assert [Limits().seconds(each, 30.0) for each in (answer, artifact)] == [60, 150]
    assert [SMALL.seconds(each, 30.0) for each in (answer, artifact)] == [1.0, 1.5]


def test_limit_counts_what_was_there_before() -> None:
    """Chunk by chunk, to the byte."""
    assert len(whole([b"x" * 1024 * 1024], 1)) == 1024 * 1024
    with pytest.raises(TooLargeError):
        whole([b"x" * 1024 * 1024, b"x"], 1)


# --- Lists


def jobs(*ids: int, total: int | None) -> Answer:
    """One page of jobs."""
    extra = {"pagination": {"total_count": total}} if total is not None else {}
    return Answer(body=json.dumps({"data": [{"id": one} for one in ids], "extra": extra}).encode())


@pytest.mark.parametrize("total", [10**12, None])
def test_pages_that_bring_nothing_new_are_the_last(
    server: ScriptedServer, settings: Settings, sender: Blocking, total: int | None
) -> None:
    """A platform that ignores ``offset`` sends the same page for ever."""
    server.answers(jobs(1, 2, total=total))
    assert [job.id for job in sender.collect(settings, endpoints.list_jobs(limit=2))] == [1, 2]
    assert len(server.asked) == 2


def test_list_without_end_is_refused() -> None:
    """Ever new elements, of a total that is never reached."""
    paging: Paging[Job] = Paging(endpoints.list_jobs(limit=2))
    for first in range(1, 2 * MOST_PAGES, 2):
        assert paging.upcoming is not None
        paging.take(Page((Job(first, "a"), Job(first + 1, "b")), total=10**12))
    with pytest.raises(DbtBadAnswerError, match="the list does not end"):
        paging.take(Page((Job(10**6, "a"),), total=10**12))


def test_request_after_the_time_of_the_client_ends_soon(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P7: the last reading and the cancel of a task whose timeout is over do not wait as long as others may."""
    monkeypatch.setattr("airflow_dbt_rerun.api.client.LEAST_SECONDS", 0.5)
    with playing(slow_body) as address, DbtClient(replace(settings, base_url=f"http://{address}")) as client:
        client.give_up_after(-1.0)
        with pytest.raises(DbtApiError, match=r"no whole answer within 0\.5 s"):
            client.send(endpoints.get_run(7))
