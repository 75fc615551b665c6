"""ClickHouse: the error's name in brackets at the end, its number at the start.

Sources: ClickHouse's ``ErrorCodes.cpp``, the raise sites of clickhouse-connect, clickhouse-driver and dbt-clickhouse.
The HTTP status around an error (mostly 500 or 404) says nothing: ClickHouse sends it with each.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import Signature, group

_NUMBER = r"(?:(?<!status )(?<!error )(?<!response )(?<!http )(?-i:\bCode: )|\bClickHouse error code |\bexception, code: )"
"""Where a number is ClickHouse's, and no HTTP status."""


def _codes(category: Category, numbers: str, names: str, name: str) -> Signature:
    """Write one family of errors, by number or by name: an old server or a driver gives only the number."""
    pattern = rf"{_NUMBER}(?:{numbers})\b|\((?-i:{names})\)"
    return Signature(category, pattern, f"ClickHouse {numbers.replace('|', ', ')}", name)


TABLE = (
    _codes(
        Category.ACCESS,
        "192|193|194|195|291|293|481|482|497|509|511|512|516",
        r"UNKNOWN_USER|WRONG_PASSWORD|REQUIRED_PASSWORD|IP_ADDRESS_NOT_ALLOWED|[A-Z_]{0,30}ACCESS_DENIED"
        r"|MONGODB_CANNOT_AUTHENTICATE|INVALID_GRANT|UNKNOWN_ROLE|SET_NON_GRANTED_ROLE|AUTHENTICATION_FAILED"
        r"|REQUIRED_SECOND_FACTOR|CANNOT_GRANT",
        "access denied",
    ),
    _codes(Category.ACCESS, "164|472|495", r"READONLY|READONLY_SETTING|ACCESS_STORAGE_READONLY", "read-only user"),
    _codes(
        Category.RESOURCES,
        "158|173|191|241|243|290|307|396",
        r"TOO_MANY_ROWS|TOO_MANY_BYTES|TOO_MANY_ROWS_OR_BYTES|CANNOT_ALLOCATE_MEMORY|SET_SIZE_LIMIT_EXCEEDED"
        r"|MEMORY_LIMIT_EXCEEDED|NOT_ENOUGH_SPACE|LIMIT_EXCEEDED|CACHE_CANNOT_RESERVE_SPACE",
        "out of memory, disk or read limit",
    ),
    _codes(
        Category.THROTTLED,
        "201|202|203|252|364|439|574|700|745",
        r"QUOTA_EXPIRED|QUOTA_EXCEEDED|TOO_MANY_SIMULTANEOUS_QUERIES|NO_FREE_CONNECTION|TOO_MANY_PARTS"
        r"|RECEIVED_ERROR_TOO_MANY_REQUESTS|CANNOT_SCHEDULE_TASK|DISTRIBUTED_TOO_MANY_PENDING_BYTES"
        r"|USER_SESSION_LIMIT_EXCEEDED|SERVER_OVERLOADED|TOO_MANY_MUTATIONS",
        "too many at once",
    ),
    _codes(Category.TIMED_OUT, "159|160", r"TIMEOUT_EXCEEDED|TOO_SLOW", "query time limit"),
    _codes(
        Category.TRANSIENT,
        "95|96|209|210|279|285|295|297|410|519",
        r"CANNOT_READ_FROM_SOCKET|CANNOT_WRITE_TO_SOCKET|SOCKET_TIMEOUT|NETWORK_ERROR|ALL_CONNECTION_TRIES_FAILED"
        r"|RECEIVED_EMPTY_DATA|SHARD_HAS_NO_CONNECTIONS|EXTERNAL_SERVER_IS_NOT_RESPONDING|NO_REMOTE_SHARD_AVAILABLE"
        r"|TOO_FEW_LIVE_REPLICAS",
        "connection lost",
    ),
    _codes(
        Category.TRANSIENT,
        "225|234|236|242|244|254|255|265|286|289|319|335|367|369|379|416|529|571|659|999",
        r"NO_ZOOKEEPER|NO_REPLICA_HAS_PART|ABORTED|TABLE_IS_READ_ONLY|UNEXPECTED_ZOOKEEPER_ERROR|NO_ACTIVE_REPLICAS"
        r"|TOO_MANY_RETRIES_TO_FETCH_PARTS|NO_AVAILABLE_REPLICA|UNSATISFIED_QUORUM\w*|REPLICA_IS_NOT_IN_QUORUM"
        r"|UNKNOWN_STATUS_OF_\w+|BARRIER_TIMEOUT|TOO_MANY_FETCHES|ALL_REPLICAS_ARE_STALE|REPLICA_STATUS_CHANGED"
        r"|NOT_A_LEADER|DATABASE_REPLICATION_FAILED|KEEPER_EXCEPTION",
        "Keeper or replica",
    ),
    _codes(
        Category.TRANSIENT,
        "216|218|337|341|372|373|384|388|473|517",
        r"QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING|TABLE_IS_DROPPED|DDL_GUARD_IS_ACTIVE|UNFINISHED|SESSION_NOT_FOUND"
        r"|SESSION_IS_LOCKED|PART_IS_TEMPORARILY_LOCKED|CANNOT_ASSIGN_OPTIMIZE|DEADLOCK_AVOIDED|CANNOT_ASSIGN_ALTER",
        "lock or concurrent change",
    ),
    *group(
        Category.TRANSIENT,
        (r"\bAttempt to read after eof\b", "ClickHouse 32: the peer hung up", "connection lost"),
        (
            r"\bPoco::(?:TimeoutException|Net::\w{4,40}Exception)\b|\bNet Exception: ",
            "ClickHouse 1000, Poco",
            "connection lost",
        ),
        (
            (
                r"\bFailed to read response data from server\b|\bStream failed unexpectedly\b"
                r"|\bConnection was closed, reconnect is disabled\b|\bSimultaneous queries on single connection\b"
            ),
            "clickhouse-connect, clickhouse-driver",
            "connection lost",
        ),
    ),
    # Neither says why: a person or a time limit; a bug, or a part of the server that is down; DNS or a wrong host.
    _codes(Category.UNKNOWN, "394|734", r"QUERY_WAS_CANCELLED\w*", "cancelled by someone"),
    _codes(
        Category.UNKNOWN,
        "32|33|49|102|198|499|1001|1002",
        r"ATTEMPT_TO_READ_AFTER_EOF|CANNOT_READ_ALL_DATA|LOGICAL_ERROR|UNEXPECTED_PACKET_FROM_SERVER|DNS_ERROR|S3_ERROR"
        r"|STD_EXCEPTION|UNKNOWN_EXCEPTION",
        "ClickHouse internal, cause not said",
    ),
    *group(
        Category.CODE,
        (
            r"\bUnexpected packet from server \(expected Hello\b",
            "clickhouse-driver: not ClickHouse's port",
            "wrong port",
        ),
        (
            r"\((?-i:SYNTAX_ERROR|UNKNOWN_\w+|TYPE_MISMATCH|ILLEGAL_\w+|CANNOT_PARSE_\w+|BAD_ARGUMENTS)\)",
            "ClickHouse",
            "wrong SQL or data",
        ),
        (
            _NUMBER
            + r"(?!1000\b)\d{1,4}\b[^:]{0,20}\bDB::\w{0,20}Exception|\bClickHouse error code (?!1000\b)\d{1,3}\b",
            "ClickHouse's other numbers",
            "wrong SQL or data",
        ),
        (
            r"\bDB::\w{0,20}Exception\b(?s:.{0,1500})\((?-i:(?!POCO_)[A-Z]{2,20}_[A-Z_]{2,60})\)",
            "ClickHouse's other names",
            "wrong SQL or data",
        ),
        (
            (
                r"\bstrategy is not valid for ClickHouse\b|\bincremental strategy \S+ is not (?:valid|supported)\b"
                r"|\bstrategy (?:requires|does not support)\b|\bpredicates with \S+ strategy\b"
            ),
            "dbt-clickhouse",
            "invalid configuration",
        ),
    ),
    *group(
        Category.UNKNOWN,
        # Stop here: what follows would read the HTTP status 500, which ClickHouse sends with every error.
        (
            r"\bDB::\w{0,20}Exception\b|\bClickHouse server returned an error\b",
            "ClickHouse, clickhouse-connect",
            "ClickHouse error, not listed",
        ),
    ),
)
