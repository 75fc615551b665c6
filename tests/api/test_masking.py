"""The token in every spelling: in errors of any status, in values, and in the logs of libraries."""

from __future__ import annotations

import json
import logging
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from html import escape
from urllib.parse import quote

import pytest

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.masking import Mask
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.exceptions import DbtApiError
from tests.api.scripted import Answer, ScriptedServer, data
from tests.api.senders import Blocking

NIGHTLY = pytest.mark.nightly
TOKENS = ["dbtc_Plain0123abc", 'dbt"c\\q/uote0123', "dbtc<&>'0123abc"]
ENVELOPE = '{{"status": {{"user_message": "bad Token {echo} here"}}}}'

SPELLINGS: dict[str, Callable[[str], str]] = {
    "JSON": lambda token: json.dumps(token)[1:-1],
    "JSON with slashes escaped": lambda token: json.dumps(token)[1:-1].replace("/", "\\/"),
    "every character escaped": lambda token: "".join(f"\\u{ord(char):04X}" for char in token),
    "some characters escaped": lambda token: "".join(
        f"\\u{ord(char):04x}" if place % 3 else json.dumps(char)[1:-1] for place, char in enumerate(token)
    ),
    "upper case": lambda token: json.dumps(token.upper())[1:-1],
    "percent": lambda token: quote(token, safe=""),
    "HTML": lambda token: json.dumps(escape(token))[1:-1],
    "JSON in JSON": lambda token: json.dumps(json.dumps(token)[1:-1])[1:-1],
}


BASE64: dict[str, Callable[[str], str]] = {
    "alone": lambda token: b64encode(token.encode()).decode(),
    "as a user's": lambda token: b64encode(f"user:{token}".encode()).decode(),
    "as a header's value": lambda token: b64encode(f"Token {token}, and more".encode()).decode(),
    "of URLs": lambda token: urlsafe_b64encode(f"t:{token}:".encode()).decode(),
    "escaped in JSON": lambda token: b64encode(f"u:{token}".encode()).decode().replace("/", "\\/"),
    "escaped in a URL": lambda token: quote(b64encode(f":{token}".encode()).decode(), safe=""),
}


def shows(text: str, token: str) -> bool:
    """Whether a text gives the token away."""
    plain = text.lower()
    forms = (token, json.dumps(token)[1:-1], quote(token, safe=""), escape(token))
    return any(form.lower() in plain for form in forms)


@pytest.mark.parametrize(
    "status",
    [200, 401, 502, *(pytest.param(other, marks=NIGHTLY) for other in (201, 302, 400, 403, 404, 429, 500))],
)
@pytest.mark.parametrize("token", TOKENS)
def test_no_error_shows_the_token_in_any_spelling(
    server: ScriptedServer, settings: Settings, sender: Blocking, token: str, status: int
) -> None:
    """P10: of an answer that echoes it, whatever its status."""
    for name, spell in SPELLINGS.items():
        for encoding in ("utf-8", "utf-16"):
            server.answers(Answer(status, ENVELOPE.format(echo=spell(token)).encode(encoding)))
            for endpoint in (endpoints.get_run(7), endpoints.retry_run(7)):
                with pytest.raises(DbtApiError) as caught:
                    sender.send(replace(settings, token=token), endpoint)
                text = f"{caught.value} {caught.value!r} {vars(caught.value)}"
                assert not shows(text, token), (name, encoding)


@pytest.mark.parametrize("token", [*TOKENS, "dbtc_???>>>~~~0123"])
@pytest.mark.parametrize("form", BASE64)
def test_no_error_shows_the_token_in_base64(
    server: ScriptedServer, settings: Settings, sender: Blocking, token: str, form: str
) -> None:
    """A gateway may echo the header of basic authentication, or a cookie that holds the token."""
    echo = BASE64[form](token)
    for status in (200, 403, 502):
        for encoding in ("utf-8", "utf-16"):
            server.answers(Answer(status, json.dumps({"status": {"user_message": echo}}).encode(encoding)))
            with pytest.raises(DbtApiError) as caught:
                sender.send(replace(settings, token=token), endpoints.get_run(7))
            text = f"{caught.value} {vars(caught.value)}".replace("\\", "")
            middle = echo.replace("\\", "")[12:22]
            assert middle not in text, (status, encoding)
    mask = Mask(token)
    assert echo[12:22] not in mask.body(f"x {echo} y".encode()).decode()
    assert echo[12:22] not in mask.text(f"x {echo} y")


def test_base64_of_something_else_is_left_alone() -> None:
    """Nor is the end of a text cut."""
    other = f"x {b64encode(b'a text that is not the token').decode()} y"
    assert Mask(TOKENS[0]).text(other) == other
    assert Mask(TOKENS[0]).body(other.encode()) == other.encode()
    assert Mask(TOKENS[0]).text(f"a {b64encode(TOKENS[0].encode()).decode()} y").endswith("*** y")


@pytest.mark.parametrize("token", TOKENS)
def test_no_value_shows_the_token(server: ScriptedServer, settings: Settings, sender: Blocking, token: str) -> None:
    """P10: a gateway may echo it in a success, too."""
    for echo in (token, token.upper(), quote(token, safe=""), escape(token)):
        server.answers(data({"id": 7, "status": 3, "status_message": f"Token {echo}", "job_definition_id": 1}))
        assert not shows(repr(sender.send(replace(settings, token=token), endpoints.get_run(7))), token)


def test_bad_field_is_named_and_not_quoted(server: ScriptedServer, settings: Settings, sender: Blocking) -> None:
    """The parser's own words would quote what is there."""
    server.answers(data({"id": "Token something-else"}))
    with pytest.raises(DbtApiError, match="'id' is no whole number") as caught:
        sender.send(settings, endpoints.get_run(7))
    assert "something-else" not in str(caught.value)


def test_malformed_headers_are_not_logged(
    server: ScriptedServer, settings: Settings, sender: Blocking, caplog: pytest.LogCaptureFixture
) -> None:
    """At its default level urllib3 prints what it could not parse."""
    caplog.set_level(logging.WARNING)

    def echo(_: ScriptedServer, handler: object) -> None:
        body = b'{"data": {"id": 7, "status": 3}}'
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n : Token %s\r\n\r\n" % (
            len(body),
            settings.token.encode(),
        )
        handler.wfile.write(head + body)  # type: ignore[attr-defined]
        handler.close_connection = True  # type: ignore[attr-defined]

    server.answers(echo)
    with suppress(DbtApiError):  # aiohttp refuses the answer
        sender.send(settings, endpoints.get_run(7))
    assert settings.token not in caplog.text


def test_mask_is_quick_on_large_bodies_and_leaves_them_alone() -> None:
    """A body without the token is returned as it is, not copied."""
    body = b"x" * 1_000_000
    assert Mask("dbtc_Plain0123abc").body(body) is body


def test_mask_shows_nothing_of_itself() -> None:
    """It is an attribute of the client."""
    assert "dbtc" not in repr(Mask("dbtc_Plain0123abc"))
