"""PostgreSQL and Redshift. dbt keeps no SQLSTATE, only the text, so each line names the code its text belongs to.

Sources: PostgreSQL documentation, Appendix A (error codes) and the server's message texts; the Redshift
documentation and the retry list of dbt-redshift.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

TABLE = (
    *group(
        Category.UNKNOWN,
        # dbt orders nodes, not hooks: what a hook misses may be on its way from another job.
        (
            r"^hook failed:\s{1,3}relation \S+ does not exist\b",
            "PostgreSQL 42P01 in a hook",
            "hook misses a relation",
        ),
    ),
    *group(
        Category.TRANSIENT,
        (r"\bcould not serialize access\b", "PostgreSQL 40001", "serialization failure"),
        (r"\bdeadlock detected\b", "PostgreSQL 40P01", "deadlock"),
        (r"\bcanceling statement due to lock timeout\b", "PostgreSQL 55P03", "lock timeout"),
        (r"\bcould not obtain lock on\b", "PostgreSQL 55P03", "lock not available"),
        (r"\bdue to conflict with recovery\b", "PostgreSQL 40001", "conflict with recovery on a standby"),
        (
            r"\bthe database system is (?:starting up|shutting down|in recovery|not yet)",
            "PostgreSQL 57P03",
            "restarting",
        ),
        (r"\bthe database system is not accepting connections\b", "PostgreSQL 57P03", "restarting"),
        (r"\bterminating connection due to administrator command\b", "PostgreSQL 57P01", "connection terminated"),
        (r"\bterminating connection because of crash\b", "PostgreSQL 57P02", "server crash"),
        (r"\bserver closed the connection unexpectedly\b", "libpq", "connection lost"),
        (r"\btuple concurrently (?:updated|deleted)\b", "PostgreSQL XX000", "concurrent change"),
        (r"\bcould not open relation with OID\b", "PostgreSQL XX000, dbt-redshift retries it", "concurrent change"),
        (r"\bcache lookup failed for\b", "PostgreSQL XX000", "concurrent change"),
        (r"\bviolates unique constraint \"pg_\w+_index\"", "PostgreSQL 23505 in the catalog", "concurrent create"),
    ),
    *group(
        Category.THROTTLED,
        (r"\btoo many clients already\b", "PostgreSQL 53300", "too many connections"),
        (r"\btoo many connections for (?:role|database)\b", "PostgreSQL 53300", "too many connections"),
        (r"\bremaining connection slots are reserved\b", "PostgreSQL 53300", "too many connections"),
        (
            r"\bmax clients reached\b|\bno more connections allowed\b",
            "PgBouncer, Supavisor",
            "too many connections",
        ),
        (r"\bquery_wait_timeout\b", "PgBouncer", "too many connections"),
    ),
    *group(
        Category.TIMED_OUT,
        (r"\bcanceling statement due to statement timeout\b", "PostgreSQL 57014", "statement timeout"),
        (r"\bdue to idle-in-transaction timeout\b", "PostgreSQL 25P03", "idle in transaction"),
        (r"\bdue to (?:idle-session|transaction) timeout\b", "PostgreSQL 57P05, 25P04", "session timeout"),
    ),
    *group(
        Category.CANCELLED,
        (r"\bcanceling statement due to user request\b", "PostgreSQL 57014", "cancelled by a user"),
    ),
    *group(
        Category.RESOURCES,
        (
            r"\bcould not (?:extend|write|resize) .{0,200}\bNo space left on device\b",
            "PostgreSQL 53100",
            "disk full",
        ),
        (r"\bexceeds temp_file_limit\b", "PostgreSQL 53400", "temporary space used up"),
        (r"\bout of (?:shared )?memory\b", "PostgreSQL 53200", "out of memory"),
        (r"\binvalid memory alloc request size\b", "PostgreSQL XX000", "value larger than memory allows"),
    ),
    *group(
        Category.ACCESS,
        (r"\bpassword authentication failed\b", "PostgreSQL 28P01", "wrong password"),
        (r"\bno password supplied\b", "libpq", "no password"),
        (r"\bno pg_hba\.conf entry\b", "PostgreSQL 28000", "host not allowed"),
        (r"\brole \S+ (?:does not exist|is not permitted to log in)", "PostgreSQL 28000", "role may not log in"),
        (r"\bpermission denied (?:for|to)\b", "PostgreSQL 42501", "permission denied"),
        (r"\bmust be (?:owner|superuser|member)\b", "PostgreSQL 42501", "not the owner"),
    ),
    *group(
        Category.CODE,
        (r"\bdatabase \S+ does not exist\b", "PostgreSQL 3D000", "unknown database"),
        (r"\b(?:relation|table|view) \S+ does not exist\b", "PostgreSQL 42P01", "unknown relation"),
        (r"\bcolumn \S+ (?:of relation \S+ )?does not exist\b", "PostgreSQL 42703", "unknown column"),
        (
            r"\b(?:function|procedure|aggregate|operator)\b.{0,300} does not exist\b",
            "PostgreSQL 42883",
            "unknown function",
        ),
        (
            r"\b(?:schema|type|extension|collation) \S+ does not exist\b",
            "PostgreSQL 3F000, 42704",
            "unknown schema or type",
        ),
        (r"\bmissing FROM-clause entry for table\b", "PostgreSQL 42P01", "unknown relation"),
        (r"\bsyntax error at (?:or near|end of input)\b", "PostgreSQL 42601", "syntax error"),
        (r"\bINSERT has more (?:expressions|target columns)\b", "PostgreSQL 42601", "column count"),
        (r"\bmust have the same number of columns\b", "PostgreSQL 42601", "column count"),
        (r"\bcolumn reference \S+ is ambiguous\b", "PostgreSQL 42702", "ambiguous column"),
        (r"\bmust appear in the GROUP BY clause\b", "PostgreSQL 42803", "grouping error"),
        (
            r"\b(?:aggregate|window) functions? .{0,60}\bnot allowed in\b",
            "PostgreSQL 42803, 42P20",
            "grouping error",
        ),
        (r"\bis of type .{1,80} but expression is of type\b", "PostgreSQL 42804", "wrong type"),
        (r"\btypes .{1,80} cannot be matched\b|\bcannot cast (?:type )?", "PostgreSQL 42804, 42846", "wrong type"),
        (
            r"\boperator is not unique\b|\bcould not determine .{0,30}type\b",
            "PostgreSQL 42725, 42P18",
            "wrong type",
        ),
        (r"\binvalid input syntax for\b", "PostgreSQL 22P02", "value does not fit its type"),
        (r"\binvalid (?:byte sequence|input value|value for)\b", "PostgreSQL 22021, 22P02", "invalid value"),
        (r"\b(?:out of range(?: for type)?|numeric field overflow)\b", "PostgreSQL 22003", "value out of range"),
        (r"\bdivision by zero\b", "PostgreSQL 22012", "division by zero"),
        (r"\bvalue too long for type\b", "PostgreSQL 22001", "value too long"),
        (r"\bduplicate key value violates unique constraint\b", "PostgreSQL 23505", "duplicate key"),
        (
            r"\bviolates (?:not-null|foreign key|check|exclusion) constraint\b",
            "PostgreSQL class 23",
            "constraint violated",
        ),
        (r"\bmore than one row returned by a subquery\b", "PostgreSQL 21000", "cardinality"),
        (r"\bcannot affect row a second time\b", "PostgreSQL 21000", "cardinality"),
        (r"\bbecause other objects depend on it\b", "PostgreSQL 2BP01", "other objects depend on it"),
        (r"\bcannot (?:change|drop) .{0,80}\bview\b", "PostgreSQL 42P16", "view cannot be changed"),
        (
            r"\b(?:relation|schema|type|function|column) \S+ .{0,40}already exists\b",
            "PostgreSQL 42P07",
            "already exists",
        ),
        (r"\b(?:stack depth limit exceeded|can have at most \d+ )", "PostgreSQL class 54", "statement too large"),
        (r"\bcannot execute \S.{0,60} in a read-only transaction\b", "PostgreSQL 25006", "read-only"),
        (r"\bsubquery in FROM must have an alias\b|\bunterminated quoted\b", "PostgreSQL 42601", "syntax error"),
        (r"\bargument of \S+ must be (?:type )?\S+, not\b", "PostgreSQL 42804", "wrong type"),
        (
            r"\binvalid regular expression\b|\bcannot (?:extract|get|call|set|deconstruct) ",
            "PostgreSQL 2201B, 22023",
            "invalid value",
        ),
    ),
)

REDSHIFT = (
    *group(
        Category.TRANSIENT,
        (r"\bSerializable isolation violation\b", "Redshift 1023", "serialization failure"),
        (r"\bconflict with concurrent transaction\b", "dbt-redshift retries it", "concurrent change"),
        (r"\b(?:table|relation) \S+ dropped by concurrent transaction\b", "Redshift", "concurrent change"),
        (r"\bserver socket closed\b", "redshift_connector", "connection lost"),
        (r"\bcluster .{0,80}\b(?:rebooting|resuming|restarting|resizing)\b", "Redshift", "cluster restarting"),
        (
            r"\bunpack_from requires a buffer\b|\bError setting/closing connection\b",
            "dbt-redshift#456",
            "connection lost",
        ),
    ),
    *group(
        Category.THROTTLED,
        (r"\bconnection limit \S+ exceeded\b", "Redshift quotas", "too many connections"),
    ),
    *group(
        Category.RESOURCES,
        (
            r"\babort(?:ed)? .{0,60}\bquery monitoring rule\b|\bcancelled by WLM abort\b",
            "Redshift WLM",
            "workload rule",
        ),
        (r"^(?:ERROR: )?Disk Full\b", "Redshift", "disk full"),
        (r"\bran out of memory in the S3 query layer\b", "Redshift Spectrum", "out of memory"),
    ),
    *group(
        Category.UNKNOWN,
        (r"\bcancell?ed on user.s request\b", "Redshift, also sent for limits", "cancelled by someone"),
        (r"^schema \S+ does not exist\b", "dbt-redshift retries it: concurrent create", "schema not there (yet)"),
    ),
    *group(
        Category.CODE,
        (r"\bInvalid digit, Value\b", "Redshift 1207", "value does not fit its type"),
        (r"\bStringToNumeric|Numeric data overflow\b", "Redshift 1058", "value out of range"),
        (r"\bvalue too long for character type\b", "Redshift 1204", "value too long"),
    ),
)
