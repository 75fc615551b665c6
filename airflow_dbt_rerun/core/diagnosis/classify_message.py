"""Classify an error message.

A node with the status of a failed test comes first, then the user's own signatures, then the built-in tables (see
:mod:`airflow_dbt_rerun.core.signatures`). A message that nothing matches is unknown, never transient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.cleaning import bounded, error_lines, evidence
from airflow_dbt_rerun.core.signatures import Signature, own, speakers, table
from airflow_dbt_rerun.core.signatures.literals import Index

__all__ = ["classify", "match", "matching"]


def classify(message: str | None, *, adapter: str | None = None, node_status: str | None = None) -> Category:
    """Return the category of an error message.

    :param message: what dbt recorded for a node, a step or a run; may be framed, coloured, long or missing.
    :param adapter: dbt's adapter type, for example ``postgres``; if it is None or unknown, the text decides.
    :param node_status: dbt's status of the node. ``fail`` means a failed test regardless of the text.
    """
    return match(message, adapter=adapter, node_status=node_status)[0]


def match(
    message: str | None,
    *,
    adapter: str | None = None,
    node_status: str | None = None,
    extra: Sequence[Signature] = (),
) -> tuple[Category, Signature | None]:
    """Return the category of an error message and the signature that matched, if any.

    :param extra: the user's own signatures, tried before the built-in ones. They see the unmasked error lines,
        including names and values.
    :raises ValueError: if the pattern of an extra signature is not a valid regular expression, or can be very slow.
    """
    if node_status == "fail":
        return Category.TEST_FAILED, None
    if not message or not message.strip():
        return Category.UNKNOWN, None
    said, name = evidence(message), (adapter or "").lower()
    found = _first_own(message, extra) or _first_known(said, name, own.replaced(extra))
    return (found.category, found) if found else (Category.UNKNOWN, None)


def matching(message: str, *, adapter: str | None, extra: Sequence[Signature] = ()) -> tuple[Signature, ...]:
    """Return every signature that matches a message, in the order of trying: the first one decides."""
    unmasked = bounded("\n".join(error_lines(message)))
    own_ones = (signature for signature in extra if own.matches(signature, unmasked))
    return (*own_ones, *_known(evidence(message), (adapter or "").lower(), own.replaced(extra)))


def _first_own(message: str, extra: Sequence[Signature]) -> Signature | None:
    if not extra:
        return None
    text = bounded("\n".join(error_lines(message)))
    return next((signature for signature in extra if own.matches(signature, text)), None)


@lru_cache(maxsize=2048)
def _first_known(text: str, adapter: str, without: frozenset[str]) -> Signature | None:
    """Return the first signature that matches. Nodes of a run often fail in the same way, hence the cache."""
    return next(_known(text, adapter, without), None)


def _known(text: str, adapter: str, without: frozenset[str]) -> Iterator[Signature]:
    heard = speakers(text, adapter)
    for known in _index(heard.tables).candidates(text):
        if known.id not in without and known.found_in(text) and heard.counts(known, text):
            yield known


@lru_cache(maxsize=64)
def _index(tables: tuple[str, ...]) -> Index:
    return Index([signature for name in tables for signature in table(name)])
