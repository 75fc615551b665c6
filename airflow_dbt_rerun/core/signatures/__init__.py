"""The known errors: one ordered table for each warehouse, one for dbt itself and a general one.

Order matters, in a table and between tables: the first line that matches wins. dbt's own words come first (a
Compilation Error stays one, whatever text it quotes), then the adapter's own table, then those of the other adapters
(vendor codes and wordings that nobody else uses, so an unknown adapter costs nothing), then the general one.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.signatures import (
    athena,
    bigquery,
    clickhouse,
    databricks,
    dbt,
    duckdb,
    general,
    postgres,
    snowflake,
    sqlserver,
)
from airflow_dbt_rerun.core.signatures.signature import Signature

__all__ = ["Signature", "all_signatures", "tables_for"]

Table = tuple[Signature, ...]

WAREHOUSES: dict[str, Table] = {
    "duckdb": duckdb.TABLE,
    "postgres": postgres.TABLE,
    "redshift": postgres.REDSHIFT,
    "snowflake": snowflake.TABLE,
    "bigquery": bigquery.TABLE,
    "databricks": databricks.TABLE,
    "athena": athena.TABLE,
    "sqlserver": sqlserver.TABLE,
    "clickhouse": clickhouse.TABLE,
}

FAMILIES: dict[str, tuple[str, ...]] = {
    "redshift": ("redshift", "postgres"),
    "spark": ("databricks",),
    "trino": ("athena",),
    "glue": ("athena", "databricks"),
    "fabric": ("sqlserver",),
    "synapse": ("sqlserver",),
}
"""Adapters that speak with another one's words. Each other adapter speaks with its own."""


def tables_for(adapter: str | None) -> tuple[Table, ...]:
    """List the tables in the order in which they are tried for an adapter; None or an unknown name is fine."""
    own = FAMILIES.get(adapter or "", (adapter,) if adapter in WAREHOUSES else ())
    others = tuple(name for name in WAREHOUSES if name not in own)
    return (dbt.TABLE, *(WAREHOUSES[name] for name in (*own, *others)), general.TABLE)


def all_signatures() -> Table:
    """List every built-in signature, in the order for an unknown adapter."""
    return tuple(signature for table in tables_for(None) for signature in table)
