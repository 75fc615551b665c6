"""Phrases shared by error messages and reports."""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterable, Sequence

_LENGTH = 80

_SHORT = reprlib.Repr()
"""Shows a part of a value only: the whole of a deep or a large one would take long to write."""
_SHORT.maxlevel = 5
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 200


def unknown(what: str, given: object, known: Iterable[str]) -> str:
    """Return an error text for an unknown name, with the closest known one and the list of all."""
    words = [str(word) for word in known]
    close = closest(given, words)
    there_are = f"did you mean {close!r}? There are" if close else "there are"
    return f"there is no {what} {shown(given)}; {there_are} {', '.join(words)}"


def not_among(where: str, given: object, known: Iterable[str], *, be: str = "be one of") -> str:
    """Return an error text for a word that an argument does not take, with the closest one that it takes.

    :param be: what the argument must do with the words: ``be one of``, or ``be among`` where it takes several.
    """
    words = [str(word) for word in known]
    several = given if isinstance(given, (list, tuple, set, frozenset)) else [given]
    close = next((found for each in several if each not in words and (found := closest(each, words))), None)
    meant = f": did you mean {close!r}?" if close else ""
    return f"{where} must {be} {', '.join(words)}, not {shown(given)}{meant}"


def shown(value: object) -> str:
    """Return a wrong value on one line, cut if it is long."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    try:
        text = " ".join(_SHORT.repr(value).split())
    except Exception:  # noqa: BLE001 - a value of the user, whose repr may fail: for example a number of 5,000 digits
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= _LENGTH else text[:_LENGTH] + "..."


def counted(number: int, noun: str) -> str:
    """Return ``1 node``, ``2 nodes``."""
    return f"{number} {noun}" + ("" if number == 1 else "s")


def listed(names: Sequence[str], most: int) -> str:
    """Return the first ``most`` names joined by commas, and how many more there are: ``a, b and 19,998 more``."""
    return ", ".join(names[:most]) + (f" and {len(names) - most:,} more" if len(names) > most else "")


def and_more(left: int) -> str:
    """Return the last line of a list that was cut: ``... and 19,980 more``."""
    return f"... and {left:,} more"


def closest(given: object, words: Sequence[str]) -> str | None:
    """Return the word that was probably meant; None if none is close."""
    if not isinstance(given, str):
        return None
    of_lower = {word.lower(): word for word in words}
    close = difflib.get_close_matches(given.lower(), of_lower, n=1)
    return of_lower[close[0]] if close else None
