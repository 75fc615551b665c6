"""When a request is sent again: the rule as a table, and the rule as a server sees it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.api.replies import Failure, Reply, RequestOutcome
from airflow_dbt_rerun.api.retries import NO_RETRIES, Retries, pause_before_retry
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.exceptions import DbtApiError, DbtConfigError, DbtServerError, DbtThrottledError
from tests.api.scripted import Answer, ScriptedServer, data, error
from tests.api.senders import Blocking

GET = endpoints.get_run(7)
POST = endpoints.retry_run(7)
RUN = {"id": 7, "status": 10}
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def pause(
    outcome: RequestOutcome, *, tries: int = 1, elapsed: float = 0.0, retries: Retries | None = None
) -> float | None:
    """Ask for the pause before a GET's next try, without jitter."""
    chosen = retries or Retries()
    return pause_before_retry(GET, outcome, tries=tries, elapsed=elapsed, retries=chosen, dice=0.0)


def throttled(retry_after: str) -> Reply:
    """Make a 429 that was received at noon."""
    return Reply(429, {"retry-after": retry_after}, received=NOW)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Reply(408), [1, 2, 4, 8, None]),
        (Reply(500), [1, 2, 4, 8, None]),
        (Reply(502), [1, 2, 4, 8, None]),
        (Reply(503), [1, 2, 4, 8, None]),
        (Reply(504), [1, 2, 4, 8, None]),
        (Failure("dropped", sent=True), [1, 2, 4, 8, None]),
        (Failure("refused", sent=False), [1, 2, 4, 8, None]),
        (Reply(429), [20, 40, 80, 160, None]),
        (throttled("17"), [17, 17, 17, 17, None]),
        (Failure("bad certificate", sent=False, hopeless=True), [None]),
        (Reply(200), [None]),
        (Reply(302), [None]),
        (Reply(400), [None]),
        (Reply(401), [None]),
        (Reply(403), [None]),
        (Reply(404), [None]),
    ],
    ids=repr,
)
def test_what_may_pass_is_tried_again_and_nothing_else(
    outcome: RequestOutcome, expected: list[float | None]
) -> None:
    """Each outcome of a GET has its row of waits, and every row ends."""
    assert [pause(outcome, tries=tries) for tries in range(1, len(expected) + 1)] == expected


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90.0),
        (format_datetime(NOW - timedelta(hours=1), usegmt=True), 0.0),
        ("soon", 20.0),
        ("-5", 20.0),
        ("", 20.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float) -> None:
    """``Retry-After`` counts in both of its forms; nonsense falls back to our own waits."""
    assert pause(throttled(value)) == seconds


def test_a_post_is_never_repeated() -> None:
    """P2: not one outcome makes a POST worth repeating, not even a 429 that names the moment."""
    outcomes: list[RequestOutcome] = [Reply(status) for status in range(100, 600)]
    silences: list[RequestOutcome] = [Failure("x", sent=sent, hopeless=False) for sent in (True, False)]
    decisions = {
        pause_before_retry(POST, outcome, tries=1, elapsed=0, retries=Retries(), dice=0)
        for outcome in [*outcomes, *silences, throttled("1")]
    }
    assert decisions == {None}


def test_total_time_is_bounded() -> None:
    """P5: a wait that would exceed the total is not begun, even if the platform asks for it."""
    assert pause(Reply(503), elapsed=598.0) == 1.0
    assert pause(Reply(503), elapsed=599.5) is None
    assert pause(throttled("601")) is None
    assert pause(throttled("9" * 400)) is None


def test_jitter_only_adds() -> None:
    """Clients that fail together do not come back together, and none comes back too early."""
    late = pause_before_retry(GET, Reply(503), tries=1, elapsed=0, retries=Retries(), dice=1.0)
    assert late == 1.25


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"delay": -1.0}, {"total": -1.0}])
def test_senseless_retries_are_refused(wrong: dict[str, float]) -> None:
    """A limit of no tries, or a negative time, is an error instead of an endless loop."""
    with pytest.raises(DbtConfigError, match="at least one try"):
        Retries(**wrong)  # type: ignore[arg-type]


def test_a_get_gets_through_a_bad_moment(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """A 503, a 502 and a 429 in a row end in the answer, with the waits of the table in between."""
    server.answers(error(503, None), Answer(502), error(429, "Slow down", Retry_After="3"), data(RUN))
    assert sender.send(settings, GET).is_success
    assert sender.waits == [1.0, 2.0, 3.0]
    assert len(server.asked) == 4


def test_a_get_gives_up_and_says_how_often_it_tried(
    server: ScriptedServer, settings: Settings, sender: Blocking
) -> None:
    """P5: after the last try the error comes, with the number of tries in it."""
    server.answers(error(503, None))
    with pytest.raises(DbtServerError, match=r"answered 503 \(3 tries\)"):
        sender.send(settings, GET, retries=Retries(limit=3))
    assert len(server.asked) == 3


@pytest.mark.parametrize(
    ("asked_for", "seconds"),
    [("800", 800.0), ("3600", 900.0), ("9" * 400, 900.0), ("Fri, 31 Dec 9999 23:59:59 GMT", 900.0)],
)
def test_a_429_that_stays_tells_when_to_come_back(
    server: ScriptedServer, settings: Settings, sender: Blocking, asked_for: str, seconds: float
) -> None:
    """The error has the wait that the platform asks for, up to a quarter of an hour."""
    server.answers(error(429, "Slow down", Retry_After=asked_for))
    with pytest.raises(DbtThrottledError) as caught:
        sender.send(settings, GET)
    assert caught.value.retry_after == seconds
    assert (sender.waits, len(server.asked)) == ([], 1)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_the_server_sees_a_post_once(
    server: ScriptedServer, settings: Settings, sender: Blocking, status: int
) -> None:
    """P2: whatever the answer, one POST leaves; the second line of the script is never reached."""
    server.answers(error(status, None, Retry_After="0"), data(RUN))
    with pytest.raises(DbtApiError):
        sender.send(settings, POST)
    assert [asked.method for asked in server.asked] == ["POST"]


def test_no_retries_means_one_try(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """A caller that repeats requests itself, such as a poller, gets each failure at once."""
    server.answers(error(503, None))
    with pytest.raises(DbtServerError):
        sender.send(settings, GET, retries=NO_RETRIES)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("left", "waits"), [(60.0, [1, 2, 4, 8]), (8.0, [1, 2, 4]), (0.5, []), (-3.0, [])])
def test_no_try_after_the_time_of_the_client(
    server: ScriptedServer, settings: Settings, left: float, waits: list[float]
) -> None:
    """P7: a task's timeout also ends the tries of the request that is in flight."""
    now, slept = [100.0], list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    server.answers(error(503, None))
    with DbtClient(settings, sleep=sleep, clock=lambda: now[0], dice=lambda: 0.0) as client:
        client.give_up_after(left)
        with pytest.raises(DbtServerError):
            client.send(GET)
    assert slept == waits
