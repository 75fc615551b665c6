"""Texts that are as hard as can be for a regular expression, made from the expression's own structure.

A search gets slow where a pattern almost matches, again and again. So each text repeats what the pattern is made
of: its beginning, all of it but the end, and long runs of what its repeats may hold.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator
from re import _constants as op  # type: ignore[attr-defined]  # the parser's words have no public home
from re import _parser  # type: ignore[attr-defined]
from typing import Any

ALPHABET = "a1 _.:/'\"()[]{}-,=\t\n" + string.printable + "é…"
"""Characters to build texts from, in the order in which they are preferred."""

REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
RUN = 60
"""Characters of a short run: long enough to cost, short enough to come often."""

GENERIC = {
    "quotes": "'\"`",
    "open quotes": "it's \"",
    "brackets": "([{",
    "closed brackets": "(a)[b]{c}",
    "colours": "\x1b[31m",
    "open colours": "\x1b[",
    "slashes": "/",
    "paths": "a/b.sql ",
    "newlines": "\n",
    "carriage returns": "\r\n",
    "lines of blanks": " \t\xa0\n",
    "one line of words": "connection ",
    "one long word": "a",
    "digits": "1",
    "addresses": "https://a.b/c ",
    "times": "12:00:00 ",
    "key values": "value: x; (a)=(b) ",
    "frames": "Database Error in model a (b.sql)\n",
    "frames on one line": "Database Error in model a (b.sql) ",
    "tracebacks": 'File "a.py", line 1\n',
    "json": '{"message": "[{\'error\': "',
    "escapes": "\\'",
}
"""Units that are hard for the cleaning of a message, whatever the patterns."""


def units(pattern: str) -> Iterator[str]:
    """Give short texts that are hard for a pattern when they are repeated, each once."""
    tree = list(_parser.parse(pattern))
    yield from dict.fromkeys(unit for unit in _units(tree) if unit)


def _units(tree: list[Any]) -> Iterator[str]:
    for turn in range(_most_alternatives(tree)):
        items = list(_way(tree, turn))
        whole = example(items)
        yield from (whole[:-1], f"{whole[:-1]} ", f"{whole[:-1]}\n", whole[:1])
        for place, item in enumerate(items):
            if item[0] in REPEATS and item[1][1] > 1:
                body = example(item[1][2]) or "a"
                before = example(items[:place])
                run = (body * RUN)[: max(RUN, len(body))]
                yield from (body, before, before + run, f"{before}{run} ", run + example(items[place + 1 :])[:-1])


def _way(items: Iterable[Any], turn: int) -> Iterator[Any]:
    """Give one way through a pattern, without groups: the ``turn``-th alternative wherever there is a choice."""
    for kind, value in items:
        if kind is op.BRANCH:
            yield from _way(value[1][turn % len(value[1])], turn)
        elif kind is op.SUBPATTERN:
            yield from _way(value[-1], turn)
        else:
            yield kind, value


def _most_alternatives(items: Iterable[Any]) -> int:
    """Count the turns that show each alternative at least once."""
    most = 1
    for kind, value in items:
        if kind is op.BRANCH:
            most = max(most, len(value[1]), *map(_most_alternatives, value[1]))
        elif kind is op.SUBPATTERN:
            most = max(most, _most_alternatives(value[-1]))
    return most


def example(items: Iterable[Any]) -> str:
    """Give a short text that the items match, as far as single characters can tell."""
    return "".join(_example(kind, value) for kind, value in items)


def _example(kind: Any, value: Any) -> str:
    if kind is op.BRANCH:
        return example(value[1][0])
    if kind in (op.SUBPATTERN, op.ATOMIC_GROUP):
        return example(value[-1] if kind is op.SUBPATTERN else value)
    if kind in REPEATS:
        return example(value[2]) * max(int(value[0]), 1)
    if kind is op.LITERAL:  # of any alphabet
        return chr(value)
    found = characters(kind, value)
    return next((each for each in ALPHABET if each in found), "")


def characters(kind: Any, value: Any) -> frozenset[str]:
    """Give the characters of :data:`ALPHABET` that a single-character item matches; none for any other item."""
    if kind is op.LITERAL:
        return frozenset(chr(value))
    if kind is op.NOT_LITERAL:
        return frozenset(ALPHABET) - {chr(value)}
    if kind is op.ANY:
        return frozenset(ALPHABET) - {"\n"}
    if kind is op.IN:
        return _members(value)
    return frozenset()


def _members(members: list[Any]) -> frozenset[str]:
    found = {each for each in ALPHABET for kind, value in members if _is_member(each, kind, value)}
    return frozenset(ALPHABET) - found if members[0][0] is op.NEGATE else frozenset(found)


def _is_member(character: str, kind: Any, value: Any) -> bool:
    if kind is op.LITERAL:
        return ord(character) == int(value)
    if kind is op.RANGE:
        return int(value[0]) <= ord(character) <= int(value[1])
    return kind is op.CATEGORY and CATEGORIES[value](character)


CATEGORIES: dict[Any, Callable[[str], bool]] = {
    op.CATEGORY_DIGIT: str.isdigit,
    op.CATEGORY_NOT_DIGIT: lambda each: not each.isdigit(),
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda each: not each.isspace(),
    op.CATEGORY_WORD: lambda each: each.isalnum() or each == "_",
    op.CATEGORY_NOT_WORD: lambda each: not (each.isalnum() or each == "_"),
}
