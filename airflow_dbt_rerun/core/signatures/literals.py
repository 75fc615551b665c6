"""Find the words that a pattern requires, so that a substring search rules out most patterns for a message.

An unknown error is compared with every pattern. Searching nine hundred of them takes milliseconds, and a run can
have thousands of such errors; searching for the required words first is many times faster.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from airflow_dbt_rerun.core.signatures.signature import Signature

Words = frozenset[str]
"""At least one of these, in lower case, is in every text that the pattern matches. Empty: none is known."""

UNKNOWN: Words = frozenset()
_NAME = ".{1,120}"
_ESCAPED = re.compile(r"\\([^\w\s])")
_PLAIN = re.compile(r"(?:[^\\.^$*+?{}\[\]()|]|\\[^\w\s]|\.\{1,120\})+")
"""A text with places for names, as in the tables of other languages: hundreds, which need not be parsed."""
TOO_MANY = 40
"""Searching for more words than this is no faster than the pattern itself."""


@cache
def words_of(pattern: str) -> Words:
    """Return words of which every match contains at least one; none if the pattern could match without any."""
    if plain := _PLAIN.fullmatch(pattern):
        return frozenset({max(_ESCAPED.sub(r"\1", plain[0]).split(_NAME), key=len).lower()})
    try:
        from re import _parser  # type: ignore[attr-defined]  # noqa: PLC0415 - how re itself reads patterns

        return _needed(_parser.parse(pattern))
    except Exception:  # noqa: BLE001 - a private module: if it has changed, every pattern is searched
        return UNKNOWN


class Index:
    """Finds the signatures that a text could match, in their order, by the words in the text."""

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
        """Return the signatures that the text could match."""
        lowered = text.lower()
        places = set(self._always)
        for word, of_word in self._by_word.items():
            if word in lowered:
                places.update(of_word)
        return (self._signatures[place] for place in sorted(places))


def _needed(parsed: Iterable[tuple[Any, Any]]) -> Words:
    """Return the rarest words that a sequence requires: a run of letters, or what one of its parts requires."""
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
