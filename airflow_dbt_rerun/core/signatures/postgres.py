"""PostgreSQL, its drivers and poolers. dbt does not keep the SQLSTATE, so each entry names the code of its text.

Sources: PostgreSQL documentation, Appendix A (error codes), the server's message catalog, libpq, psycopg, PgBouncer,
Supavisor and the proxies of the clouds. Errors in the SQL are in ``postgres_sql``.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures import postgres_sql
from airflow_dbt_rerun.core.signatures.postgres_sql import SAYS
from airflow_dbt_rerun.core.signatures.signature import group

REFUSED = group(
    Category.ACCESS,
    (r"\bpassword authentication failed\b", "PostgreSQL 28P01", "wrong password"),
    (
        r"\bauthentication failed for (?:user|role)\b|\bfailed SASL auth\b|\bSASL authentication failed\b",
        "PostgreSQL 28000, PgBouncer, Cloud SQL",
        "login refused",
    ),
    (r"\bno password (?:supplied|was provided)\b", "libpq, redshift_connector", "no password"),
    (r"\bno pg_hba\.conf entry\b|\bpg_hba\.conf rejects\b", "PostgreSQL 28000", "host not allowed"),
    (
        r"\brole \S+ (?:does not exist|is not permitted to log in)|\bno such user\b",
        "PostgreSQL 28000, PgBouncer",
        "role may not log in",
    ),
    (r"\bTenant or user not found\b", "Supavisor", "unknown user"),
    (
        r"\bRDS Proxy has no credentials\b|\bIAM (?:user |role )?authentication failed\b",
        "RDS Proxy",
        "login refused",
    ),
    (r"\b(?:server )?certificate for .{0,200}\bdoes not match host name\b", "libpq", "certificate not trusted"),
    (
        r"\bcertificate verify failed\b|\bunknown ca\b|\bcertificate (?:required|unknown|expired|revoked)\b",
        "OpenSSL",
        "certificate not trusted",
    ),
    (r"\bprivate key file\b.{0,200}\baccess\b|\bcould not load private key file\b", "libpq", "key not usable"),
    (r"\bpermission denied (?:for|to)\b", "PostgreSQL 42501", "permission denied"),
    (
        r"\bmust (?:be|have) (?:\w+ ){0,3}(?:owner|superuser|member|privileges?)\b",
        "PostgreSQL 42501",
        "not the owner",
    ),
    (r"\bviolates row-level security policy\b", "PostgreSQL 42501", "row-level security"),
    (
        r"\b(?:keine Berechtigung f|permiso denegado|droit refus|permiss.o negada|permesso negato)",
        "PostgreSQL 42501, translated",
        "permission denied",
    ),
)

THROTTLED = group(
    Category.THROTTLED,
    (r"\btoo many clients already\b", "PostgreSQL 53300", "too many connections"),
    (r"\btoo many connections for (?:role|database)\b", "PostgreSQL 53300", "too many connections"),
    (r"\bremaining connection slots are reserved\b", "PostgreSQL 53300", "too many connections"),
    (
        r"\bmax client(?:s| connections) reached\b|\bno more connections allowed\b",
        "PgBouncer, Supavisor",
        "too many connections",
    ),
    (r"\bquery_wait_timeout\b|\bE?CHECKOUTTIMEOUT\b|\bEMAXCONN\w{0,20}\b", "PgBouncer, Supavisor", "pool is full"),
    (
        r"\b(?:unable to check ?out|couldn.t get|waiting to acquire) .{0,30}\bconnection\b|\bunable to check out process\b",
        "Supavisor, psycopg_pool, RDS Proxy",
        "pool is full",
    ),
)

TIMED_OUT = group(
    Category.TIMED_OUT,
    (r"\bcanceling statement due to statement timeout\b", "PostgreSQL 57014", "statement timeout"),
    (r"\bdue to idle-in-transaction timeout\b", "PostgreSQL 25P03", "idle in transaction"),
    (r"\bdue to (?:idle-session|transaction) timeout\b", "PostgreSQL 57P05, 25P04", "session timeout"),
    (r"\b(?:query_timeout|idle_transaction_timeout|transaction_timeout)\b", "PgBouncer", "statement timeout"),
)

TRANSIENT = group(
    Category.TRANSIENT,
    (r"\bcould not serialize access\b|\brestart transaction: ", "PostgreSQL 40001", "serialization failure"),
    (r"\bdeadlock detected\b", "PostgreSQL 40P01", "deadlock"),
    (r"\bcanceling statement due to lock timeout\b", "PostgreSQL 55P03", "lock timeout"),
    (r"\bcould not obtain lock on\b", "PostgreSQL 55P03", "lock not available"),
    (r"\bis being (?:accessed|used) by other (?:users|sessions)\b", "PostgreSQL 55006", "in use"),
    (r"\bdue to conflict with recovery\b", "PostgreSQL 40001", "conflict with recovery on a standby"),
    (
        r"\bthe database system is (?:starting up|shutting down|in recovery|in hot standby|not (?:yet )?accepting)",
        "PostgreSQL 57P03",
        "restarting",
    ),
    (
        r"\bterminating connection (?:due to|because of) (?:administrator|crash|unexpected|immediate)",
        "PostgreSQL 57P01, 57P02",
        "connection terminated",
    ),
    (r"\b(?:lost connection to|terminating) parallel worker\b", "PostgreSQL", "worker ended"),
    (r"\bserver closed the connection unexpectedly\b", "libpq", "connection lost"),
    (
        r"\bno connection to the server\b|\blost synchronization with server\b|\bthe connection is (?:closed|lost|bad)\b",
        "libpq, psycopg",
        "connection lost",
    ),
    (
        r"\bcould not (?:receive data from|send data to) (?:server|client|backend)\b|\bconsuming input failed\b",
        "libpq, psycopg",
        "connection lost",
    ),
    (
        r"\bconnection (?:time ?out expired|to client lost|not open)\b|\bterminating connection\b",
        "libpq",
        "connection lost",
    ),
    (r"\bcould not fork new process for connection\b", "PostgreSQL", "server overloaded"),
    (
        (
            r"\bserver conn crashed\b|\bserver login (?:has been failing|failed|retry)|\bcannot connect to server\b"
            r"|\bclient_login_timeout\b|\bserver_(?:idle|login|connect)\w{0,20}\b"
        ),
        "PgBouncer",
        "server behind the pooler not there",
    ),
    (
        r"\bDbHandler exited\b|\bconnection to database (?:is )?not available\b|\bcircuit breaker open\b",
        "Supavisor",
        "pooler restarted",
    ),
    (r"\bcouldn.t connect to compute node\b|\bcontrol plane request failed\b", "Neon", "compute not there"),
    (r"\btuple (?:concurrently|already) (?:updated|deleted)\b", "PostgreSQL XX000", "concurrent change"),
    (r"\bwas concurrently (?:dropped|updated|deleted|modified)\b", "PostgreSQL", "concurrent change"),
    (r"\bcould not open relation with OID\b", "PostgreSQL XX000, dbt-redshift retries it", "concurrent change"),
    (
        r"\bcache lookup failed for\b|\bcached plan must not change\b",
        "PostgreSQL XX000, 0A000",
        "concurrent change",
    ),
    (r"\bviolates unique constraint \"pg_\w+_index\"", "PostgreSQL 23505 in the catalog", "concurrent create"),
)

CANCELLED = group(
    Category.CANCELLED,
    (r"\bcanceling statement due to user request\b", "PostgreSQL 57014", "cancelled by a user"),
)

RESOURCES = group(
    Category.RESOURCES,
    (
        r"\bcould not (?:extend|write|resize|create) .{0,200}\bNo space left on device\b|^disk full\b",
        "PostgreSQL 53100",
        "disk full",
    ),
    (r"\bexceeds temp_file_limit\b", "PostgreSQL 53400", "temporary space used up"),
    (
        SAYS + r"out of memory\b|\bout of shared memory\b|\bout of background worker slots\b",
        "PostgreSQL 53200",
        "out of memory",
    ),
    (r"\bcannot enlarge string buffer\b", "PostgreSQL 54000", "value larger than memory allows"),
    (
        r"\binvalid memory alloc request size\b|\b(?:string|array|row) (?:size )?(?:is )?too (?:long|big|large) .{0,40}\bbytes\b",
        "PostgreSQL XX000, 54000",
        "value larger than memory allows",
    ),
    (r"\btoo many open files\b", "POSIX EMFILE", "too many open files"),
    (r"\bnot accepting commands\b.{0,40}\bwraparound\b", "PostgreSQL 54000", "transaction ids used up"),
    (r"\b(?:compute time|data transfer|storage|project size) (?:quota|limit)\b", "Neon, Supabase", "quota used up"),
    (r"\bhigh VMEM usage\b|\bworkfile .{0,40}\blimit exceeded\b", "Greenplum", "out of memory"),
)

EITHER = group(
    Category.UNKNOWN,
    # dbt drops its own leftovers before it creates: another run at the same time, or somebody else's table.
    (SAYS + r"relation \S{1,200} already exists\b", "PostgreSQL 42P07", "relation already exists"),
    # A failover that the client has not noticed yet, or a replica in the profile.
    (
        r"\bin a read-only transaction\b|\bduring recovery\b|\bsession is read-only\b",
        "PostgreSQL 25006, 55000",
        "read-only server",
    ),
    # What went wrong first is not in this message.
    (r"\bcurrent transaction is aborted\b", "PostgreSQL 25P02", "an earlier statement failed"),
    # A restore or a rename that goes on, or a database that was closed.
    (r"\bis not currently accepting connections\b", "PostgreSQL 55000", "database closed to connections"),
    # The server is down, or it was never on this machine.
    (
        r"\bsocket \"…\" failed: No such file or directory\b|\baccepting connections on that socket\b",
        "libpq",
        "no server on the socket",
    ),
    (
        r"\bmissing chunk number\b|\binvalid page in block\b|\bunexpected zero page\b",
        "PostgreSQL XX001",
        "damaged data",
    ),
)

CLASSES = (
    *group(
        Category.TRANSIENT,
        (
            (
                r"\berrors\.(?:SerializationFailure|DeadlockDetected|TransactionRollback|LockNotAvailable|ObjectInUse"
                r"|AdminShutdown|CrashShutdown|CannotConnectNow|ConnectionException|ConnectionFailure|ConnectionDoesNotExist)\b"
            ),
            "psycopg error classes",
            "transient by its class",
        ),
    ),
    *group(
        Category.ACCESS,
        (
            r"\berrors\.(?:Invalid(?:Password|AuthorizationSpecification)|InsufficientPrivilege)\b",
            "psycopg error classes",
            "access by its class",
        ),
    ),
    *group(
        Category.CODE,
        (
            (
                r"\berrors\.(?:Undefined\w{3,30}|Ambiguous\w{3,30}|Duplicate\w{3,30}|\w{2,30}Violation|Datatype\w{3,30}"
                r"|Invalid\w{3,40}|GroupingError|SyntaxError|CannotCoerce|FeatureNotSupported|NumericValueOutOfRange"
                r"|DivisionByZero|String\w{3,40}|DependentObjectsStillExist|WrongObjectType)\b"
            ),
            "psycopg error classes",
            "code by its class",
        ),
    ),
)

TABLE = (
    *REFUSED,
    *THROTTLED,
    *TIMED_OUT,
    *CANCELLED,
    *RESOURCES,
    *TRANSIENT,
    *EITHER,
    *postgres_sql.TABLE,
    *CLASSES,
)
