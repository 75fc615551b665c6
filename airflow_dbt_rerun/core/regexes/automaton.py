"""A pattern as a graph of positions: which character can follow which, and in how many ways.

This is Glushkov's automaton, which has no empty steps; instead it counts the ways of each step. Where a text can be
read in two ways inside a loop, n turns of the loop can be read in 2^n ways, and a search tries them all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from re import _constants as op  # type: ignore[attr-defined]
from typing import Any

from airflow_dbt_rerun.core.regexes.characters import Characters

REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT)

FEW = 4
"""A repeat of at most so many turns is written out; one of more counts as a loop."""

_MOST_WRITTEN_OUT = 100
"""Positions of a repeat of a fixed number of turns, up to which it is written out as well."""

_MOST_STEPS = 200_000

_MOST = 2
"""Ways are counted up to here: more than one is all that matters."""

Ways = Mapping[int, int]
"""In how many ways each position can be reached."""


class TooComplexError(Exception):
    """The pattern has too many positions or steps to be judged."""


@dataclass(frozen=True)
class Part:
    """A piece of a pattern: the positions it can begin and end with, and in how many ways it can match nothing."""

    first: Ways = field(default_factory=dict)
    last: Ways = field(default_factory=dict)
    empty: int = 1

    @property
    def has_positions(self) -> bool:
        """Whether it can match a character."""
        return bool(self.first)


class Automaton:
    """The positions of one pattern, with the characters that each matches and the steps between them.

    :param most: how many positions are allowed.
    :raises TooComplexError: if there would be more, or too many steps between them.
    """

    def __init__(self, characters: Characters, most: int) -> None:
        self.characters: list[int] = []
        self.steps: dict[int, Counter[int]] = {}
        self.inner: list[Any] = []
        """Sequences that match on their own: in lookarounds and atomic groups."""
        self.faults: list[str] = []
        self._of = characters
        self._most = most
        self._loops = 0
        self._work = 0

    def sequence(self, items: Iterable[Any]) -> Part:
        """Add items that follow each other."""
        whole = Part()
        for kind, value in items:
            whole = self._joined(whole, self._item(kind, value))
        return whole

    def _item(self, kind: Any, value: Any) -> Part:
        if (characters := self._of.of(kind, value)) is not None:
            return self._position(characters)
        if kind is op.SUBPATTERN:
            return self.sequence(value[-1])
        if kind is op.BRANCH:
            return self._either(map(self.sequence, value[1]))
        if kind is op.GROUPREF_EXISTS:
            return self._either(map(self.sequence, filter(None, value[1:])))
        if kind in REPEATS:
            return self._repeat(*value)
        if kind is op.GROUPREF:
            return _optional(self._position(self._of.every))
        return self._on_its_own(kind, value)

    def _on_its_own(self, kind: Any, value: Any) -> Part:
        """Add what is never entered again once it has matched: an anchor, a lookaround, an atomic group."""
        if kind in (op.ASSERT, op.ASSERT_NOT):
            self.inner.append(value[1])
        elif kind is op.ATOMIC_GROUP:
            return self._as_one(value)
        elif kind is op.POSSESSIVE_REPEAT:
            return self._as_one(value[2]) if value[0] else _optional(self._as_one(value[2]))
        return Part()

    def _as_one(self, items: Any) -> Part:
        """Add an atomic group as a single position with all its characters."""
        self.inner.append(items)
        before = len(self.characters)
        part = self.sequence(items)
        held = 0
        for characters in self.characters[before:]:
            held |= characters
        del self.characters[before:]
        for position in [each for each in self.steps if each >= before]:
            del self.steps[position]
        one = self._position(held)
        return _optional(one) if part.empty else one

    def _position(self, characters: int) -> Part:
        if len(self.characters) >= self._most:
            raise TooComplexError
        self.characters.append(characters)
        position = len(self.characters) - 1
        self.steps[position] = Counter()
        return Part({position: 1}, {position: 1}, 0)

    def _repeat(self, low: int, high: Any, items: Any) -> Part:
        if high == 0:
            return Part()
        before, loops = len(self.characters), self._loops
        part = self.sequence(items)
        size = len(self.characters) - before
        if low > FEW and part.empty and part.has_positions:
            self.faults.append(f"it repeats {low} times what can match nothing")
        if high <= FEW or (low == high and self._loops == loops and high * size <= _MOST_WRITTEN_OUT):
            return self._turns(part, low, int(high), items)
        self._loops += 1
        self._step(part.last, part.first)
        return Part(part.first, part.last, min(part.empty, 1)) if low else _optional(part)

    def _turns(self, part: Part, low: int, high: int, items: Any) -> Part:
        """Write out a repeat from its end: ``a{1,3}`` as ``a(?:a(?:a)?)?``, which can be read in one way only."""
        rest = Part()
        for turn in range(high, 0, -1):
            one = part if turn == high else self.sequence(items)
            rest = self._joined(one, rest)
            rest = rest if turn <= low else _optional(rest)
        return rest

    def _joined(self, one: Part, other: Part) -> Part:
        self._step(one.last, other.first)
        return Part(
            _added(one.first, other.first, times=one.empty),
            _added(other.last, one.last, times=other.empty),
            min(one.empty * other.empty, _MOST),
        )

    def _either(self, parts: Iterable[Part]) -> Part:
        whole = Part(empty=0)
        for part in parts:
            first, last = _added(whole.first, part.first), _added(whole.last, part.last)
            whole = Part(first, last, min(whole.empty + part.empty, _MOST))
        return whole

    def _step(self, ends: Ways, starts: Ways) -> None:
        self._work += len(ends) * len(starts)
        if self._work > _MOST_STEPS:
            raise TooComplexError
        for end, ways in ends.items():
            for start, more in starts.items():
                self.steps[end][start] += ways * more


def _optional(part: Part) -> Part:
    return Part(part.first, part.last, min(part.empty + 1, _MOST))


def _added(one: Ways, other: Ways, *, times: int = 1) -> Ways:
    if not times:
        return one
    found = Counter(one)
    for position, ways in other.items():
        found[position] += ways * times
    return found
