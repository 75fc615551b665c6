"""Find repeats in a row that can share one text: each of them multiplies the time by the length of the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser  # type: ignore[attr-defined]
from typing import Any

from airflow_dbt_rerun.core.regexes.automaton import FEW, REPEATS
from airflow_dbt_rerun.core.regexes.characters import Characters

LONG = 100
"""A repeat of at most so many turns costs little."""

_LIMITS = ((2, 3), (10_000, 4))
"""Fixed characters from which on two repeats count as apart, and how many that are not may share a text.

The search for a beginning counts as one. A character that the repeats cannot match sets them apart in any case.
"""


def crowded(tree: Any, characters: Characters) -> str | None:
    """Return why repeats in a row are too slow, with the way to mend it; None if they are not."""
    for first, items in _sequences(tree):
        found = list(items)
        for apart, limit in _LIMITS:
            if (most := _most_in(found, characters, apart, begins=first)) > limit:
                return (
                    f"repeats without a limit can share the same text, so a search takes the power {most} of its "
                    r"length; limit them, as in \S{1,100}, put fixed characters between them, and begin with one"
                )
    return None


def _sequences(tree: Any) -> Iterator[tuple[bool, Iterable[Any]]]:
    """Yield the pattern and every sequence inside it, and whether it is the whole."""
    waiting: list[tuple[bool, Any]] = [(True, tree)]
    while waiting:
        is_whole, items = waiting.pop()
        yield is_whole, _inlined(items)
        for kind, value in items:
            waiting += [(is_whole and kind is op.SUBPATTERN, part) for part in _parts(kind, value)]


def _parts(kind: Any, value: Any) -> list[Any]:
    if kind in REPEATS or kind is op.POSSESSIVE_REPEAT:
        return [value[2]]
    if kind is op.BRANCH:
        return list(value[1])
    if kind is op.ATOMIC_GROUP:
        return [value]
    if kind in (op.ASSERT, op.ASSERT_NOT):
        return [value[1]]
    return [value[-1]] if kind is op.SUBPATTERN else []


def _inlined(items: Iterable[Any]) -> Iterator[Any]:
    """Yield the items of a sequence, with those of plain groups and short repeats in their place."""
    for kind, value in items:
        if kind is op.SUBPATTERN:
            yield from _inlined(value[-1])
        elif kind in REPEATS and 1 < value[1] <= FEW:
            for _ in range(value[1]):
                yield from _inlined(value[2])
        else:
            yield kind, value


def _most_in(items: list[Any], characters: Characters, apart: int, *, begins: bool) -> int:
    """Return how many repeats in a row can share a text.

    :param apart: how many fixed characters set two of them apart.
    :param begins: whether the search begins here: it tries each place, which is one repeat more.
    """
    count = int(begins and bool(items) and _is_long(*items[0]))
    most, shared, fixed = count, characters.every, 0
    for kind, value in items:
        held, is_long = _held(kind, value, characters), _is_long(kind, value)
        if is_long and held & shared and fixed < apart:
            count, shared, fixed = count + 1, held & shared, 0
        elif is_long and (fixed >= apart or value[0]):
            count, shared, fixed = 1, held, 0
        elif not is_long and (width := _least(kind, value)):
            fixed += width if held & shared else apart
        most = max(most, count)
    return most


def _is_long(kind: Any, value: Any) -> bool:
    """Return whether an item is a long repeat; one of other long repeats is judged by what is inside it."""
    if kind not in REPEATS or value[1] <= LONG or value[0] == value[1]:
        return False
    return not any(_is_long(*item) for item in _inlined(value[2]))


def _least(kind: Any, value: Any) -> int:
    """Return how many characters an item matches at least; 0 for a repetition of what an earlier group matched."""
    try:
        return int(_parser.SubPattern(_parser.State(), [(kind, value)]).getwidth()[0])
    except (IndexError, TypeError):  # the parser does not know that group here
        return 0


def _held(kind: Any, value: Any, characters: Characters) -> int:
    """Return all characters that a match of an item can hold."""
    if (own := characters.of(kind, value)) is not None:
        return own
    found = characters.every if kind in (op.GROUPREF, op.GROUPREF_EXISTS) else 0
    for part in () if kind in (op.ASSERT, op.ASSERT_NOT) else _parts(kind, value):
        for inner, its_value in part:
            found |= _held(inner, its_value, characters)
    return found
