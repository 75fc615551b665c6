"""The known errors: one ordered table for each warehouse, one for dbt itself, a general one, and plain words.

Order matters. dbt's own errors come first (a Compilation Error stays one, whatever text it quotes), then the tables
that :mod:`~airflow_dbt_rerun.core.signatures.speakers` lets speak about the message, then the general table, and
plain words last. Within each, codes come before words: a code means the same in every language.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.signatures.signature import Signature
from airflow_dbt_rerun.core.signatures.speakers import Speakers, adapters, speakers, table_names
from airflow_dbt_rerun.core.signatures.table import table

__all__ = ["Signature", "Speakers", "adapters", "all_signatures", "speakers", "table", "table_names"]


def all_signatures() -> tuple[Signature, ...]:
    """Return every built-in signature."""
    return tuple(signature for name in table_names() for signature in table(name))
