"""Read single fields of what comes from outside: answers of the platform, and artifacts of dbt.

This is the border. A field that a decision rests on (an id, a status) is refused if it has another type; any other
one counts as missing. No text behind this border holds a terminal sequence, a control or format character, or half
of a surrogate pair, and none is longer than its limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

JsonObject = Mapping[str, Any]

LINE_LENGTH = 2_000
"""Most characters of a name, a reason or a URL."""

BLOCK_LENGTH = 100_000
"""Most characters of a node's message."""

LARGEST_NUMBER = 2**63 - 1
"""The platform's ids fit into 64 bits."""

CLOCK_SKEW = 300.0
"""Seconds by which the clocks of two machines may differ: Airflow's, the platform's, and those where dbt runs."""

_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[P\]X^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[@-Z\\-_]?"
)
"""What a terminal obeys: CSI (colours, cursor), OSC and other strings (titles, links), single escapes (ECMA-48)."""

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u2064\u2066-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f\ud800-\udfff]"
)
"""Unicode's categories Cc, Cf, Zl, Zp and Cs, without line feed and tab."""

_LINE_BREAK = re.compile(r"\r\n?")
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_HREF = re.compile(r"(?:https://(?![^/?#]*@)|http://(?:127\.0\.0\.1|localhost|\[::1\])(?::\d+)?/)[!-~]*")


class FieldError(ValueError):
    """A field that a decision rests on is missing or has another type. The message quotes no value."""


def whole(data: JsonObject, name: str) -> int:
    """Return a whole number: an integer, or text of ASCII digits.

    :raises FieldError: if it is anything else, a boolean or a fraction included, or does not fit into 64 bits.
    """
    value = data.get(name)
    found = _whole(value)
    if found is None:
        raise FieldError(f"{name!r} is missing" if value is None else f"{name!r} is no whole number")
    return found


def identity(data: JsonObject, name: str = "id") -> int:
    """Return the id of an object of the platform.

    :raises FieldError: if it is no whole number above zero.
    """
    found = whole(data, name)
    if found <= 0:
        raise FieldError(f"{name!r} is not above zero")
    return found


def whole_or_none(data: JsonObject, name: str) -> int | None:
    """Return a whole number, or None if there is none."""
    return _whole(data.get(name))


def wholes(data: JsonObject, name: str) -> tuple[int, ...]:
    """Return the whole numbers of a list."""
    return tuple(found for found in map(_whole, _elements(data.get(name))) if found is not None)


def seconds(data: JsonObject, name: str) -> float:
    """Return a duration in seconds; 0 if there is none."""
    value: Any = data.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 < value < LARGEST_NUMBER else 0.0


def flag(data: JsonObject, name: str) -> bool | None:
    """Return a truth value, or None if there is none."""
    value = data.get(name)
    return value if isinstance(value, bool) else None


def moment(data: JsonObject, name: str) -> str | None:
    """Return a timestamp as the platform writes it, or None if there is none or it is no point in time."""
    value = data.get(name)
    return value if isinstance(value, str) and epoch(value) is not None else None


def epoch(timestamp: str | None) -> float | None:
    """Return epoch seconds of a dbt timestamp: ``2024-05-27 10:42:16.179903+00:00``; jobs use a T, some a Z."""
    if not timestamp:
        return None
    try:
        point = datetime.fromisoformat(timestamp)
        return (point if point.tzinfo else point.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def line(data: JsonObject, name: str) -> str | None:
    """Return a text as one printable line, or None if there is none."""
    value = data.get(name)
    return one_line(value) if isinstance(value, str) else None


def text(data: JsonObject, name: str) -> str:
    """Return a text as one printable line.

    :raises FieldError: if there is none.
    """
    found = line(data, name)
    if not found:
        raise FieldError(f"{name!r} is missing" if data.get(name) is None else f"{name!r} is no text")
    return found


def block(data: JsonObject, name: str, *, limit: int | None = BLOCK_LENGTH) -> str | None:
    """Return a text of any number of printable lines, or None if there is none."""
    value = data.get(name)
    return printable(value[:limit]) if isinstance(value, str) else None


def words(data: JsonObject, name: str) -> str | None:
    """Return a text that may be sent to dbt again, such as a branch: as it is, or None if it cannot be encoded."""
    value = data.get(name)
    return value if isinstance(value, str) and _is_sendable(value) else None


def texts(data: JsonObject, name: str) -> tuple[str, ...]:
    """Return a list of commands or paths, each as it is; empty if one of them is no text: they count by place."""
    found = _elements(data.get(name))
    return found if all(isinstance(each, str) and _is_sendable(each) for each in found) else ()


def part(data: JsonObject, name: str) -> JsonObject:
    """Return an object within an object; empty if there is none."""
    value = data.get(name)
    return value if isinstance(value, Mapping) else {}


def parts(data: JsonObject, name: str) -> Iterator[JsonObject]:
    """Yield the objects of a list.

    :raises FieldError: if it is no list of objects: one with gaps would hide what failed.
    """
    if not isinstance(data.get(name), list | tuple | None):
        raise FieldError(f"{name!r} is no list")
    for each in _elements(data.get(name)):
        if not isinstance(each, Mapping):
            raise FieldError(f"an element of {name!r} is no object")
        yield each


def link(data: JsonObject, name: str) -> str | None:
    """Return a URL that people may follow: https, or http to this machine; None if there is no such one."""
    value = data.get(name)
    is_link = isinstance(value, str) and len(value) <= LINE_LENGTH and _HREF.fullmatch(value)
    return value if is_link else None


def one_line(text: str, limit: int = LINE_LENGTH) -> str:
    """Return a text as one printable line, cut to ``limit`` characters."""
    return printable(text[:limit]).replace("\n", " ").replace("\t", " ").strip()


def printable(text: str) -> str:
    """Return a text without terminal sequences, and with a blank for each control or format character.

    Line breaks and tabs stay. Halves of surrogate pairs, as dbt writes for bytes that are no UTF-8, become U+FFFD.
    """
    if _is_plain(text):
        return text
    plain = _LINE_BREAK.sub("\n", _TERMINAL.sub("", text))
    return plain if _is_plain(plain) else _UNPRINTABLE.sub(_replacement, plain)


def _is_plain(text: str) -> bool:
    """Return whether nothing has to be replaced: a log has megabytes, and Python's own test is ten times faster."""
    return text.replace("\n", "").replace("\t", "").isprintable()


def _replacement(found: re.Match[str]) -> str:
    return "\ufffd" if "\ud800" <= found[0] <= "\udfff" else " "


def _whole(value: Any) -> int | None:
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        value = int(value)
    is_whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER
    return int(value) if is_whole else None


def _elements(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else ()


def _is_sendable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
