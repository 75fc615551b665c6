"""Find in a regular expression, by its structure alone, what makes a search slower than linear."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from re import _constants as op  # type: ignore[attr-defined]  # the parser's words have no public home
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from benchmarks._hostile import ALPHABET, REPEATS, characters

LONG = 200
"""A repeat of more is as bad as one without a bound: evidence is not much longer."""

WORD = frozenset(each for each in ALPHABET if each.isalnum() or each == "_")


def slow_repeats(pattern: str) -> list[str]:
    """Say what is slow in a pattern: nothing, if the time of a search grows with the text only.

    Three shapes are slow on a text that almost matches: a repeat in a repeat, with nothing between the turns that
    the inner one could not hold as well; two long repeats that can share a text between them; and a long repeat
    that can begin anywhere in what it holds itself, for then it is tried from each place there. A bounded one may
    be longer there if long words stand before it: it is tried less often.
    """
    tree = _parser.parse(pattern, re.IGNORECASE | re.MULTILINE)
    return list(dict.fromkeys(_slow(list(tree), [], ends=True)))


def _slow(items: Sequence[Any], before: list[Any], *, ends: bool) -> Iterator[str]:
    """Walk through a sequence.

    :param before: what stands in front of it in the whole pattern.
    :param ends: whether the whole pattern has matched when this sequence has.
    """
    for place, (kind, value) in enumerate(items):
        passed = [*before, *items[:place]]
        is_last = ends and all(after in REPEATS and turns[0] == 0 for after, turns in items[place + 1 :])
        if kind in REPEATS and value[1] > 1:
            yield from _slow_repeat(value, passed, is_last=is_last)
        is_once = kind in (op.SUBPATTERN, op.BRANCH) or (kind in REPEATS and value[1] == 1)
        for part in _parts(kind, value):
            yield from _slow(part, passed, ends=is_last and is_once)


def _slow_repeat(value: Any, before: list[Any], *, is_last: bool) -> Iterator[str]:
    low, high, body = value
    for inner in _repeats(body):
        if inner[0] != inner[1] and not _any_bars(body, _held(inner[2])):
            yield f"a repeat of up to {_count(high)} holds one of up to {_count(inner[1])}"
    if high > LONG and low != high and not is_last:  # the last one cannot fail, so it is tried once
        yield from _slow_long(high, _held(body), before)


def _slow_long(high: Any, held: frozenset[str], before: list[Any]) -> Iterator[str]:
    if high > LONG * _least(before) and not _any_bars(before, held) and not _starts_rarely(before, held):
        yield f"a repeat of up to {_count(high)} can begin anywhere in what it holds"
    for place, (kind, earlier) in enumerate(before):
        if kind not in REPEATS or earlier[1] <= LONG or _any_bars(before[place + 1 :], _held(earlier[2])):
            continue
        if _held(earlier[2]) & held:
            yield f"repeats of up to {_count(earlier[1])} and {_count(high)} can share a text"


def _parts(kind: Any, value: Any) -> Iterator[list[Any]]:
    """Give the sequences inside an item."""
    if kind in REPEATS:
        yield list(value[2])
    elif kind is op.SUBPATTERN:
        yield list(value[-1])
    elif kind is op.BRANCH:
        yield from map(list, value[1])
    elif kind is op.ATOMIC_GROUP:
        yield list(value)
    elif kind in (op.ASSERT, op.ASSERT_NOT):
        yield list(value[1])


def _repeats(items: Iterable[Any]) -> Iterator[Any]:
    """Give each repeat inside, at whatever depth; ``?`` is none."""
    for kind, value in items:
        if kind in REPEATS and value[1] > 1:
            yield value
        for part in _parts(kind, value):
            yield from _repeats(part)


def _held(items: Iterable[Any]) -> frozenset[str]:
    """Give every character that a match of the items can hold."""
    held: set[str] = set()
    for kind, value in items:
        if kind not in (op.ASSERT, op.ASSERT_NOT):
            held |= _both_cases(characters(kind, value)).union(*map(_held, _parts(kind, value)))
    return frozenset(held)


def _both_cases(found: frozenset[str]) -> frozenset[str]:
    return found | {each.swapcase() for each in found}


def _any_bars(items: Iterable[Any], held: frozenset[str]) -> bool:
    """Say whether every match of the items contains a character outside ``held``: a repeat of those stops there."""
    return any(_bars(kind, value, held) for kind, value in items)


def _bars(kind: Any, value: Any, held: frozenset[str]) -> bool:
    if kind is op.BRANCH:
        return all(_any_bars(branch, held) for branch in value[1])
    if kind in REPEATS:
        return value[0] > 0 and _any_bars(value[2], held)
    if kind in (op.SUBPATTERN, op.ATOMIC_GROUP):
        return any(_any_bars(part, held) for part in _parts(kind, value))
    found = _both_cases(characters(kind, value))
    return bool(found) and not found & held


def _starts_rarely(before: Sequence[Any], held: frozenset[str]) -> bool:
    """Say whether a search can start only once in a run of ``held``: at a line's or, for words, a word's start."""
    first = next(iter(before), (None, None))
    if first == (op.AT, op.AT_BEGINNING):
        return "\n" not in held
    return first == (op.AT, op.AT_BOUNDARY) and held <= _both_cases(WORD)


def _least(before: Sequence[Any]) -> int:
    """Count the characters that a search must have matched before: the more, the rarer a start. At least 1."""
    parsed = _parser.SubPattern(_parser.State(), list(before))
    return max(1, int(parsed.getwidth()[0]))


def _count(high: Any) -> str:
    return "any number" if high is op.MAXREPEAT else str(high)
