"""Find the words that a pattern requires, so that a substring search rules out most patterns for a message.

An unknown error is compared with every pattern. Searching nine hundred of them takes milliseconds, and a run can
have thousands of such errors; searching for the required words first is many times faster. Nor is each of the words
searched for: four letters of each are looked up among those of the text.
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
_ESCAPED = re.compile(r"\\([^\w\s])")
_PLAIN = re.compile(r"(?:[^\\.^$*+?{}\[\]()]|\\[^\w\s]|\\b|\.\{1,120\})+")
"""Texts with places for names: more than half of the patterns, which need not be parsed."""
_PLACE = re.compile(r"\.\{1,120\}|\\b")
TOO_MANY = 40
"""Searching for more words than this is no faster than the pattern itself."""

GRAM = 4
"""Letters of a word that are looked up: with fewer, too many words share them; more would leave out short words."""


@cache
def words_of(pattern: str) -> Words:
    """Return words of which every match contains at least one; none if the pattern could match without any."""
    if _PLAIN.fullmatch(pattern) and r"\|" not in pattern:
        words = frozenset(_longest(text) for text in pattern.split("|"))
        return words if all(words) and len(words) <= TOO_MANY else UNKNOWN
    try:
        from re import _parser  # type: ignore[attr-defined]  # noqa: PLC0415 - how re itself reads patterns

        return _needed(_parser.parse(pattern))
    except Exception:  # noqa: BLE001 - a private module: if it has changed, every pattern is searched
        return UNKNOWN


def _longest(text: str) -> str:
    return max((_ESCAPED.sub(r"\1", part) for part in _PLACE.split(text)), key=len).lower()


class Index:
    """Finds the signatures that a text could match, in their order, by the words in the text."""

    def __init__(self, signatures: Sequence[Signature]) -> None:
        self._signatures = signatures
        self._always = [place for place, one in enumerate(signatures) if not words_of(one.pattern)]
        self._by_word: dict[str, list[int]] = {}
        for place, signature in enumerate(signatures):
            for word in words_of(signature.pattern):
                self._by_word.setdefault(word, []).append(place)
        self._short = [word for word in self._by_word if len(word) < GRAM]
        self._by_gram = _by_rarest_gram(word for word in self._by_word if len(word) >= GRAM)

    def candidates(self, text: str) -> Iterator[Signature]:
        """Return the signatures that the text could match."""
        lowered = text.lower()
        places = set(self._always)
        for word in self._words_near(lowered):
            if word in lowered:
                places.update(self._by_word[word])
        return (self._signatures[place] for place in sorted(places))

    def _words_near(self, text: str) -> Iterator[str]:
        """Yield the words that the text may contain, among them all that it does contain."""
        yield from self._short
        for gram in self._by_gram.keys() & set(_grams(text)):
            yield from self._by_gram[gram]


def _by_rarest_gram(words: Iterable[str]) -> dict[str, list[str]]:
    """Put each word under the one of its grams (every other is tried) that the fewest words before it have."""
    found: dict[str, list[str]] = {}
    for word in words:
        rarest = min(_grams(word, GRAM // 2), key=lambda gram: len(found.get(gram, ())))
        found.setdefault(rarest, []).append(word)
    return found


def _grams(text: str, step: int = 1) -> Iterator[str]:
    return (text[place : place + GRAM] for place in range(0, len(text) - GRAM + 1, step))


def _needed(parsed: Iterable[tuple[Any, Any]]) -> Words:
    """Return the rarest words that a sequence requires: a run of letters, or what one of its parts requires."""
    found: list[Words] = []
    letters = ""
    for kind, value in getattr(parsed, "data", parsed):  # iterating over what wraps the list takes twice the time
        if kind.name == "LITERAL":
            letters += chr(value).lower()
            continue
        found += [frozenset({letters})] if letters else []
        letters = ""
        part = _part(kind.name, value)
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
