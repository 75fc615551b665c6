"""The known errors: one ordered table for each warehouse, one for dbt itself and a general one.

Order matters, within a table and between tables: the first signature that matches wins. dbt's own errors come first
(a Compilation Error stays one, whatever text it quotes), then the adapter's own table, then those of the other
adapters (their codes and wordings are unique to a vendor, so an unknown adapter loses nothing), then the general
table, and plain words (:mod:`~airflow_dbt_rerun.core.signatures.fallback`) last.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.signatures import (
    athena,
    bigquery,
    clickhouse,
    databricks,
    dbt,
    duckdb,
    fabric,
    fallback,
    general,
    postgres,
    redshift,
    snowflake,
    spark,
    sqlserver,
    trino,
)
from airflow_dbt_rerun.core.signatures.signature import Signature

__all__ = ["Signature", "all_signatures", "tables_for"]

Table = tuple[Signature, ...]

WAREHOUSES: dict[str, Table] = {
    # Tables of error codes come first: for an unknown adapter, a code is more reliable than a word.
    "databricks": databricks.TABLE,
    "spark": spark.TABLE,
    "athena": athena.TABLE,
    "trino": trino.TABLE,
    "clickhouse": clickhouse.TABLE,
    "duckdb": duckdb.TABLE,
    "postgres": postgres.TABLE,
    "redshift": redshift.TABLE,
    "fabric": fabric.TABLE,
    "snowflake": snowflake.TABLE,
    "bigquery": bigquery.TABLE,
    "sqlserver": sqlserver.TABLE,
}

FAMILIES: dict[str, tuple[str, ...]] = {
    "redshift": ("redshift", "postgres"),
    "databricks": ("databricks", "spark"),
    "spark": ("spark", "databricks"),
    "athena": ("athena", "trino"),
    "trino": ("trino", "athena"),
    "glue": ("athena", "spark", "databricks"),
    "sqlserver": ("fabric", "sqlserver"),
    "fabric": ("fabric", "sqlserver"),
    "synapse": ("fabric", "sqlserver"),
}
"""Adapters that also raise another adapter's errors. All others have only their own table."""


def tables_for(adapter: str | None) -> tuple[Table, ...]:
    """Return the tables in the order in which they are tried for an adapter, which may be None or unknown."""
    own = FAMILIES.get(adapter or "", (adapter,) if adapter in WAREHOUSES else ())
    others = tuple(name for name in WAREHOUSES if name not in own)
    return (dbt.TABLE, *(WAREHOUSES[name] for name in (*own, *others)), general.TABLE, fallback.TABLE)


def all_signatures() -> Table:
    """Return every built-in signature, in the order for an unknown adapter."""
    return tuple(signature for table in tables_for(None) for signature in table)
