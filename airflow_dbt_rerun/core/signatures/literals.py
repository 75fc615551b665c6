"""Which words a pattern cannot do without: most patterns are ruled out for a message by a plain substring search.

An error that nobody knows is compared with every pattern there is. Searching nine hundred of them takes
milliseconds, and a run can have thousands of such errors; looking for their words first is many times faster.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from airflow_dbt_rerun.core.signatures.signature import Signature

Words = frozenset[str]
"""At least one of these is in every text that the pattern matches, in lower case. Empty: nothing is known."""

UNKNOWN: Words = frozenset()
TOO_MANY = 40
"""Looking for more words than this is no faster than the pattern itself."""


@cache
def words_of(pattern: str) -> Words:
    """Find words of which every match holds one; none if the pattern could match without any."""
    try:
        from re import _parser  # type: ignore[attr-defined]  # noqa: PLC0415 - how re itself reads patterns

        return _needed(_parser.parse(pattern))
    except Exception:  # noqa: BLE001 - a private module: where it has changed, every pattern is simply searched
        return UNKNOWN


class Index:
    """Finds the signatures that a text could match, in their order, by the words that the text holds."""

    def __init__(self, signatures: Sequence[Signature]) -> None:
        self._signatures = signatures
        self._by_word: dict[str, list[int]] = {}
        self._always: list[int] = []
        for place, signature in enumerate(signatures):
            words = words_of(signature.pattern)
            for word in words:
                self._by_word.setdefault(word, []).append(place)
            if not words:
                self._always.append(place)

    def candidates(self, text: str) -> Iterator[Signature]:
        """Return the signatures that are worth a search."""
        lowered = text.lower()
        places = set(self._always)
        for word, of_word in self._by_word.items():
            if word in lowered:
                places.update(of_word)
        return (self._signatures[place] for place in sorted(places))


def _needed(parsed: Iterable[tuple[Any, Any]]) -> Words:
    """Pick the rarest of what a sequence cannot do without: a run of letters, or what one of its parts needs."""
    found: list[Words] = []
    letters = ""
    for kind, value in parsed:
        if str(kind) == "LITERAL":
            letters += chr(value).lower()
            continue
        found += [frozenset({letters})] if letters else []
        letters = ""
        part = _part(str(kind), value)
        found += [part] if part else []
    found += [frozenset({letters})] if letters else []
    return max(found, key=_rarity, default=UNKNOWN)


def _part(kind: str, value: Any) -> Words:
    if kind == "SUBPATTERN":
        return _needed(value[-1])
    if kind in ("MAX_REPEAT", "MIN_REPEAT") and value[0] > 0:
        return _needed(value[2])
    if kind == "BRANCH":
        branches = [_needed(branch) for branch in value[1]]
        together = frozenset[str]().union(*branches)
        return together if all(branches) and len(together) <= TOO_MANY else UNKNOWN
    return UNKNOWN


def _rarity(words: Words) -> tuple[int, int]:
    return min(len(word) for word in words), -len(words)
