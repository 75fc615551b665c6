"""Trino: recognised mostly by the error's name. Athena runs on Trino, and writes ``NAME: text``.

Sources: Trino's ``StandardErrorCode``, the error codes of its Hive, Iceberg, Delta Lake and JDBC connectors,
trino-python-client. A name of type EXTERNAL (``HIVE_METASTORE_ERROR``, ``JDBC_ERROR``...) names the place of an error, not
its cause, so the rest of the text decides.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

TABLE = (
    *group(
        Category.UNKNOWN,
        # The client gave up, or a person did; Trino does not say which.
        (r"(?-i:\bname=USER_CANCELED\b|^USER_CANCELED: )", "Trino", "cancelled by someone"),
    ),
    *group(
        Category.CANCELLED,
        (r"(?-i:\bADMINISTRATIVELY_KILLED\b)", "Trino", "killed by an administrator"),
    ),
    *group(
        Category.THROTTLED,
        (r"\bQUERY_QUEUE_FULL\b|\bToo many queued queries\b", "Trino QUERY_QUEUE_FULL", "queue full"),
        # The memory that others take: "Please try again in a few minutes".
        (r"\bCLUSTER_OUT_OF_MEMORY\b|\bbecause the cluster is out of memory\b", "Trino", "cluster busy"),
        (r"(?-i:\bADMINISTRATIVELY_PREEMPTED\b)", "Trino", "made room for others"),
    ),
    *group(
        Category.ACCESS,
        (r"\bname=PERMISSION_DENIED\b|(?-i:\bREAD_ONLY_VIOLATION\b)", "Trino", "permission denied"),
        (r"\bTrinoAuthError\b", "trino-python-client", "login failed"),
        (r"(?-i:^PERMISSION_DENIED: )|\bAccess Denied: Cannot\b", "Trino", "permission denied"),
    ),
    *group(
        Category.TIMED_OUT,
        (r"\bEXCEEDED_(?:TIME|CPU)_LIMIT\b|(?-i:\bOPTIMIZER_TIMEOUT\b)", "Trino", "query time limit"),
        (
            r"\bQuery exceeded (?:the )?maximum (?:run|execution|planning|queued|CPU) ?time\b",
            "Trino",
            "query time limit",
        ),
    ),
    *group(
        Category.RESOURCES,
        (
            (
                r"(?-i:\bEXCEEDED_\w{0,30}(?:MEMORY|SPILL|SCAN)_LIMIT\b|\bOUT_OF_SPILL_SPACE\b|\bPAGE_TOO_LARGE\b"
                r"|\bGENERIC_INSUFFICIENT_RESOURCES\b)"
            ),
            "Trino INSUFFICIENT_RESOURCES",
            "out of memory, spill or scan limit",
        ),
        (r"\bQuery exceeded (?:\S{1,20} ){0,5}(?:memory|spill) limit\b", "Trino", "out of memory"),
    ),
    *group(
        Category.TRANSIENT,
        (r"\bICEBERG_COMMIT_ERROR\b|\bCommitFailedException\b", "dbt-athena retries it", "concurrent commit"),
        (
            r"\bTRANSACTION_CONFLICT\b|\bTransactionConflictException\b|(?-i:\bUNKNOWN_TRANSACTION\b)",
            "Trino",
            "concurrent change",
        ),
        (
            r"(?-i:\bHIVE_(?:CONCURRENT_MODIFICATION_DETECTED|TABLE_LOCK_NOT_ACQUIRED|(?:TABLE|PARTITION)_DROPPED_DURING_QUERY)\b)",
            "Trino's Hive connector",
            "concurrent change",
        ),
        (
            (
                r"(?-i:\bHIVE_CANNOT_OPEN_SPLIT\b).{0,200}(?:\bFile does not exist\b|\bNoSuchKey\b|\bspecified key does not exist\b"
                r"|\bFileNotFound\w*)"
            ),
            "Trino's Hive connector, Dandandan/dbt-athena#36",
            "files replaced under the query",
        ),
        (r"\bSERVER_(?:STARTING_UP|SHUTTING_DOWN)\b|\bNO_NODES_AVAILABLE\b", "Trino", "server restarting"),
        (
            r"\bREMOTE_(?:TASK_ERROR|TASK_MISMATCH|HOST_GONE|BUFFER_CLOSE_FAILED)\b|(?-i:\bABANDONED_(?:QUERY|TASK)\b)",
            "Trino",
            "worker or client lost",
        ),
        (r"\bPAGE_TRANSPORT_(?:TIMEOUT|ERROR)\b|\bTOO_MANY_REQUESTS_FAILED\b", "Trino", "worker not reached"),
        (
            (
                r"\bFailed communicating with server\b|\bEncountered too many errors talking to a worker\b"
                r"|\bInsufficient active worker nodes\b|\bServer is still initializing\b"
            ),
            "Trino",
            "worker not reached",
        ),
    ),
    *group(
        Category.CODE,
        (r"(?-i:\b(?:SYNTAX_ERROR|TYPE_MISMATCH|INVALID_CAST_ARGUMENT)\b)", "Trino", "wrong SQL"),
        (
            r"(?-i:\b(?:FUNCTION|CATALOG|TABLE|SCHEMA|COLUMN|TYPE|OPERATOR|PROCEDURE)_NOT_FOUND\b)",
            "Trino",
            "unknown object",
        ),
        (r"(?-i:\b(?:DIVISION_BY_ZERO|[A-Z_]{4,12}_BAD_DATA|INVALID_FUNCTION_ARGUMENT)\b)", "Trino", "bad data"),
        (
            r"\b(?:ICEBERG_FILESYSTEM_ERROR|TOO_MANY_OPEN_PARTITIONS)\b",
            "dbt-athena does not retry it",
            "wrong table set-up",
        ),
        (
            (
                r"(?-i:\bHIVE_(?:PARTITION_\w+|PATH_ALREADY_EXISTS|COLUMN_ORDER_MISMATCH|(?:INVALID|UNSUPPORTED|EXCEEDED|TOO_MANY|TABLE)_\w+"
                r"|SERDE_NOT_FOUND|FILE_MISSING_COLUMN_NAMES|DATABASE_LOCATION_ERROR|VIEW_TRANSLATION_ERROR|TIMEZONE_MISMATCH)\b)"
            ),
            "Trino's Hive connector",
            "wrong table set-up",
        ),
        (
            r"(?-i:\b(?:ICEBERG|DELTA_LAKE|HUDI|JDBC)_(?:INVALID|MISSING|TOO_MANY|NON_TRANSIENT|UNKNOWN_TABLE)\w*)",
            "Trino's connectors",
            "wrong table set-up",
        ),
        (
            (
                r"\bmissing StorageDescriptor\b|\bStorage Descriptor is not populated\b|\btype expected at the position\b"
                r"|\bis not a valid (?:Parquet|ORC|JSON|Avro)\b|\bNot valid Parquet file\b|\bRow is not a valid JSON\b"
                r"|\bUnable to create input format\b|\bcannot be read as type\b|\bMalformed (?:Parquet|ORC) file\b"
            ),
            "Trino's Hive connector",
            "wrong table set-up or file",
        ),
        (
            r"\bvalue exceeds MAX_(?:INT|BYTE)\b|\bNumber of partition values does not match\b|\bParent builder is null\b",
            "Athena GENERIC_INTERNAL_ERROR",
            "wrong table set-up or data",
        ),
        (
            (
                r"(?-i:(?:^|\bname=)(?:(?:AMBIGUOUS|DUPLICATE|EXPRESSION|FUNCTION|INVALID|MISMATCHED|MISSING|NESTED|UNSUPPORTED|VIEW)_[A-Z_]{3,40}"
                r"|[A-Z]{3,20}_(?:NOT_FOUND|ALREADY_EXISTS|NOT_EMPTY|TYPE_UNKNOWN)|NOT_SUPPORTED|NOT_FOUND|ALREADY_EXISTS|CONSTRAINT_VIOLATION"
                r"|NUMERIC_VALUE_OUT_OF_RANGE|SUBQUERY_MULTIPLE_ROWS|QUERY_(?:REJECTED|TEXT_TOO_LARGE|HAS_TOO_MANY_STAGES)|COMPILER_ERROR"
                r"|TOO_MANY_(?:ARGUMENTS|GROUPING_SETS)|GENERIC_USER_ERROR)\b)"
            ),
            "Trino USER_ERROR",
            "wrong SQL or data",
        ),
        (r"\btype=USER_ERROR\b|\bTrinoUserError\b", "Trino", "wrong SQL"),
        (r"^line \d+:\d+: ", "Trino", "wrong SQL"),
    ),
)
