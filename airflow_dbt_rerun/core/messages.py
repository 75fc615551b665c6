"""The phrases that error messages and reports share."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

_LENGTH = 80


def unknown(what: str, given: object, known: Iterable[str]) -> str:
    """Return that there is no such thing, what may have been meant, and what there is."""
    words = [str(word) for word in known]
    close = _closest(given, words)
    there_are = f"did you mean {close!r}? There are" if close else "there are"
    return f"there is no {what} {shown(given)}; {there_are} {', '.join(words)}"


def shown(value: object) -> str:
    """Return a wrong value on one line; of a long one, its beginning."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = " ".join(repr(value).split())
    return text if len(text) <= _LENGTH else text[:_LENGTH] + "..."


def counted(number: int, noun: str) -> str:
    """Return ``1 node``, ``2 nodes``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def listed(names: Sequence[str], most: int) -> str:
    """Return names joined by commas, and ``...`` in place of those after the first few."""
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def _closest(given: object, words: Sequence[str]) -> str | None:
    if not isinstance(given, str):
        return None
    of_lower = {word.lower(): word for word in words}
    close = difflib.get_close_matches(given.lower(), of_lower, n=1)
    return of_lower[close[0]] if close else None
