"""Read and check users' own signatures, given in code or as plain data.

A wrong one must be found while the DAG is parsed or before a run is started, never in the middle of a heal. Every
error is one line that names the entry.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.messages import shown, unknown
from airflow_dbt_rerun.core.plain_data import check_limits
from airflow_dbt_rerun.core.regexes import TooSlowError, found_in, user_pattern
from airflow_dbt_rerun.core.signatures.rows import KEYS, Shared, by_code, by_words, patterns_of
from airflow_dbt_rerun.core.signatures.signature import FLAGS, Signature, category_of
from airflow_dbt_rerun.core.signatures.speakers import table_names
from airflow_dbt_rerun.core.signatures.table import table

__all__ = ["check", "read", "replaced"]

DISABLE = "disable"
DOCUMENT_KEYS = ("signatures", DISABLE, "code", "parts")
_LISTS = ("patterns", "codes", "examples", "not_examples")
_NEVER = "(?!)"
"""Matches nothing: a signature that disables a built-in one has its id and no words."""

_LOG = logging.getLogger(__name__)
_TOO_SLOW: set[str] = set()
"""Patterns that have taken too long in this process."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def check(signatures: object, where: str = "signatures") -> tuple[Signature, ...]:
    """Check signatures given in code: a list of signatures, or of mappings as in :func:`read`; None is empty.

    :param where: the argument's name, for the error: ``signatures[2]: ...``, counted from 0 as in Python.
    :raises TypeError: if it is not a list, or an entry is not a signature.
    :raises ValueError: if an entry's category is unknown, or its pattern is empty, invalid, can be very slow or
        matches anything.
    """
    if signatures is None:
        return ()
    if not isinstance(signatures, (list, tuple)):
        raise TypeError(f"{where} takes a list of Signature(category, pattern), not {shown(signatures)}")
    check_limits(signatures, where)
    return _all(signatures, lambda place: f"{where}[{place}]", Shared())


def read(data: object, where: str = "signatures") -> tuple[Signature, ...]:
    """Read signatures from plain data: a list of mappings, or a mapping with ``signatures`` and ``disable``.

    :param where: the origin of the data, for the error: ``WHERE, entry 3: ...``, counted from 1.
    :raises TypeError: if it is not a list, or an entry is not a mapping of texts.
    :raises ValueError: if a key or category is unknown, or a pattern is empty, invalid or matches anything.
    """
    document = data if isinstance(data, Mapping) else {"signatures": data}
    if isinstance(data, Mapping) and set(data) & set(KEYS):
        raise TypeError(f"{where} takes a list of entries, not a single one; put it in [ ] or write '- ' before it")
    for key in document:
        if key not in DOCUMENT_KEYS:
            raise ValueError(f"{where}: {unknown('key', key, DOCUMENT_KEYS)}")
    check_limits(document, where)
    entries = document.get("signatures", [])
    if not isinstance(entries, (list, tuple)):
        raise TypeError(
            f"{where} takes a list of entries {{category, pattern, name, source}}, not {shown(entries)}"
        )
    disabled = _disabled(document.get(DISABLE), where)
    return disabled + _all(entries, lambda place: f"{where}, entry {place + 1}", _shared(document, where))


def replaced(signatures: Sequence[Signature]) -> frozenset[str]:
    """Return the ids of the built-in signatures that these replace or disable."""
    return frozenset(signature.id for signature in signatures if signature.id)


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


def _all(entries: Sequence[object], place_of: Callable[[int], str], shared: Shared) -> tuple[Signature, ...]:
    """Read each entry; an error names its place."""
    found: list[Signature] = []
    for place, entry in enumerate(entries):
        try:
            found += map(_checked, _signatures(entry, shared))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{place_of(place)}: {error}") from None
    return tuple(found)


def _signatures(entry: object, shared: Shared) -> Sequence[Signature]:
    if isinstance(entry, Signature):
        return [entry]
    if not isinstance(entry, Mapping):
        expected = "an entry takes category and pattern, as in Signature('transient', r'server went away')"
        raise TypeError(f"{expected}, not {shown(entry)}")
    if set(entry) == {DISABLE}:
        return _disabled(entry[DISABLE], "this entry")
    return _from_mapping({key: value for key, value in entry.items() if value is not None}, shared)


def _from_mapping(entry: Mapping[Any, Any], shared: Shared) -> Sequence[Signature]:
    for key in entry:
        if key not in KEYS:
            raise ValueError(unknown("key", key, (*KEYS, DISABLE)))
    missing = [
        *([] if "category" in entry else ["category"]),
        *([] if set(entry) & {"pattern", "patterns", "codes"} else ["pattern"]),
    ]
    if missing:
        raise ValueError(f"{' and '.join(missing)} missing")
    category_of(entry["category"])
    for key in _LISTS:
        _check_texts(entry.get(key, []), key)
    _check_entry(entry, shared)
    return [*by_code(entry, shared), *by_words(entry, shared)]


def _check_entry(entry: Mapping[str, Any], shared: Shared) -> None:
    for key in ("pattern", "source", "name", "id", "also"):
        if not isinstance(value := entry.get(key, ""), str):
            raise TypeError(f"{key} takes text, not {shown(value)}; put it in quotes")
    if entry.get("codes") and not shared.code:
        raise ValueError(
            "codes need the document's 'code', which says how a code looks: code: ['\\berror {code}\\b']"
        )
    if not (patterns_of(entry) or entry.get("codes")):
        raise ValueError("patterns is empty: it would match no error")


def _check_texts(values: object, key: str) -> None:
    if not isinstance(values, (list, tuple)) or not all(isinstance(value, str) for value in values):
        raise TypeError(f"{key} takes a list of texts, not {shown(values)}")


def _shared(document: Mapping[str, Any], where: str) -> Shared:
    code, parts = document.get("code") or (), document.get("parts") or {}
    _check_texts(code, f"{where}: code")
    if not isinstance(parts, Mapping) or not all(isinstance(part, str) for part in parts.values()):
        raise TypeError(f"{where}: parts takes a mapping of texts, not {shown(parts)}")
    return Shared(code, parts)


def _disabled(ids: object, where: str) -> tuple[Signature, ...]:
    """Return signatures that replace built-in ones by nothing."""
    wanted = [ids] if isinstance(ids, str) else ids or []
    _check_texts(wanted, f"{where}: {DISABLE}")
    for identity in wanted:  # type: ignore[attr-defined]
        if identity not in known_ids():
            raise ValueError(f"{where}: {DISABLE}: {_no_such(identity)}")
    return tuple(Signature(Category.UNKNOWN, _NEVER, name="disabled", id=one) for one in wanted)  # type: ignore[attr-defined]


@cache
def known_ids() -> frozenset[str]:
    """Return the ids of all built-in signatures."""
    return frozenset(signature.id for name in table_names() for signature in table(name))


def _no_such(identity: str) -> str:
    close = difflib.get_close_matches(identity, known_ids(), n=1)
    meant = f"; did you mean {close[0]!r}?" if close else ""
    return f"there is no built-in signature {shown(identity)}{meant} ('airflow-dbt-rerun signatures' lists them)"


def _checked(signature: Signature) -> Signature:
    """Refuse a signature that would fail at the first error, match every error, or silently match none."""
    for key in ("pattern", "source", "name", "id", "also"):
        if not isinstance(value := getattr(signature, key), str):
            raise TypeError(f"{key} takes text, not {shown(value)}; put it in quotes")
    if signature.pattern == _NEVER:
        return signature
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
        f"the pattern {pattern!r} contains the control character {character!r}, which no error does: keep the "
        "backslash"
        r""" (r"\bword" in Python, "\\bword" in JSON, '\bword' in YAML)"""
    )
