"""dbt's webhooks: only what dbt signed is read, and each end of a run is acted on once."""

from __future__ import annotations

import hashlib
import hmac
import json
import subprocess
import sys
import time
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import FrozenInstanceError, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.webhooks import (
    Inbox,
    RecentlySeen,
    WebhookBodyError,
    WebhookError,
    WebhookEvent,
    WebhookSignatureError,
    WebhookTooOldError,
    parse,
    receive,
    verify,
)

DATA = Path(__file__).parent / "data" / "webhooks"
SECRET = "whsec_a-secret"
SAMPLES = {path.stem: path.read_bytes() for path in sorted(DATA.glob("*.json"))}
"""Recorded by others (see their tests), and dbt's documented example."""


def signed(body: bytes, secret: str = SECRET) -> str:
    """Sign as dbt documents it, by another road than the code under test."""
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def changed(*, data: dict[str, Any] | None = None, without: str = "", **fields: Any) -> bytes:
    """Change a recorded body."""
    body = json.loads(SAMPLES["completed_error"])
    body |= fields
    body["data"] = {**body["data"], **data} if data is not None else body["data"]
    for part in (body, body["data"]) if isinstance(body["data"], dict) else (body,):
        part.pop(without, None)
    return json.dumps(body).encode()


# --- Signatures


@pytest.mark.parametrize("body", SAMPLES.values(), ids=SAMPLES)
def test_signed_body_is_read(body: bytes) -> None:
    """What dbt signed is taken, with the header's spelling that dbt uses and with white space around it."""
    assert receive(body, signed(body), SECRET) == receive(body, f" {signed(body).upper()} ", SECRET) == parse(body)


BODY = SAMPLES["errored"]


@pytest.mark.parametrize(
    ("body", "authorization"),
    [
        (BODY, None),
        (BODY, ""),
        (BODY, "x"),
        (BODY, signed(BODY)[:-1]),
        (BODY, signed(BODY, "another secret")),
        (BODY, f"Bearer {signed(BODY)}"),
        (BODY, "ü\ud800"),
        (BODY + b" ", signed(BODY)),
        (json.dumps(json.loads(BODY)).encode(), signed(BODY)),
        (b"", signed(BODY)),
    ],
    ids=["none", "empty", "x", "cut", "other secret", "bearer", "no ascii", "longer", "written anew", "no body"],
)
def test_what_dbt_did_not_sign_is_refused(body: bytes, authorization: str | None) -> None:
    """Not a byte more or less, and nothing of body, secret or signature in the message."""
    with pytest.raises(WebhookSignatureError) as refused:
        receive(body, authorization, SECRET)
    assert str(refused.value) in {"the signature is wrong", "the Authorization header is missing"}


def test_without_a_secret_nothing_is_verified() -> None:
    """An unset environment variable must not accept every request."""
    with pytest.raises(ValueError, match="must not be blank"):
        verify(BODY, signed(BODY, ""), "")


@pytest.mark.parametrize("secret", [" ", "\t\n", "\u3000"])
def test_a_blank_secret_is_no_secret(secret: str) -> None:
    """Somebody who guesses it could sign."""
    with pytest.raises(ValueError, match="must not be blank"):
        verify(BODY, signed(BODY, secret), secret)


def test_a_list_of_headers_is_no_header() -> None:
    """Some frameworks give all headers of a name."""
    with pytest.raises(TypeError, match="authorization takes the text of one header, not list"):
        receive(b"{}", ["a"], SECRET)  # type: ignore[arg-type]


def test_a_header_may_be_bytes() -> None:
    """ASGI servers give headers so."""
    assert receive(BODY, signed(BODY).encode(), SECRET) == parse(BODY)
    for wrong in (b"", b"\xff\xfe", signed(BODY)[:-1].encode()):
        with pytest.raises(WebhookSignatureError):
            receive(BODY, wrong, SECRET)


@pytest.mark.parametrize(("body", "secret"), [(BODY.decode(), SECRET), (BODY, SECRET.encode()), (None, SECRET)])
def test_another_type_of_body_or_secret_is_named(body: Any, secret: Any) -> None:
    """A parsed or decoded body is not what dbt signed."""
    with pytest.raises(TypeError, match="raw body as bytes and the secret as text"):
        verify(body, signed(BODY), secret)


@pytest.mark.parametrize(("age", "accepted"), [(0, 1), (3_500, 1), (3_700, 0), (27 * 365 * 86_400, 0)])
def test_a_recorded_request_can_be_refused_by_its_age(
    monkeypatch: pytest.MonkeyPatch, age: float, accepted: int
) -> None:
    """Also one of the future, which would stay valid for years; the timestamp is part of what dbt signed."""
    sent_at = datetime(2024, 5, 27, 10, 42, 16, tzinfo=UTC)
    body = changed(timestamp="2024-05-27T10:42:16Z")
    for now in (sent_at.timestamp() + age, sent_at.timestamp() - age):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        assert receive(body, signed(body), SECRET) == parse(body)
        if accepted:
            assert receive(body, signed(body), SECRET, not_older_than=3_600) == parse(body)
            continue
        with pytest.raises(WebhookTooOldError, match="timestamp is more than 3600 s from now"):
            receive(body, signed(body), SECRET, not_older_than=3_600)


@pytest.mark.parametrize("limit", [0, -1, float("inf"), float("nan"), True, "60"])
def test_a_limit_that_means_nothing_is_refused(limit: Any) -> None:
    """It would accept everything, or nothing."""
    with pytest.raises(ValueError, match="not_older_than takes a number of seconds"):
        receive(BODY, signed(BODY), SECRET, not_older_than=limit)


def test_replay_ends_where_the_memory_does() -> None:
    """An inbox that has forgotten an event accepts it again; the age limit does not."""
    inbox = Inbox(RecentlySeen(most=1))
    body, other = changed(timestamp="2024-05-27T10:42:16Z"), replace(parse(BODY), event_id="another")
    assert inbox.accepts(receive(body, signed(body), SECRET))
    inbox.accepts(other)
    assert inbox.accepts(receive(body, signed(body), SECRET))
    with pytest.raises(WebhookTooOldError):
        receive(body, signed(body), SECRET, not_older_than=86_400)


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong signature takes as long as any other: the comparison is the standard library's for secrets."""
    compared: list[tuple[Any, Any]] = []
    genuine = hmac.compare_digest

    def compare(one: Any, other: Any) -> bool:
        compared.append((one, other))
        return genuine(one, other)

    monkeypatch.setattr("airflow_dbt_rerun.webhooks.hmac.compare_digest", compare)
    verify(BODY, signed(BODY), SECRET)
    assert compared == [(signed(BODY).encode(),) * 2]


# --- Bodies


def test_fields_are_typed() -> None:
    """Ids are numbers, nothing is None, times are dbt's own; both spellings of the webhook's id are known."""
    assert parse(SAMPLES["completed_error"]) == WebhookEvent(
        event_id="wev_2LkSAiWzKkSA59oilyd7FDeacXD",
        event_type="job.run.completed",
        account_id=1,
        job_id=123,
        run_id=12345,
        status=20,
        timestamp="2025-10-05T19:16:11.818389474Z",
        job_name="Daily Job (dbt build)",
        status_message="dbt command failed",
        reason="Kicked off from the UI by user@example.com",
        project_id=167194,
        project_name="Example Project",
        environment_id=1234,
        environment_name="Production",
        dbt_version="2025.9.30+21d3fd7",
        started_at="2025-10-05T19:15:56Z",
        finished_at="2025-10-05T19:16:06Z",
        webhook_id="wsu_12345abcde",
        webhook_name="test",
    )
    errored, good = parse(SAMPLES["errored"]), parse(SAMPLES["completed_success"])
    assert (errored.finished_at, errored.webhook_id) == ("2023-01-31T21:15:20Z", "wsu_12345abcde")
    assert (good.status, good.status_message, good.is_end) == (10, None, True)


def test_event_cannot_be_changed() -> None:
    """What was verified stays as it was."""
    with pytest.raises(FrozenInstanceError):
        parse(BODY).run_id = 1  # type: ignore[misc]


def test_payload_is_that_of_the_asset_event() -> None:
    """One DAG serves both ways: the same names, the same words, the same form of the moment."""
    assert parse(SAMPLES["completed_error"]).payload == {
        "run_id": 12345,
        "job_id": 123,
        "job_name": "Daily Job (dbt build)",
        "status": "Error",
        "category": None,
        "url": None,
        "finished_at": "2025-10-05T19:16:06+00:00",
    }


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is not JSON"),
        (b"\xff", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"[" * 100_000, "the body is not JSON"),
        (b"[]", "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
        (changed(without="data"), "data is not a JSON object"),
        (changed(without="eventId"), "eventId is missing"),
        (changed(eventId="None"), "eventId is missing"),
        (changed(eventId=7), "eventId is not text"),
        (changed(without="accountId"), "accountId is missing"),
        (changed(without="timestamp"), "timestamp is missing"),
        (changed(timestamp="yesterday"), "timestamp is not a timestamp"),
        (changed(data={"runId": "x"}), "runId is not an id"),
        (changed(data={"runId": -5}), "runId is not an id"),
        (changed(data={"runId": "0"}), "runId is not an id"),
        (changed(data={"jobId": 0}), "jobId is not an id"),
        (changed(accountId=0), "accountId is not an id"),
        (changed(data={"runId": True}), "runId is not an id"),
        (changed(data={"runId": "9" * 20}), "runId is not an id"),
        (changed(data={"runId": [1]}), "runId is not an id"),
        (changed(data={"runStatusCode": None}), "runStatusCode is missing"),
        (changed(data={"runFinishedAt": "soon"}), "runFinishedAt is not a timestamp"),
        (changed(data={"jobName": {}}), "jobName is not text"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_bad_body_names_its_field(body: bytes, words: str) -> None:
    """Whatever comes, the answer is one error that says which field, and nothing of what was in it."""
    with pytest.raises(WebhookBodyError, match=f"^{words}") as refused:
        receive(body, signed(body), SECRET)
    assert isinstance(refused.value, WebhookError)
    assert refused.value.__cause__ is None


def test_what_is_new_in_dbt_is_taken_as_it_comes() -> None:
    """Unknown fields and event types are accepted, and do not count as a run's end."""
    event = parse(changed(eventType="job.run.paused", future={"x": 1}, data={"future": 1}))
    assert (event.event_type, event.is_end) == ("job.run.paused", False)


# --- Once


ERRORED = replace(parse(SAMPLES["errored"]), event_id="e1")
COMPLETED = replace(parse(SAMPLES["completed_error"]), event_id="e2")
STARTED = replace(COMPLETED, event_id="e0", event_type="job.run.started", status=3)
OTHER_RUN = replace(COMPLETED, event_id="e3", run_id=12346)
OTHER_ACCOUNT = replace(COMPLETED, event_id="e4", account_id=2)


@pytest.mark.parametrize(
    ("arrived", "accepted"),
    [
        ([ERRORED, ERRORED, ERRORED], [0]),
        ([ERRORED, COMPLETED], [0]),
        ([COMPLETED, ERRORED], [0]),
        ([COMPLETED, ERRORED, COMPLETED, ERRORED], [0]),
        ([COMPLETED], [0]),
        ([STARTED, STARTED, ERRORED, COMPLETED], [0, 2]),
        ([ERRORED, OTHER_RUN, COMPLETED], [0, 1]),
        ([COMPLETED, OTHER_ACCOUNT], [0, 1]),
    ],
    ids=["again", "pair", "turned round", "pair again", "only completed", "start", "two runs", "two accounts"],
)
def test_each_end_is_acted_on_once(arrived: list[WebhookEvent], accepted: list[int]) -> None:
    """dbt sends an event up to six times, and two events for a failed run: that is one decision."""
    inbox = Inbox()
    assert [place for place, event in enumerate(arrived) if inbox.accepts(event)] == accepted


@pytest.mark.parametrize("following", [ERRORED, COMPLETED])
def test_what_could_not_be_acted_on_may_come_again(following: WebhookEvent) -> None:
    """Airflow was away when the event came: its next delivery, or the other of the pair, is acted on, once."""
    inbox = Inbox()
    assert inbox.accepts(ERRORED)
    inbox.put_back(ERRORED)
    assert inbox.accepts(following)
    assert not inbox.accepts(following)


def test_many_threads_accept_once() -> None:
    """A web server's threads share the inbox: of many deliveries at once, one is accepted."""
    seen = RecentlySeen()
    seen._keys = _Slow()
    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(Inbox(seen).accepts, [ERRORED, COMPLETED] * 8)) == 1


class _Slow(OrderedDict[str, None]):
    """Let other threads run between the check and the update."""

    def __contains__(self, key: object) -> bool:
        found = super().__contains__(key)
        time.sleep(0.02)
        return found


def test_memory_has_an_end() -> None:
    """The inbox forgets the oldest, and keeps the latest."""
    seen = RecentlySeen(most=2)
    assert [seen.add(key) for key in ("a", "b", "c", "c", "b", "a")] == [True, True, True, False, False, True]


def test_processes_can_share_what_was_seen() -> None:
    """Two inboxes over one memory, as two processes over one database, act once."""
    seen = RecentlySeen()
    assert [Inbox(seen).accepts(event) for event in (ERRORED, COMPLETED)] == [True, False]


def test_needs_no_airflow() -> None:
    """An endpoint that has nothing but this package's files reads webhooks."""
    program = "import sys, airflow_dbt_rerun.webhooks; print('airflow' in sys.modules, 'requests' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_set_is_refused_as_the_memory_of_an_inbox() -> None:
    """``set.add`` returns None, which would drop every event in silence."""
    with pytest.raises(TypeError, match="seen takes an object whose add"):
        Inbox(set())  # type: ignore[arg-type]
