"""Say what kind of failure an error message is.

The order: a failed test is a failed test; then the user's own signatures; then the built-in tables (see
:mod:`airflow_dbt_rerun.core.signatures`). What nothing matches is unknown, never transient.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.cleaning import clean, error_lines, evidence
from airflow_dbt_rerun.core.signatures import Signature, tables_for
from airflow_dbt_rerun.core.signatures.literals import Index

__all__ = ["classify", "clean", "match"]


def classify(message: str | None, *, adapter: str | None = None, node_status: str | None = None) -> Category:
    """Say what kind of failure a message is.

    :param message: what dbt recorded for a node, a step or a run; may be framed, coloured, long or missing.
    :param adapter: dbt's adapter type, for example ``postgres``; None or an unknown one means:
        find out from the text.
    :param node_status: dbt's status of the node. ``fail`` is a failed test whatever the text says.
    """
    return match(message, adapter=adapter, node_status=node_status)[0]


def match(
    message: str | None,
    *,
    adapter: str | None = None,
    node_status: str | None = None,
    extra: Sequence[Signature] = (),
) -> tuple[Category, Signature | None]:
    """Say what kind of failure a message is, and by which signature that is known.

    :param extra: the user's own signatures, tried before the built-in ones. They see the error's lines as they are,
        names and values included.
    :raises ValueError: if the pattern of an extra signature is not a valid regular expression.
    """
    if node_status == "fail":
        return Category.TEST_FAILED, None
    if not message or not message.strip():
        return Category.UNKNOWN, None
    own = _first_own(message, extra)
    found = own or _first_known(evidence(message), (adapter or "").lower())
    return (found.category, found) if found else (Category.UNKNOWN, None)


def _first_own(message: str, extra: Sequence[Signature]) -> Signature | None:
    if not extra:
        return None
    text = "\n".join(error_lines(message))
    return next((signature for signature in extra if signature.found_in(text)), None)


@lru_cache(maxsize=2048)
def _first_known(text: str, adapter: str) -> Signature | None:
    """Find the first signature in the evidence. Nodes of a run tend to fail alike, hence the cache."""
    return next((known for known in _index(adapter).candidates(text) if known.found_in(text)), None)


@lru_cache(maxsize=32)
def _index(adapter: str) -> Index:
    return Index([signature for table in tables_for(adapter) for signature in table])
