"""The border: what comes from outside has the type that the code behind it expects, or is refused."""

from __future__ import annotations

import sys
import unicodedata
from typing import Any

import pytest

from airflow_dbt_rerun.core.dbt import fields
from airflow_dbt_rerun.core.dbt.fields import FieldError

ODD: list[Any] = [
    None,
    True,
    1.5,
    float("inf"),
    float("nan"),
    10**400,
    -1,
    "",
    "x",
    "\ud800",
    [],
    [None],
    {},
    {"a": 1},
]


@pytest.mark.parametrize("value", [7, "7", 0, -3, "-3", 2**63 - 1])
def test_whole_numbers_are_read(value: Any) -> None:
    """As JSON numbers and as text."""
    assert fields.whole({"n": value}, "n") == int(value)


@pytest.mark.parametrize("value", [None, True, 7.0, "7.0", " 7", "1_0", "\u0667", "", 2**63, 10**400, [7], {}])
def test_anything_else_is_no_whole_number(value: Any) -> None:
    """A boolean is no 1, and 10.9 is no success."""
    with pytest.raises(FieldError, match="'n' is"):
        fields.whole({"n": value}, "n")
    assert fields.whole_or_none({"n": value}, "n") is None


@pytest.mark.parametrize("value", [0, -1, "0"])
def test_ids_are_above_zero(value: Any) -> None:
    """0 and -1 name nothing."""
    with pytest.raises(FieldError, match="not above zero"):
        fields.identity({"id": value})


@pytest.mark.parametrize("read", [fields.line, fields.block, fields.words, fields.link, fields.moment])
@pytest.mark.parametrize("value", ODD)
def test_optional_texts_never_raise(read: Any, value: Any) -> None:
    """What is no text counts as missing, and what comes through can be encoded."""
    found = read({"x": value}, "x")
    assert found is None or isinstance(found, str)
    (found or "").encode()


@pytest.mark.parametrize("value", ["2026-13-45", "x", 5, [], "9" * 400])
def test_what_is_no_moment_counts_as_missing(value: Any) -> None:
    """A run with an odd timestamp is still a run."""
    assert fields.moment({"t": value}, "t") is None


def test_lists_of_commands_are_whole_or_missing() -> None:
    """A gap would shift the commands after it; null was once read from standard input."""
    assert fields.texts({"s": ["dbt build", "dbt test"]}, "s") == ("dbt build", "dbt test")
    for value in ([None], ["dbt build", 1], "dbt build", {"a": 1}, ["\ud800"]):
        assert fields.texts({"s": value}, "s") == ()


def test_lists_of_objects_have_no_gaps() -> None:
    """A node result that is dropped may be the one that failed."""
    assert list(fields.parts({"s": None}, "s")) == []
    for value in ([1], [None], "x", 5, {"a": 1}):
        with pytest.raises(FieldError):
            list(fields.parts({"s": value}, "s"))


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]8;;https://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred", "red"),
        ("a\x07b\x00c", "a b c"),
        ("right\u202eleft", "right left"),
        ("zero\u200bwidth", "zero width"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("one\u2028two\x85three", "one two three"),
        ("bytes \udcff that are no UTF-8", "bytes \ufffd that are no UTF-8"),
        ("Grüße, 世界 🙂", "Grüße, 世界 🙂"),
        ("a\tb", "a\tb"),
    ],
)
def test_printable(given: str, shown: str) -> None:
    """What a terminal or a log would obey is gone, and the words stay."""
    assert fields.printable(given) == shown


def test_no_control_or_format_character_is_printable() -> None:
    """By Unicode's own table, whatever version Python has."""
    chosen = {"Cc", "Cf", "Zl", "Zp", "Cs"}
    codes = (chr(code) for code in range(sys.maxunicode + 1) if unicodedata.category(chr(code)) in chosen)
    assert [char for char in codes if char not in "\n\t\r" and char in fields.printable(f"a{char}b")] == []


@pytest.mark.parametrize(
    "href", ["https://abc.us1.dbt.com/deploy/1/", "http://127.0.0.1:8080/x", "http://localhost/"]
)
def test_links_that_people_may_follow(href: str) -> None:
    """Over TLS, or to this machine."""
    assert fields.link({"href": href}, "href") == href


@pytest.mark.parametrize(
    "href",
    [
        "javascript:alert(1)",
        "http://evil.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1@evil.example/",
        "https://user:secret@evil.example/",
        "http://127.0.0.1:80@evil.example/",
        "data:text/html,x",
        "https://a/\n::group::forged",
        "https://a/\x1b[31m",
        "file:///etc/passwd",
        "//evil.example",
        "https://a/" + "x" * 3000,
    ],
)
def test_links_that_nobody_should_follow(href: str) -> None:
    """Other schemes, other hosts in the clear, and line breaks that would forge log lines."""
    assert fields.link({"href": href}, "href") is None


def test_lines_are_short() -> None:
    """A name of a megabyte does not travel on."""
    assert len(fields.line({"n": "x" * 10**6}, "n") or "") == fields.LINE_LENGTH
    assert len(fields.block({"n": "x" * 10**6}, "n") or "") == fields.BLOCK_LENGTH
