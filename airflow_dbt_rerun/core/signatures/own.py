"""Read and check users' own signatures, given in code or as plain data.

A wrong one must be found while the DAG is parsed or before a run is started, never in the middle of a heal. Every
error is one line that names the entry.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from airflow_dbt_rerun.core.messages import shown, unknown
from airflow_dbt_rerun.core.plain_data import check_limits
from airflow_dbt_rerun.core.regexes import TooSlowError, found_in, user_pattern
from airflow_dbt_rerun.core.signatures.signature import FLAGS, Signature, category_of

__all__ = ["check", "read"]

KEYS = tuple(field.name for field in fields(Signature))
REQUIRED = ("category", "pattern")

_LOG = logging.getLogger(__name__)
_TOO_SLOW: set[str] = set()
"""Patterns that have taken too long in this process."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def check(signatures: object, where: str = "signatures") -> tuple[Signature, ...]:
    """Check signatures given in code: a list of signatures, or of mappings as in :func:`read`; None is an empty list.

    :param where: the argument's name, for the error: ``signatures[2]: ...``, counted from 0 as in Python.
    :raises TypeError: if it is not a list, or an entry is not a signature.
    :raises ValueError: if an entry's category is unknown, or its pattern is empty, invalid, can be very slow or matches
        anything.
    """
    if signatures is None:
        return ()
    if not isinstance(signatures, (list, tuple)):
        raise TypeError(f"{where} takes a list of Signature(category, pattern), not {shown(signatures)}")
    check_limits(signatures, where)
    return tuple(_entry(entry, f"{where}[{place}]") for place, entry in enumerate(signatures))


def read(data: object, where: str = "signatures") -> tuple[Signature, ...]:
    """Read signatures from plain data: a list of mappings with category and pattern, and optionally name and source.

    :param where: the origin of the data, for the error: ``WHERE, entry 3: ...``, counted from 1.
    :raises TypeError: if it is not a list, or an entry is not a mapping of texts.
    :raises ValueError: if a key or category is unknown, or a pattern is empty, invalid or matches anything.
    """
    if isinstance(data, Mapping):
        raise TypeError(f"{where} takes a list of entries, not a single one; put it in [ ] or write '- ' before it")
    if not isinstance(data, (list, tuple)):
        raise TypeError(f"{where} takes a list of entries {{category, pattern, name, source}}, not {shown(data)}")
    check_limits(data, where)
    return tuple(_entry(entry, f"{where}, entry {place}") for place, entry in enumerate(data, start=1))


def matches(signature: Signature, text: str) -> bool:
    """Return whether a text contains a user's error, searched for a limited time.

    A pattern that takes too long once is not searched again in this process, and a warning names it.

    :raises ValueError: if the pattern is not valid, or can make a search very slow.
    """
    if signature.pattern in _TOO_SLOW:
        return False
    try:
        return found_in(_compiled(signature), text)
    except TooSlowError as error:
        _TOO_SLOW.add(signature.pattern)
        _LOG.warning("Continuing without the signature %s: %s", shown(signature.name), error)
        return False


def _entry(entry: object, place: str) -> Signature:
    try:
        return _checked(_signature(entry))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{place}: {error}") from None


def _signature(entry: object) -> Signature:
    if isinstance(entry, Signature):
        return entry
    if not isinstance(entry, Mapping):
        expected = "an entry takes category and pattern, as in Signature('transient', r'server went away')"
        raise TypeError(f"{expected}, not {shown(entry)}")
    return _from_mapping(entry)


def _from_mapping(entry: Mapping[Any, Any]) -> Signature:
    for key in entry:
        if key not in KEYS:
            raise ValueError(unknown("key", key, KEYS))
    missing = [key for key in REQUIRED if entry.get(key) is None]
    if missing:
        raise ValueError(f"{' and '.join(missing)} missing")
    given = {key: value for key, value in entry.items() if value is not None}
    return Signature(**given | {"category": category_of(given["category"])})


def _checked(signature: Signature) -> Signature:
    """Refuse a signature that would fail at the first error, match every error, or silently match none."""
    for key in ("pattern", "source", "name"):
        if not isinstance(value := getattr(signature, key), str):
            raise TypeError(f"{key} takes text, not {shown(value)}; put it in quotes")
    if not signature.pattern.strip():
        raise ValueError("the pattern is empty: it would match every error")
    if control := _CONTROL.search(signature.pattern):
        raise ValueError(_lost_backslash(control[0], signature.pattern))
    if _compiled(signature).search(""):
        raise ValueError(f"the pattern {signature.pattern!r} matches an empty text: it would match every error")
    return signature


def _compiled(signature: Signature) -> re.Pattern[str]:
    try:
        return user_pattern(signature.pattern, FLAGS)
    except ValueError as error:
        raise ValueError(f"signature pattern {error}") from error


def _lost_backslash(character: str, pattern: str) -> str:
    """Explain a lost backslash: in plain quotes Python, JSON and YAML all read backslash-b as a backspace."""
    return (
        f"the pattern {pattern!r} contains the control character {character!r}, which no error does: keep the backslash"
        r""" (r"\bword" in Python, "\\bword" in JSON, '\bword' in YAML)"""
    )
