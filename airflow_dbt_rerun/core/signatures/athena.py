"""Athena, Trino and AWS Glue: Trino's error names and the AWS error codes.

Sources: Trino's ``StandardErrorCode``, the AWS API error codes, dbt-athena's retry list.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

TABLE = (
    *group(
        Category.THROTTLED,
        (r"\bThrottl(?:ing|ed)(?:Exception)?\b", "AWS ThrottlingException", "rate limit"),
        (r"\bTooManyRequests(?:Exception)?\b|\bRequestLimitExceeded\b", "AWS, dbt-athena retries it", "rate limit"),
        (r"\bRate exceeded\b|\bSlowDown\b|\breduce your request rate\b", "AWS, S3 SlowDown", "rate limit"),
        (r"\bConcurrentRunsExceeded(?:Exception)?\b", "AWS Glue", "too many at once"),
        (r"\bResourceNumberLimitExceeded(?:Exception)?\b", "AWS Glue", "too many at once"),
        (r"\bQUERY_QUEUE_FULL\b|\bToo many queued queries\b", "Trino QUERY_QUEUE_FULL", "queue full"),
    ),
    *group(
        Category.ACCESS,
        (r"\bname=PERMISSION_DENIED\b", "Trino", "permission denied"),
        (r"\bInsufficient Lake Formation permission", "AWS Lake Formation", "permission denied"),
        (r"\bAccessDenied(?:Exception)?\b|\bis not authorized to perform\b", "AWS", "access denied"),
        (r"\bExpiredToken(?:Exception)?\b|\bsecurity token included in the request\b", "AWS STS", "token refused"),
        (r"\bUnrecognizedClient(?:Exception)?\b|\bInvalidSignatureException\b", "AWS", "credentials refused"),
        (r"\bUnable to locate credentials\b", "botocore NoCredentialsError", "no credentials"),
    ),
    *group(
        Category.TIMED_OUT,
        (r"\bEXCEEDED_(?:TIME|CPU)_LIMIT\b", "Trino", "query time limit"),
        (r"^Query timeout\b", "Athena", "query time limit"),
    ),
    *group(
        Category.RESOURCES,
        (r"\bEXCEEDED_\w*MEMORY_LIMIT\b|\bCLUSTER_OUT_OF_MEMORY\b", "Trino", "out of memory"),
        (r"\bexhausted resources at this scale factor\b", "Athena, dbt-adapters#1820", "resources exhausted"),
    ),
    *group(
        Category.TRANSIENT,
        (r"\bICEBERG_COMMIT_ERROR\b|\bCommitFailedException\b", "dbt-athena retries it", "concurrent commit"),
        (r"\bConcurrentModificationException\b|\bTRANSACTION_CONFLICT\b", "AWS Glue, Trino", "concurrent change"),
        (r"\bSERVER_(?:STARTING_UP|SHUTTING_DOWN)\b|\bNO_NODES_AVAILABLE\b", "Trino", "server restarting"),
        (r"\bREMOTE_(?:TASK_ERROR|TASK_MISMATCH|HOST_GONE)\b", "Trino", "worker lost"),
        (r"\bPAGE_TRANSPORT_(?:TIMEOUT|ERROR)\b|\bTOO_MANY_REQUESTS_FAILED\b", "Trino", "worker not reached"),
        (r"\bInternalS(?:erver|ervice)(?:Error|Exception)\b", "AWS, dbt-athena retries it", "AWS internal"),
    ),
    *group(
        Category.CODE,
        (r"\b(?:SYNTAX_ERROR|TYPE_MISMATCH|INVALID_CAST_ARGUMENT)\b", "Trino", "wrong SQL"),
        (r"\b(?:FUNCTION|CATALOG|TABLE|SCHEMA|COLUMN)_NOT_FOUND\b", "Trino", "unknown object"),
        (r"\b(?:DIVISION_BY_ZERO|HIVE_BAD_DATA|INVALID_FUNCTION_ARGUMENT)\b", "Trino", "bad data"),
        (
            r"\b(?:ICEBERG_FILESYSTEM_ERROR|TOO_MANY_OPEN_PARTITIONS)\b",
            "dbt-athena does not retry it",
            "wrong table set-up",
        ),
        (
            r"\bHIVE_(?:PARTITION_SCHEMA_MISMATCH|PATH_ALREADY_EXISTS|COLUMN_ORDER_MISMATCH|INVALID_\w+)\b",
            "Trino",
            "wrong table set-up",
        ),
        (r"\bEntityNotFoundException\b", "AWS Glue", "unknown object"),
        (r"\btype=USER_ERROR\b|\bTrinoUserError\b", "Trino", "wrong SQL"),
        (r"^line \d+:\d+: ", "Trino", "wrong SQL"),
    ),
)
