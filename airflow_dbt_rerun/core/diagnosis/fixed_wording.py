"""Know the fixed wording of errors: what warehouses, drivers and dbt write, and not what a user has named.

Two sources: the literal text in the patterns of all signatures, and a list of common words
(``fixed_words.txt``, written by ``tools/fixed_words.py``). Whatever is in neither counts as the user's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.core.signatures import table, table_names

FILE = Path(__file__).with_name("fixed_words.txt")

ALSO = frozenset(
    """a i s t don doesn didn isn wasn aren couldn won hasn __init__ pg nsp oid relname typname nspname attname
    conname index statuscode github.com oauth2 gaierror econnreset operationhandle sessionhandle
    max_query_execution_time""".split()
)
"""What is neither a common word nor in a pattern: parts of "doesn't" first, then parts of catalog indexes."""

_WORD = re.compile(r"[^\W\d_]{2,}")
_TERM = re.compile(r"[^\W\d_][\w.$/-]*\w")
"""A name with marks inside: ``INVALID_CAST``, ``java.net.SocketException``, ``read-only``."""
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ERROR_CLASS = re.compile(r"[A-Z]\w*(?:Error|Exception|Failure|Fault|Timeout|Warning|Exceeded|Denied|Disconnected)")
_SCREAMING = re.compile(r"(?:StatusCode\.)?[A-Z]+(?:_[A-Z]+)+(?:\.[A-Z]+(?:_[A-Z]+)*)?")


@cache
def pattern_words() -> frozenset[str]:
    """Return the words and the names with marks in the signatures' patterns, in lower case."""
    texts = [text for pattern in _patterns() for text in _literals(pattern)]
    return frozenset(
        word.lower() for text in texts for found in (_WORD, _TERM) for word in found.findall(text) if len(word) > 1
    )


@cache
def words() -> frozenset[str]:
    """Return all words of fixed wording, in lower case."""
    return pattern_words() | ALSO | frozenset(FILE.read_text(encoding="utf-8").split())


def is_fixed(word: str) -> bool:
    """Return whether a word belongs to the fixed wording of errors."""
    return word.lower() in words() or is_error_class(word)


def is_error_class(word: str) -> bool:
    """Return whether a word is an error's class, such as ``ConnectionResetError``, made of known words only."""
    if not (_ERROR_CLASS.fullmatch(word) or _SCREAMING.fullmatch(word)):
        return False
    return all(part.lower() in words() for part in _PART.findall(word))


def _patterns() -> Iterator[str]:
    for name in table_names():
        for signature in table(name):
            yield signature.pattern
            yield signature.also


def _literals(pattern: str) -> Iterator[str]:
    """Yield the runs of plain characters in a pattern."""
    from re import _parser  # type: ignore[attr-defined]  # noqa: PLC0415 - how re itself reads patterns

    yield from "".join(_plain(_parser.parse(pattern))).split("\0")


def _plain(parsed: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    """Yield plain characters, and a zero where something else stands between them."""
    for kind, value in parsed:
        match kind.name:
            case "LITERAL":
                yield chr(value)
            case "SUBPATTERN":
                yield from _plain(value[-1])
            case "BRANCH":
                for branch in value[1]:
                    yield "\0"
                    yield from _plain(branch)
                yield "\0"
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                yield from _optional(value)
            case "AT":
                pass  # \b and line ends take no place
            case _:
                yield "\0"


def _optional(value: tuple[Any, Any, Any]) -> Iterator[str]:
    yield "\0"
    yield from _plain(value[2])
    yield "\0"
