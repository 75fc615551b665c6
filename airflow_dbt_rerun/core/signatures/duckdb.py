"""DuckDB: recognised mostly by the exception's type at the start of the line.

dbt-duckdb calls all of them Runtime Errors. Sources: DuckDB's exception types (``duckdb/common/exception.hpp``), the
texts of its library and of httpfs (libcurl, cpp-httplib), dbt-duckdb.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures import motherduck
from airflow_dbt_rerun.core.signatures.signature import group

_START = r"(?:^|[:…)] )"
"""Where an exception's type stands: at the start of a line, or behind what wraps it."""

_FOR_HTTP = r" error for HTTP (?:GET|HEAD|PUT|POST|DELETE)\b"
"""How httpfs ends what the network library said."""

FILES = (
    *group(
        Category.ACCESS,
        (
            r"\b(?:certificate|SSL peer|SSH remote key|CA cert|hostname verification|server verification)\b.{0,80}"
            + _FOR_HTTP
            + r"|\bSSL (?:server|hostname) verification failed\b",
            "httpfs: curl 60, 77, cpp-httplib",
            "certificate not trusted",
        ),
        (r"\bHTTP (?:status )?40[13]\b|\b40[13] \((?:Forbidden|Unauthorized)\)", "httpfs", "HTTP 401 or 403"),
    ),
    *group(
        Category.THROTTLED,
        (
            r"\bHTTP (?:status )?429\b|\bSlow ?Down\b|\breduce your request rate\b|\bServerBusy\b",
            "S3 503, Azure 503",
            "rate limit",
        ),
    ),
    *group(
        Category.UNKNOWN,
        (
            r"\b(?:could not|couldn.t) resolve (?:host(?:name)?|proxy)\b.{0,80}" + _FOR_HTTP,
            "httpfs, curl 6: DNS or a wrong host",
            "host not found",
        ),
    ),
    *group(
        Category.CODE,
        (
            r"\bHTTP (?:status )?4(?:0[04567]|1[0-6]|2[012])\b|\bHTTP 301\b|: 404 \(Not Found\)",
            "httpfs",
            "missing file or wrong region",
        ),
        (
            r"\b(?:unsupported protocol|bad/illegal format|redirects? .{0,30})" + _FOR_HTTP,
            "httpfs: curl 1, 3, 47",
            "wrong URL",
        ),
        (
            r"\bNo files found that match the pattern\b|\bfile does not exist\b",
            "DuckDB IOException",
            "missing file",
        ),
        (
            r"\bCannot open (?:file|database) .{0,300}(?:: No such file or directory\b|\bdoes not exist\b)",
            "DuckDB IOException",
            "missing file",
        ),
        (
            r"\battached in read-only mode\b|\bin read-only mode!",
            "DuckDB InvalidInputException",
            "database is read-only",
        ),
        (
            (
                r"\bnot a valid DuckDB database\b|\bread a database file with version\b|\bdifferent configuration than existing\b"
                r"|\bUnique file handle conflict\b|\bdatabase with name .{0,80}already exists\b"
            ),
            "DuckDB IOException",
            "wrong database file",
        ),
        (
            r"\bExtension .{0,200}\bnot found\b|\bExtension .{0,200}\bbuilt specifically for\b",
            "DuckDB",
            "no extension",
        ),
        (
            r"\bCSV Error on Line\b|\bError when sniffing file\b|\bError in file\b",
            "DuckDB InvalidInputException",
            "bad file",
        ),
        (
            (
                r"\b(?:No magic bytes found|too small to be a Parquet|Failed to read Parquet|Invalid Parquet|Malformed JSON"
                r"|JSON transform error|schema mismatch|not a Parquet file|Couldn.t read parquet)\b"
            ),
            "DuckDB readers",
            "bad file",
        ),
    ),
    *group(
        Category.RESOURCES,
        (r"\bToo many open files\b|\bFile too large\b", "POSIX EMFILE, EFBIG", "limit of the machine"),
    ),
    *group(
        Category.TRANSIENT,
        (r"\b(?:HTTP (?:status )?5\d\d|HTTP 408)\b", "httpfs", "HTTP 5xx"),
        (r"\w" + _FOR_HTTP, "httpfs: curl, cpp-httplib", "no connection"),
        (
            r"\bFailed to download extension\b.{0,300}\bConnection|\bStale file handle\b",
            "DuckDB, NFS",
            "no connection",
        ),
    ),
)

TABLE = (
    *group(
        Category.TRANSIENT,
        (
            r"\bCould not set lock on file\b|\bConflicting lock is held\b|\bLock is already held\b",
            "DuckDB IOException",
            "database file locked",
        ),
        (
            r"\bThe process cannot access the file because it is being used\b|\bused by another process\b.{0,40}\bduckdb\b",
            "DuckDB on Windows",
            "database file locked",
        ),
        (
            (
                r"\bwrite-write conflict\b|\btransaction conflict\b|\b(?:by|with) (?:a |another )?concurrent transaction\b"
                r"|\bhas been altered by a\b.{0,20}\btransaction\b|\bhas conflict: "
            ),
            "DuckDB TransactionException",
            "write conflict",
        ),
        (r"\bConflict on (?:update|delete|tuple deletion)\b", "DuckDB TransactionException", "write conflict"),
        (
            r"\bFailed to obtain checkpoint lock\b|\bCannot CHECKPOINT: there are other\b",
            "DuckDB",
            "checkpoint locked",
        ),
        (r"\bCould not (?:establish connection|connect to server)\b", "DuckDB HTTPException", "no connection"),
        (
            r"\bFailed to (?:read|write) connection\b|\bConnection has already been closed\b",
            "DuckDB",
            "connection lost",
        ),
    ),
    *group(
        Category.RESOURCES,
        (
            _START + r"Out of Memory Error:|\bbad allocation\b|\bMemory allocation failure\b",
            "DuckDB OutOfMemory",
            "out of memory",
        ),
        (
            r"\bmax_temp_directory_size\b|\bfailed to (?:allocate|offload|pin) .{0,60}\bblock\b",
            "DuckDB",
            "temporary space used up",
        ),
    ),
    *motherduck.TABLE,
    *FILES,
    *group(
        Category.ACCESS,
        (_START + r"Permission Error:", "DuckDB PermissionException", "not permitted"),
    ),
    *group(
        Category.CANCELLED,
        (_START + r"INTERRUPT Error:", "DuckDB InterruptException", "interrupted"),
    ),
    *group(
        Category.UNKNOWN,
        # What went wrong first is not in this message.
        (r"\bCurrent transaction is aborted \(please ROLLBACK\)", "DuckDB", "an earlier statement failed"),
    ),
    *group(
        Category.CODE,
        (_START + r"(?:Parser|Syntax) Error:", "DuckDB ParserException", "syntax error"),
        (_START + r"Binder Error:", "DuckDB BinderException", "unknown or ambiguous name"),
        (_START + r"Catalog Error:", "DuckDB CatalogException", "unknown table, schema or function"),
        (_START + r"Conversion Error:", "DuckDB ConversionException", "value does not fit its type"),
        (
            _START + r"Constraint Error:|\bUNIQUE constraint violat|\bduplicate key \"",
            "DuckDB ConstraintException",
            "constraint violated",
        ),
        (_START + r"Not implemented Error:", "DuckDB NotImplementedException", "not supported"),
        (_START + r"Out of Range Error:", "DuckDB OutOfRangeException", "value out of range"),
        (_START + r"Dependency Error:", "DuckDB DependencyException", "other objects depend on it"),
        (
            _START
            + r"(?:Expression|Planner|Optimizer|Settings|Invalid Configuration|Missing Extension|Serialization) Error:",
            "DuckDB exception types",
            "wrong SQL or setting",
        ),
        (
            _START + r"(?:Invalid|Mismatch|Unknown) Type Error:|^Mismatch Type|" + _START + r"Object Size Error:",
            "DuckDB exception types",
            "wrong type",
        ),
        (
            _START + r"(?:Divide by Zero|Decimal|Parameter Not \w{1,20}|Sequence) Error:",
            "DuckDB exception types",
            "wrong SQL",
        ),
        (
            r"\bFailed to cast value\b|\bcan.t be cast to the destination type\b|\bType .{1,80} can.t be cast\b",
            "DuckDB",
            "value does not fit its type",
        ),
        (
            (
                r"\btransaction (?:that )?has already modified\b|\bstart a transaction within a transaction\b"
                r"|\bcan only be (?:set|changed|used)\b|\bconfiguration has been locked\b|\bhas been disabled\b"
                r"|\bis disabled (?:through|by) configuration\b|\bcannot change .{0,80}\bwhile database is running\b"
            ),
            "DuckDB settings and transactions",
            "wrong setting",
        ),
        (
            (
                r"\bneeds? to be installed\b|\bfailed to import\b|\bPython module spec\b|\bPlugin .{0,80}\bnot found\b"
                r"|\bmotherduck_token found in the profile\b|\bin the profile\b|\bsubmission_method\b|\bdbt-duckdb;"
            ),
            "dbt-duckdb",
            "wrong profile or model",
        ),
        (
            (
                r"\bInvalid Input Error: (?:Cannot|Required|Need|Values|Given|Unrecognized|Invalid|Attempted|Type|Wrong|Could not"
                r" (?:convert|parse|read)|Failed to parse|Failed to cast|JSON|CSV|Provided|Expected|Too (?:many|few))\b"
            ),
            "DuckDB InvalidInputException",
            "wrong SQL or data",
        ),
    ),
)
