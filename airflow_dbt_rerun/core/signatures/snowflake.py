"""Snowflake: ``NNNNNN (SQLSTATE): text``. The code decides if it has one meaning, else code and text together.

Sources: Snowflake's error messages by code (its docs, ``errno.py`` of snowflake-cli, drivers), dbt issues where named.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group
from airflow_dbt_rerun.core.signatures.snowflake_login import LOGIN, UNKNOWN_REFUSAL, code

_STAGE = r"\b(?:using|accessing|access) (?:the )?stage\b.{0,160}"
_REMOTE = r"\b(?:external function|remote service error|Request failed for)\b.{0,160}"

STAGES = (
    *group(
        Category.TRANSIENT,
        (
            r"\b290403\b.{0,60}\bGET (?:…|\S{1,200}\b(?:amazonaws|windows\.net|googleapis))",
            "network.py: the address of a result lives six hours",
            "result's address expired",
        ),
        (
            _STAGE + r"\b(?:Request has expired|ExpiredToken|token has expired|signature has expired)\b",
            "S3, Azure, GCS: short-lived credentials of a stage",
            "stage credentials expired",
        ),
    ),
    *group(
        Category.ACCESS,
        (
            _STAGE + r"\b(?:Access ?Denied|Forbidden|Status Code: 40[13]|not authorized|failed to authenticate"
            r"|AuthorizationFailure|AuthenticationFailed|InvalidAccessKeyId)\b",
            "Snowflake 091003 and the store's answer",
            "bucket refused",
        ),
        (
            r"\bError assuming AWS_ROLE\b|\bAccess Key Id you provided\b|\bThis request is not authorized to perform\b",
            "Snowflake storage integrations, S3, Azure",
            "bucket refused",
        ),
    ),
    *group(
        Category.THROTTLED,
        (r"\bExceeded maximum number of inbound queries\b", "Snowflake's gateway", "too many queries"),
        (r"\bError Code: SlowDown\b|\bplease reduce your request rate\b", "S3 503", "store is busy"),
    ),
    *group(
        Category.TRANSIENT,
        (_STAGE + r"\bStatus Code: 5\d\d\b", "S3, Azure, GCS", "store HTTP 5xx"),
    ),
)

REMOTE_SERVICES = (
    *group(
        Category.THROTTLED,
        (_REMOTE + r"\b429\b", "Snowflake 100351", "remote service HTTP 429"),
    ),
    *group(
        Category.TRANSIENT,
        (_REMOTE + r"\b50[0234]\b", "Snowflake 100351", "remote service HTTP 5xx"),
    ),
    *group(
        Category.ACCESS,
        (_REMOTE + r"\b40[13]\b", "Snowflake 100351", "remote service refuses"),
    ),
    *group(
        Category.CODE,
        (_REMOTE + r"\b4\d\d\b", "Snowflake 100351", "wrong request to a remote service"),
    ),
    *group(
        Category.UNKNOWN,
        (
            r"\bRemote service cannot be reached\b|\bRequest failed for external function\b",
            "Snowflake 100350: the service is down, or its address is wrong",
            "remote service not reached",
        ),
    ),
)

ACCESS = group(
    Category.ACCESS,
    (
        r"\bsession does not have a current database\b",
        "Snowflake 090105: the role may not use it",
        "no database to use",
    ),
    (
        r"\bInsufficient privileges\b|\bSQL access control error\b",
        "Snowflake 003001, 003013",
        "no right to do this",
    ),
    (r"\bcurrent role has no privileges on it\b", "Snowflake 003041", "no right to do this"),
    (r"\b\d{6} \((?:42501|28\w{3})\)", "SQLSTATE 42501, class 28", "no right to do this"),
    (r"\bNo active warehouse selected\b", "Snowflake 000606", "no warehouse to use"),
    (r"\brole\b.{0,120}\b(?:is )?not granted to (?:this )?user\b", "Snowflake", "role not granted"),
    (r"\bHTTP 403: Forbidden\b|\b290403\b|\b290401\b", "connector 290000 + HTTP status", "HTTP 403"),
)

RESOURCES = group(
    Category.RESOURCES,
    (
        r"\bresource monitor\b.{0,120}\b(?:exceeded|reached)\b",
        "Snowflake 090073, 000609",
        "resource monitor",
    ),
    (
        (
            r"\bQuery (?:execution )?exceeded .{0,40}memory\b|\bFunction available memory exhausted\b"
            r"|\bmemory (?:limit )?(?:exhausted|exceeded)\b|\b(?:ran|run|running) out of memory\b"
        ),
        "Snowflake 100352, 100357, compilation memory",
        "out of memory",
    ),
    (
        r"\b(?:MemoryError|OutOfMemory\w*)\b",
        "Python and Java handlers",
        "out of memory",
    ),
    (
        (
            r"\bResult (?:array|object|string|size) .{0,40}\btoo (?:large|long|big)\b"
            r"|\bexceeds? (?:the )?max(?:imum)? (?:LOB|value|row|result|file) size\b"
        ),
        "Snowflake 100082, 100069, 100145: 16 MB or 128 MB",
        "value too large",
    ),
    (r"\bquery (?:is|was) too complex\b", "Snowflake", "query too complex"),
    (r"\bspill(?:ing|ed)? .{0,60}\b(?:limit|exhausted|exceeded|no space)\b", "Snowflake", "no space to spill"),
    (r"\b(?:credit|budget|credits) .{0,40}\b(?:exceeded|exhausted)\b", "Snowflake Cortex, budgets", "no credits"),
)

THROTTLED = group(
    Category.THROTTLED,
    (r"\b290429\b|\bHTTP: 429\b", "connector 290000 + HTTP status, gosnowflake", "HTTP 429"),
    (
        r"\bqueued? .{0,60}\btimeout\b|\bSTATEMENT_QUEUED_TIMEOUT\b|\btimeout .{0,30}\bin (?:the )?queue\b",
        "Snowflake parameter",
        "queued too long",
    ),
    (
        r"\b(?:too many|maximum number of|exceeds? the) .{0,30}\b(?:concurrent|queued|outstanding|pending)\b",
        "Snowflake",
        "too many at once",
    ),
)

TIMED_OUT = group(
    Category.TIMED_OUT,
    (r"\bcancell?ed due to statement timeout\b", "Snowflake", "statement timeout"),
    (r"\breached its (?:statement|warehouse)\b.{0,30}\btimeout\b", "Snowflake 000630", "statement timeout"),
    (r"\b000630 \(57014\)|\bVendor code: 630\b", "Snowflake 000630", "statement timeout"),
    (r"\bcancell?ed by the client due to a timeout\b", "cursor.py: the driver's network_timeout", "client timeout"),
    (r"\b(?:Query|Statement|Function|Procedure) timed out after\b", "driver 5.x, UDFs", "statement timeout"),
    (
        r"\b(?:UDF|UDTF|function|handler|procedure) (?:execution |\S{1,60} )?(?:timed out|exceeded .{0,20}\btime limit)\b",
        "Snowflake",
        "function timeout",
    ),
)

TRANSIENT = group(
    Category.TRANSIENT,
    (r"\bhas locked table\b|\bwaiters for this lock\b|\b000625 \(", "Snowflake 000625", "table locked"),
    (
        (
            r"\bLOCK_TIMEOUT\b|\bDeadlock\b.{0,60}\btransaction\b|\bdeadlock(?:ed)? .{0,20}\b(?:detected|victim|abort)"
            r"|\block (?:wait |request )?(?:timed out|timeout)\b|\b(?:unable|failed) to (?:acquire|obtain) .{0,20}\block\b"
        ),
        "Snowflake 000637",
        "table locked",
    ),
    (
        r"\b(?:Statement|Transaction) (?:'…'|[\w-]{6,60}) (?:was|has been) aborted\b",
        "Snowflake 000615, 000625, 40xxx",
        "transaction aborted",
    ),
    (r"\b\d{6} \(40\w{3}\)", "SQLSTATE class 40", "transaction rolled back"),
    (r"\bProcessing aborted due to error \d+", "Snowflake 300010, 370001", "Snowflake incident"),
    (r"\bincident \d{5,}|\bSQL execution internal error\b", "Snowflake 000603", "Snowflake incident"),
    (r"\b\d{6} \(XX\w{3}\)", "SQLSTATE class XX", "Snowflake incident"),
    (r"\b290(?:5\d\d|408)\b", "connector 290000 + HTTP status", "HTTP 5xx"),
    (r"\b000(?:408|5\d\d): (?:HTTP )?(?:408|5\d\d)\b", "connector's HTTP errors", "HTTP 5xx"),
    (
        r"\bwarehouse \S+ (?:was|has been|is being) (?:suspended|dropped|resized|aborted)\b",
        "Snowflake 000629",
        "warehouse suspended",
    ),
    (
        r"\bFailed to (?:provision|resume|start) .{0,30}\bwarehouse\b",
        "Snowflake",
        "warehouse not started",
    ),
    (
        (
            r"\b(?:altered|modified|dropped|changed|recreated|re-created|replaced) (?:concurrently|by another|by a concurrent)\b"
            r"|\bconcurrent(?:ly)? (?:updat|modif|DDL|chang|transaction)"
        ),
        "Snowflake",
        "concurrent change",
    ),
    (r"\ban unknown server side error occurred\b", "gosnowflake errors.go", "Snowflake incident"),
)

UNKNOWN = group(
    Category.UNKNOWN,
    (
        r"\bSQL execution (?:was )?cancell?ed\b|\b000604 \(",
        "Snowflake 000604, which does not say by whom",
        "cancelled by someone",
    ),
    (
        code("25300[23]|26400[23]") + r"|\bthis might be caused by your access to the blob storage\b",
        "file_transfer_agent.py: the bucket's rights or the network",
        "file not transferred",
    ),
    (r"\b\d{6} \(57014\)", "SQLSTATE 57014, whoever stopped it", "cancelled by someone"),
    (r"\b290(?:400|405)\b", "connector retries these, and they are also wrong requests", "HTTP 400"),
)

CODE = group(
    Category.CODE,
    (
        r"\bSQL compilation error\b|\bSQL execution error:",
        "Snowflake 001003, 002003, 000904...",
        "wrong SQL or unknown object",
    ),
    (
        r"\b\d{6} \((?:42|22|23|21|02|0A|01|24|25|26|34|3[DF]|44|54|55|P0|2F|39|38)\w{3}\)",
        "Snowflake, SQLSTATE classes",
        "wrong SQL or data",
    ),
    (
        r"SQLSTATE: (?:42|22|23|21|02|0A|P0)\w{3}, Vendor code",
        "dbt Fusion, SQLSTATE classes",
        "wrong SQL or data",
    ),
    (r"\bdoes not exist or not authorized\b", "Snowflake 002003, 002043", "unknown object"),
    (
        r"\b(?:Numeric value|Boolean value|Date|Time|Timestamp|Binary value|UUID) \S+ is not (?:recognized|valid)\b",
        "Snowflake 100035, 100037, 100038, 100040",
        "value does not fit its type",
    ),
    (
        (
            r"\bFailed to cast variant value\b|\bError parsing (?:JSON|XML|CSV)\b|\bNumber out of representable range\b"
            r"|\bis too long and would be truncated\b|\bNULL result in a non-nullable column\b"
        ),
        "Snowflake 100069 to 100078, 100046, 100072",
        "value does not fit its type",
    ),
    (
        r"\bCan.t parse \S+ as (?:date|time|timestamp)\b|\binvalid (?:UTF8|type|value) (?:detected|for parameter)\b",
        "Snowflake 100096, 100144",
        "value does not fit its type",
    ),
    (r"\bDuplicate row detected during DML action\b", "Snowflake 100090", "merge met duplicates"),
    (
        (
            r"\b(?:Python Interpreter Error|JavaScript execution error|Java (?:UDF|exception)|Scala exception)\b"
            r"|\bUncaught exception of type\b"
        ),
        "Snowflake 100132, 100357, scripting",
        "script failed",
    ),
    (
        (
            r"\bCannot (?:create|find) .{0,40}\b(?:Python function|package)\b|\bPackages not found\b"
            r"|\bpackages? .{0,60}\bin (?:the )?(?:Snowflake Anaconda|Anaconda) channel\b"
            r"|\bSnowpark(?:SQL|Session|Column|DataFrame|Join|Plan)\w*Exception\b"
        ),
        "Snowpark",
        "Python model failed",
    ),
    (
        (
            r"\bNumber of columns in file\b|\bFound character \S+ instead of\b|\bEnd of record reached\b"
            r"|\bRemote file \S+ was not found\b|\bField delimiter\b"
        ),
        "Snowflake 100016, 100080, 100132: COPY",
        "file does not fit",
    ),
    (r"\bMax LOB size\b|\bdocument is too large\b", "Snowflake 100082, 100069", "value too large for its type"),
    (code(r"25[345]00\d|26[4578]0\d\d"), "drivers: files, binding, conversion", "driver refuses"),
)

TABLE = (
    *STAGES,
    *REMOTE_SERVICES,
    *LOGIN,
    *ACCESS,
    *RESOURCES,
    *THROTTLED,
    *TIMED_OUT,
    *TRANSIENT,
    *UNKNOWN,
    *CODE,
    *UNKNOWN_REFUSAL,
)
