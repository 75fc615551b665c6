"""P10: the token is in no log record, exception or repr, whatever happens."""

from __future__ import annotations

import logging
import pickle
import traceback
from dataclasses import replace
from typing import Any

import pytest

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.client import AsyncDbtClient, DbtClient
from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.api.retries import Retries
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.exceptions import DbtApiError
from tests.api.conftest import TOKEN
from tests.api.scripted import Answer, Script, ScriptedServer, babble, data, drop, drop_halfway, error, hang, html
from tests.api.senders import Blocking

PROXY_PASSWORD = "pr0xy-pa55word"
ECHO = error(500, f"upstream failed for Authorization: Token {TOKEN}")
SCRIPTS: dict[str, tuple[Script, ...]] = {
    "success": (data({"id": 8, "status": 1}),),
    "401": (error(401, f"Invalid token {TOKEN}."),),
    "429": (error(429, None, Retry_After="1"),),
    "5xx": (ECHO,),
    "5xx then success": (ECHO, data({"id": 8, "status": 1})),
    "silence": (hang,),
    "drop": (drop,),
    "half an answer": (drop_halfway,),
    "web page": (html(),),
    "malformed": (Answer(body=b"{"),),
    "not HTTP": (babble,),
    "redirect in a ring": (Answer(302, headers={"Location": "/again"}),),
}


@pytest.mark.parametrize("endpoint", [endpoints.get_run(7), endpoints.trigger_job(7, cause="x")], ids=str)
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_no_text_shows_the_token(  # noqa: PLR0917 - fixtures
    server: ScriptedServer,
    settings: Settings,
    sender: Blocking,
    caplog: pytest.LogCaptureFixture,
    script: tuple[Script, ...],
    endpoint: Endpoint[Any],
) -> None:
    """Every record of every logger at DEBUG, and every error with its chain and its frames' variables, is clean."""
    caplog.set_level(logging.DEBUG)
    server.answers(*script)
    texts = [_all_of(sender, replace(settings, timeout=0.3), endpoint)]
    texts += [f"{record.getMessage()} {record.__dict__!r}" for record in caplog.records]
    assert server.asked[0].headers["authorization"] == f"Token {TOKEN}"
    assert caplog.records
    assert not [text for text in texts if TOKEN in text]


def _all_of(sender: Blocking, settings: Settings, endpoint: Endpoint[Any]) -> str:
    """Send, and spell out whatever comes of it."""
    try:
        return repr(sender.send(settings, endpoint, retries=Retries(limit=2)))
    except DbtApiError as caught:
        return _everything_about(caught)


def _everything_about(error: DbtApiError) -> str:
    """Print an error as a curious error tracker would: with its chain, its fields and its frames' variables."""
    assert error.__context__ is None, "a library's error, with its request and headers, hangs on to ours"
    story = traceback.TracebackException.from_exception(error, capture_locals=True)
    frames = [f"{frame.name}: {frame.locals}" for frame in story.stack if "/tests/" not in frame.filename]
    assert frames
    return f"{error} {error!r} {vars(error)} {frames} {pickle.dumps(error)!r}"


def test_no_text_shows_a_proxys_password(
    settings: Settings, sender: Blocking, caplog: pytest.LogCaptureFixture
) -> None:
    """Proxy credentials are secrets as well, most of all while the proxy is down."""
    caplog.set_level(logging.DEBUG)
    proxies = {"https": f"http://user:{PROXY_PASSWORD}@127.0.0.1:9"}
    there = replace(settings, base_url=settings.base_url.replace("http:", "https:"), proxies=proxies)
    text = _all_of(sender, there, endpoints.get_run(7))
    assert "through the proxy" in text
    assert PROXY_PASSWORD not in text + caplog.text


def test_clients_show_where_they_point_and_no_more(settings: Settings) -> None:
    """A client's repr helps to debug and gives nothing away."""
    for client in (DbtClient(settings), AsyncDbtClient(settings)):
        assert settings.base_url in repr(client)
        assert TOKEN not in repr(client) + repr(vars(client))
