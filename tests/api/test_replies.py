"""What each kind of answer, and each kind of silence, turns into: the same error from both senders."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.replies import Reply, read
from airflow_dbt_rerun.api.retries import NO_RETRIES, Retries
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.exceptions import (
    DbtAnswerLostError,
    DbtApiError,
    DbtBadAnswerError,
    DbtForbiddenError,
    DbtNotFoundError,
    DbtRefusedError,
    DbtServerError,
    DbtThrottledError,
    DbtUnauthorizedError,
    DbtUnreachableError,
)
from tests.api.conftest import TOKEN
from tests.api.scripted import Answer, Script, ScriptedServer, data, drop, drop_halfway, error, hang, html
from tests.api.senders import Blocking

GET = endpoints.get_run(8)
POST = endpoints.retry_run(7)
RUN = {"id": 8, "status": 1, "job_definition_id": 3}


@pytest.mark.parametrize("endpoint", [GET, POST], ids=str)
def test_an_answer_becomes_a_value(
    server: ScriptedServer, settings: Settings, sender: Blocking, endpoint: Any
) -> None:
    """The data of an answer comes back as the endpoint's own type."""
    server.answers(data(RUN))
    assert sender.send(settings, endpoint) == Run(id=8, status=1, job_id=3)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, DbtApiError),
        (401, DbtUnauthorizedError),
        (403, DbtForbiddenError),
        (404, DbtNotFoundError),
        (409, DbtApiError),
        (429, DbtThrottledError),
        (500, DbtServerError),
        (503, DbtServerError),
    ],
)
def test_an_error_answer_to_a_get_keeps_the_platforms_words(
    server: ScriptedServer, settings: Settings, sender: Blocking, status: int, kind: type[DbtApiError]
) -> None:
    """Each status has its error, which carries endpoint, status and what the platform said."""
    server.answers(error(status, "Said the platform."))
    with pytest.raises(DbtApiError) as caught:
        sender.send(settings, GET, retries=NO_RETRIES)
    assert type(caught.value) is kind
    assert (caught.value.endpoint, caught.value.status_code) == ("GET runs/8/", status)
    assert caught.value.user_message == "Said the platform."
    assert "Said the platform." in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, DbtRefusedError),
        (401, DbtUnauthorizedError),
        (403, DbtForbiddenError),
        (404, DbtNotFoundError),
        (409, DbtRefusedError),
        (422, DbtRefusedError),
        (429, DbtThrottledError),
        (408, DbtAnswerLostError),
        (500, DbtAnswerLostError),
        (502, DbtAnswerLostError),
        (504, DbtAnswerLostError),
    ],
)
def test_an_error_answer_to_a_post_tells_no_from_perhaps(
    server: ScriptedServer, settings: Settings, sender: Blocking, status: int, kind: type[DbtApiError]
) -> None:
    """P2: a POST is called refused only where the platform itself said no; a gateway's failure means perhaps."""
    server.answers(error(status, "RETRY_NOT_LATEST_RUN"))
    with pytest.raises(DbtApiError) as caught:
        sender.send(settings, POST)
    assert type(caught.value) is kind
    assert caught.value.user_message == "RETRY_NOT_LATEST_RUN"
    assert len(server.asked) == 1


def test_a_401_names_the_host_and_the_region_trap(
    server: ScriptedServer, settings: Settings, sender: Blocking
) -> None:
    """The message says that a valid token gets the same answer from a host of another region."""
    server.answers(error(401, "Invalid token."))
    with pytest.raises(DbtUnauthorizedError, match=rf"{server.address}.*Invalid token.*another region"):
        sender.send(settings, GET)


def test_a_403_points_at_the_account_id(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """A wrong account id is a 403 on this platform, so the message says to check it."""
    server.answers(error(403, "Access denied: Token is not scoped to account."))
    with pytest.raises(DbtForbiddenError, match=r"not scoped to account.*check the account id"):
        sender.send(settings, GET)


UNREADABLE = {
    "web page": (html(), "an HTML page"),
    "malformed JSON": (Answer(body=b'{"data": {"id"'), "malformed JSON"),
    "not even text": (Answer(body=b"\xff\xfe\x00\x01"), "malformed JSON"),
    "nothing": (Answer(body=b""), "an empty body"),
    "no data": (Answer(body=b'{"status": {"code": 200}}'), "without 'data'"),
    "null data": (data(None), "an undocumented structure"),
    "missing field": (data({"id": 8}), "'status' is missing"),
    "wrong type": (data({"id": "eight", "status": 1}), "an undocumented structure"),
    "a list": (Answer(body=b"[]"), "an undocumented structure"),
}


@pytest.mark.parametrize(("answer", "problem"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_answer_says_where_and_what(
    server: ScriptedServer, settings: Settings, sender: Blocking, answer: Answer, problem: str
) -> None:
    """A 200 that is not what the API documents names the endpoint and the problem, and is not asked for again."""
    server.answers(answer)
    with pytest.raises(DbtBadAnswerError, match=problem) as caught:
        sender.send(settings, GET)
    assert str(caught.value).startswith(f"GET runs/8/: {server.address} answered 200 with ")
    assert len(server.asked) == 1


@pytest.mark.parametrize(("answer", "problem"), UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_answer_to_a_post_is_a_lost_answer(
    server: ScriptedServer, settings: Settings, sender: Blocking, answer: Answer, problem: str
) -> None:
    """P2: a POST with an unreadable 200 may have been carried out."""
    server.answers(answer)
    with pytest.raises(DbtAnswerLostError, match=problem):
        sender.send(settings, POST)
    assert len(server.asked) == 1


@pytest.mark.parametrize("silence", [drop, drop_halfway, hang], ids=lambda script: script.__name__)
def test_silence_after_a_post_is_a_lost_answer(
    server: ScriptedServer, settings: Settings, sender: Blocking, silence: Script
) -> None:
    """P2: once a POST has left, no answer means perhaps, and it is not sent again."""
    server.answers(silence)
    impatient = Settings(settings.base_url, settings.account_id, TOKEN, timeout=0.3)
    with pytest.raises(DbtAnswerLostError, match="may or may not have been carried out"):
        sender.send(impatient, POST)
    assert len(server.asked) == 1
    assert sender.waits == []


@pytest.mark.parametrize("silence", [drop, drop_halfway, hang], ids=lambda script: script.__name__)
def test_silence_after_a_get_is_worth_another_try(
    server: ScriptedServer, settings: Settings, sender: Blocking, silence: Script
) -> None:
    """A GET that got no answer is sent again, and the answer that comes then counts."""
    server.answers(silence, data(RUN))
    impatient = Settings(settings.base_url, settings.account_id, TOKEN, timeout=0.3)
    assert sender.send(impatient, GET).id == 8
    assert len(server.asked) == 2  # without a wait, where the library itself asks again on a fresh connection


@pytest.mark.parametrize("endpoint", [GET, POST], ids=str)
def test_a_refused_connection_is_unreachable_even_for_a_post(sender: Blocking, endpoint: Any) -> None:
    """P2: where no connection came about nothing was sent, so a POST is known not to have happened."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening
        nowhere = Settings(f"http://127.0.0.1:{taken.getsockname()[1]}", 1, TOKEN)
        with pytest.raises(DbtUnreachableError, match="Connection refused") as caught:
            sender.send(nowhere, endpoint, retries=Retries(limit=2))
    assert caught.value.status_code is None
    assert sender.waits == ([1.0] if endpoint is GET else [])


@pytest.mark.parametrize("endpoint", [GET, POST], ids=str)
def test_an_unknown_host_is_unreachable(sender: Blocking, endpoint: Any) -> None:
    """A mistyped host gives one line that says that its name cannot be resolved."""
    with pytest.raises(
        DbtUnreachableError, match=r"no-such-host\.invalid cannot be reached: its host name cannot be resolved"
    ):
        sender.send(Settings("https://no-such-host.invalid", 1, TOKEN), endpoint, retries=NO_RETRIES)


def test_a_redirected_post_stays_where_it_was(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """P2: a POST is not carried on to wherever a redirect points; the host is wrong, and the error says so."""
    server.answers(Answer(302, headers={"Location": "/login"}))
    with pytest.raises(DbtBadAnswerError, match="a redirect, so this host is not the API: "):
        sender.send(settings, POST)
    assert len(server.asked) == 1


def test_an_error_page_is_not_taken_for_the_platforms_words(
    server: ScriptedServer, settings: Settings, sender: Blocking
) -> None:
    """A 404 of another host is distinguished from dbt's own 404."""
    server.answers(html(404))
    with pytest.raises(DbtNotFoundError, match="an HTML page, so this is not the API") as caught:
        sender.send(settings, GET)
    assert caught.value.user_message is None


def test_a_very_long_message_is_cut(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """Errors stay one readable line whatever the platform sends."""
    server.answers(error(404, "long\nstory " * 500))
    with pytest.raises(DbtNotFoundError) as caught:
        sender.send(settings, GET)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


def test_the_developer_message_stands_in_for_an_empty_user_message() -> None:
    """Where the platform has words only for developers, they are better than none."""
    body = b'{"status": {"user_message": "", "developer_message": "Trace 12"}}'
    with pytest.raises(DbtApiError) as caught:
        read(GET, Reply(400, body=body), host="dbt.example")
    assert caught.value.user_message == "Trace 12"


def test_interim_answer_is_not_called_a_redirect() -> None:
    """A reader would look for the wrong thing."""
    with pytest.raises(DbtBadAnswerError, match="an interim answer"):
        read(GET, Reply(103), host="dbt.example")


def test_clients_compare_the_account(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """Both of them know which account they asked."""
    server.answers(data({**RUN, "account_id": settings.account_id + 1}))
    with pytest.raises(DbtBadAnswerError, match="another account"):
        sender.send(settings, GET)
