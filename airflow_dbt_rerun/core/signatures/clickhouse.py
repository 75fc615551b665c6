"""ClickHouse: the error's name in brackets at the end, or its number at the start.

Source: ClickHouse's ``ErrorCodes.cpp``.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

TABLE = (
    *group(
        Category.ACCESS,
        (r"\bCode: (?:516|497|192|193|164)\b", "ClickHouse 516, 497, 192, 193, 164", "access denied"),
        (r"\((?:AUTHENTICATION_FAILED|ACCESS_DENIED|READONLY)\)", "ClickHouse", "access denied"),
    ),
    *group(
        Category.THROTTLED,
        (r"\bCode: (?:202|252|201)\b", "ClickHouse 202, 252, 201", "too many at once"),
        (r"\((?:TOO_MANY_SIMULTANEOUS_QUERIES|TOO_MANY_PARTS|QUOTA_EXCEEDED)\)", "ClickHouse", "too many at once"),
    ),
    *group(
        Category.TIMED_OUT,
        (r"\bCode: 159\b|\(TIMEOUT_EXCEEDED\)", "ClickHouse 159", "query time limit"),
    ),
    *group(
        Category.RESOURCES,
        (r"\bCode: (?:241|243|396)\b", "ClickHouse 241, 243", "out of memory or disk"),
        (r"\((?:MEMORY_LIMIT_EXCEEDED|NOT_ENOUGH_SPACE)\)", "ClickHouse", "out of memory or disk"),
    ),
    *group(
        Category.TRANSIENT,
        (
            r"\bCode: (?:209|210|279|999|242|225|319|473)\b",
            "ClickHouse network, Keeper, locks",
            "connection or lock",
        ),
        (r"\((?:SOCKET_TIMEOUT|NETWORK_ERROR|ALL_CONNECTION_TRIES_FAILED)\)", "ClickHouse", "connection lost"),
        (r"\((?:KEEPER_EXCEPTION|TABLE_IS_READ_ONLY|DEADLOCK_AVOIDED)\)", "ClickHouse", "Keeper or lock"),
    ),
    *group(
        Category.CODE,
        (r"\bCode: (?:62|60|47|46|53|6|27|36|43|70|81|153|215|349|386)\. DB::", "ClickHouse", "wrong SQL or data"),
        (
            r"\((?:SYNTAX_ERROR|UNKNOWN_\w+|TYPE_MISMATCH|ILLEGAL_\w+|CANNOT_PARSE_\w+)\)",
            "ClickHouse",
            "wrong SQL or data",
        ),
    ),
)
