"""MotherDuck: gRPC status codes, and the errors of its extension and of dbt-duckdb's Flights besides DuckDB's own.

Sources: MotherDuck's documentation and messages, gRPC status codes, ``dbt.adapters.duckdb.flights``.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

_RPC = r"\bRPC '…' failed: .{0,400}\("
"""How MotherDuck shows a call that failed; the gRPC status follows in brackets."""

TABLE = (
    *group(
        Category.ACCESS,
        (
            _RPC
            + r"(?:UNAUTHENTICATED|PERMISSION_DENIED)\b|\brequest is not authenticated\b|\bJwt (?:is expired|header is)\b",
            "MotherDuck",
            "token refused",
        ),
        (r"\b(?:invalid|check your|expired) MotherDuck token\b", "MotherDuck", "token refused"),
    ),
    *group(
        Category.RESOURCES,
        (
            r"\b(?:compute|storage|free (?:plan|tier)|usage|billing) .{0,60}\b(?:limit|quota)\b.{0,60}\b(?:exceeded|reached)\b",
            "MotherDuck",
            "quota used up",
        ),
        (r"\bduckling .{0,80}\bout of memory\b", "MotherDuck", "out of memory"),
    ),
    *group(
        Category.THROTTLED,
        (_RPC + r"RESOURCE_EXHAUSTED\b", "MotherDuck, gRPC 8", "MotherDuck busy"),
        (
            r"\bmaximum number of (?:concurrent |active )?(?:connections|ducklings)\b",
            "MotherDuck",
            "too many at once",
        ),
    ),
    *group(
        Category.TIMED_OUT,
        (
            r"\bTimed out after \S{1,20} waiting for MotherDuck Flight\b",
            "dbt-duckdb flights",
            "time limit of a Flight",
        ),
    ),
    *group(
        Category.TRANSIENT,
        (
            _RPC + r"(?:UNAVAILABLE|DEADLINE_EXCEEDED|ABORTED|INTERNAL)\b",
            "MotherDuck, gRPC 14, 4, 10, 13",
            "connection lost",
        ),
    ),
    *group(
        Category.CODE,
        (
            _RPC
            + r"(?:INVALID_ARGUMENT|NOT_FOUND|ALREADY_EXISTS|FAILED_PRECONDITION|UNIMPLEMENTED|OUT_OF_RANGE)\b",
            "MotherDuck, gRPC 3, 5, 6, 9, 12",
            "refused by MotherDuck",
        ),
        (
            (
                r"\bMotherDuck\b.{0,80}\b(?:does not (?:yet )?support|no longer support\w{0,3}|is not supported)\b"
                r"|\bMotherDuck extension\b.{0,60}\b(?:outdated|version)\b"
            ),
            "MotherDuck",
            "version not supported",
        ),
    ),
)
