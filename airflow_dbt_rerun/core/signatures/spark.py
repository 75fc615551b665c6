"""Apache Spark, Delta Lake and the Hive world around it: an error class in brackets, or a Java exception's name.

Sources: Spark's ``error-conditions.json`` and Delta's ``delta-error-classes.json`` with their SQLSTATEs, dbt-spark,
PyHive, Iceberg, Hive, Kyuubi, dbt issues where named. ``(?-i:...)`` requires capitals: an error class, not a name.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

_ANY_READING = (
    r"INTERNAL_|FAILED_READ_FILE|TASK_WRITE_FAILED|FAILED_JDBC|UNABLE_TO_|CANNOT_LOAD_STATE|CANNOT_ESTABLISH|CANNOT_WRITE_STATE"
    r"|STREAM_FAILED|OPERATION_CANCEL|SPARK_JOB_|CONNECT|UNKNOWN|[A-Z_]{0,40}_(?:HTTP|CONNECTION|REQUEST|TIMEOUT)_"
    r"|[A-Z_]{0,60}(?:TIMEOUT|TIMED_?OUT|UNAVAILABLE|INTERNAL_ERROR|EXTERNAL_ERROR|_FAILURE)\b"
)
"""Error classes that say where something failed, not why: the rest of their text has to tell."""

ACCESS = group(
    Category.ACCESS,
    (r"\bGSSException\b|\bNo valid credentials provided\b|\bKerberos tgt\b", "Java GSS", "no Kerberos ticket"),
    (r"\bError validating the login\b", "HiveServer2 LDAP", "login failed"),
    (r"\bFailed to connect, is your token valid\b", "dbt-spark connections", "token refused"),
    (r"\b(?:\w{0,30}AccessControl|Authorization|Authentication)Exception\b", "Hadoop, Ranger", "permission denied"),
    (r"\bAuthorization(?:PermissionMismatch|Failure)\b", "Azure storage", "permission denied"),
    (
        r"\b(?:User|Principal) .{0,80}\bdoes not have .{0,60}\b(?:privilege|permission)",
        "Hive, Ranger",
        "permission denied",
    ),
    (r"\bSQLSTATE: (?:42501|28\w{3})\b", "Spark SQLSTATE 42501, 28", "permission denied"),
)

RESOURCES = group(
    Category.RESOURCES,
    (r"\bOutOfMemoryError\b|\bJava heap space\b|\bGC overhead limit\b", "JVM", "out of memory"),
    (
        r"\bUNABLE_TO_ACQUIRE_MEMORY\b|\bUnable to acquire \d+ bytes of memory\b",
        "Spark error class 53200",
        "out of memory",
    ),
    (
        r"\bspark\.driver\.maxResultSize\b|\bspark\.rpc\.message\.maxSize\b|\bbigger than local result setting\b",
        "Spark",
        "result too large",
    ),
    (
        r"\b(?:exceed(?:ed|ing|s)?|beyond) (?:\S{1,20} ){0,3}(?:physical |virtual |the )?memory limits?\b",
        "YARN, Kubernetes",
        "out of memory",
    ),
    (r"\bkilled by YARN for exceeding\b|\bOOM ?Killed\b", "Spark on YARN, Kubernetes", "out of memory"),
    (r"\bexit(?:ed)? (?:with )?(?:code|status):? (?:137|52)\b", "Spark executors", "out of memory"),
    (r"\bNo space left on device\b", "POSIX ENOSPC, in a task", "disk full"),
    (
        r"\bCannot broadcast the table\b|\bNot enough memory to build and broadcast\b",
        "Spark's broadcast limit",
        "table too large to broadcast",
    ),
    (r"\bKryo serialization failed: Buffer overflow\b|\bKRYO_BUFFER_OVERFLOW\b", "Spark 54006", "buffer too small"),
)

TWO_READINGS = group(
    Category.UNKNOWN,
    # The driver may have run out of memory, or be restarted for something that passes; the text says neither.
    (r"\bspark driver has stopped unexpectedly\b", "Databricks", "driver stopped, no reason given"),
    # "Likely due to containers exceeding thresholds, or network issues": memory does not heal, the network does.
    (r"\bRemote RPC client disassociated\b", "Spark", "executor lost, memory or network"),
    # Two jobs at once on one model (passes), or a name used twice in one project (does not).
    (
        r"\bTempTableAlreadyExistsException\b|\b(?:TEMP_)?TABLE_OR_VIEW_ALREADY_EXISTS\b",
        "Spark",
        "table or view exists",
    ),
    # A metastore that does not answer for now, or a wrong address of it.
    (r"\bUnable to instantiate \S{0,80}MetaStoreClient\b", "Hive", "metastore not reached"),
)

THROTTLED = group(
    Category.THROTTLED,
    (r"\bConnection limit per \w{1,12}(?:[: ]\w{1,12})? reached\b", "Kyuubi, HiveServer2", "too many connections"),
    (r"\bbackground (?:operation )?thread ?pool cannot accept\b", "HiveServer2, Databricks", "queue full"),
    (r"\bToo many (?:execution contexts|sessions|open sessions)\b", "Databricks, Livy", "too many at once"),
)

TIMED_OUT = group(
    Category.TIMED_OUT,
    (r"\bTimeout\(\d+ ms, you can modify kyuubi\b", "Kyuubi engine launch", "engine start limit"),
    (r"\bQuery exceeded timeout of\b|\bpython model run timed out\b", "dbt-spark", "query timeout"),
    (
        r"\bCould not execute broadcast in\b|\bFutures timed out after\b",
        "Spark broadcastTimeout",
        "broadcast timeout",
    ),
    (r"\bhas been timed out due to inactivity\b", "Databricks", "query timeout"),
)

CONCURRENT = group(
    Category.TRANSIENT,
    (r"\bDELTA_CONCURRENT_\w+|\bSQLSTATE: 2D521\b", "Delta, SQLSTATE 2D521", "concurrent change"),
    (
        r"\bDELTA_(?:(?:METADATA|PROTOCOL)_CHANGED|MAX_COMMIT_RETRIES_EXCEEDED|TABLE_ID_MISMATCH)\b",
        "Delta error classes",
        "concurrent change",
    ),
    (
        r"\bDELTA_SCHEMA_CHANGED?_SINCE_ANALYSIS\b|\bhas been replaced while this command\b",
        "Delta error classes",
        "concurrent change",
    ),
    (
        r"\bConcurrent(?:Append|DeleteRead|DeleteDelete|Write|Transaction|Modification)Exception\b",
        "Delta Lake",
        "concurrent change",
    ),
    (r"\b(?:Metadata|Protocol)ChangedException\b", "Delta Lake, dbt-spark#293", "concurrent change"),
    (r"\bunderlying files have been updated\b", "Spark", "concurrent change"),
    (
        r"\bCommitFailedException\b|\bFound (?:new )?conflicting (?:delete )?files\b|\bbranch \S+ has changed: expected",
        "Iceberg",
        "concurrent commit",
    ),
    (r"\bHoodie(?:Lock|WriteConflict|CommitConflict)\w{0,20}Exception\b", "Hudi", "concurrent change"),
    (
        (
            r"\b(?:WaitingFor)?LockException\b|\bms waiting for lock\b|\bError (?:in )?acquiring locks\b"
            r"|\bcould not acquire (?:the )?lock\b|\bCOULD_NOT_ACQUIRE_LOCK\b"
        ),
        "Hive, Iceberg, Databricks",
        "table locked",
    ),
    (r"\bSQLSTATE: 40\w{3}\b", "Spark SQLSTATE class 40", "transaction rolled back"),
)

LOST = group(
    Category.TRANSIENT,
    (
        r"\bInvalid (?:Session|Operation)Handle\b|\[INVALID_(?:HANDLE|CURSOR)\b",
        "Spark, dbt-databricks#324",
        "session lost",
    ),
    (
        r"\bSession (?:handle: )?.{0,120}\b(?:already closed|is closed)",
        "Databricks, dbt-databricks#358",
        "session lost",
    ),
    (r"\bCould not connect to any of \[|\bTSocket read 0 bytes\b", "thrift", "no connection"),
    (r"\bBad Status: (?:No status code|5\d\d)\b", "dbt-spark#293", "no answer"),
    (r"\bConnection lost while polling query status\b", "dbt-spark", "connection lost"),
    (
        r"\bFetchFailed\w*|\bMetadataFetchFailed\w*|\bMissing an output location for shuffle\b",
        "Spark",
        "executor lost",
    ),
    (r"\bExecutorLostFailure\b|\bExecutor heartbeat timed out\b|\bSlave lost\b", "Spark", "executor lost"),
    (r"\bSparkContext (?:was|has been|is) shut ?down\b|\bstopped SparkContext\b", "Spark", "driver restarted"),
    (r"\bCannot receive any reply (?:from|in)\b|\bIOException: Failed to connect to\b", "Spark RPC", "no answer"),
    (r"\bat least one column must be specified for the table\b", "dbt-spark#293", "metastore hiccup"),
)

CODE = group(
    Category.CODE,
    (
        r"\b(?:TABLE_OR_VIEW|SCHEMA|CATALOG|COLUMN|ROUTINE|FIELD)_NOT_FOUND\b",
        "Spark error class 42P01",
        "unknown object",
    ),
    (r"\bUNRESOLVED_(?:COLUMN|ROUTINE|FIELD)\b", "Spark error class 42703", "unknown column"),
    (r"(?-i:\bPARSE_[A-Z_]+)|\bParseException\b", "Spark error class 42601", "syntax error"),
    (
        r"(?-i:\b(?:DATATYPE_MISMATCH|CAST_[A-Z_]+|NUMERIC_VALUE_OUT_OF_RANGE)\b)",
        "Spark error classes 42K09, 22",
        "wrong type",
    ),
    (r"\bDIVIDE_BY_ZERO\b|\bARITHMETIC_OVERFLOW\b", "Spark error class 22012", "division by zero"),
    (r"(?-i:\bMISSING_(?:AGGREGATION|GROUP_BY)\b|\bAMBIGUOUS_[A-Z_]+)", "Spark error class 42803", "wrong SQL"),
    (
        r"\bDELTA_MULTIPLE_SOURCE_ROW_MATCHING\w*|\bCannot perform MERGE as multiple source rows\b",
        "Delta 21506",
        "merge met duplicates",
    ),
    (r"\bSCHEMA_ALREADY_EXISTS\b", "Spark error class 42P06", "already exists"),
    (
        r"\bDELTA_SCHEMA_CHANGED\b|\bDELTA_\w{0,40}SCHEMA_MISMATCH\b|\bschema mismatch detected\b",
        "Delta error class",
        "schema changed",
    ),
    (
        r"\breferenced in the transaction log cannot be found\b|\bDELTA_\w{0,30}FILE_NOT_FOUND\w{0,20}\b",
        "Delta 42K03",
        "a data file is gone",
    ),
    (r"(?-i:\[DELTA_[A-Z_.]{3,90}\])", "Delta's other error classes", "wrong use of a Delta table"),
    (
        rf"(?-i:(?:^|[:>(] ?)\[(?!{_ANY_READING})[A-Z][A-Z0-9]{{1,30}}_[A-Z0-9_.]{{2,90}}\])",
        "Spark's other error classes",
        "wrong SQL or data",
    ),
    (
        r"\bSQLSTATE: (?:07|0A|21|22|23|2B|38|39|3F|42|46|54|56)\w{3}\b",
        "Spark SQLSTATE classes",
        "wrong SQL or data",
    ),
    (r"\bSQLSTATE: (?:KD000|KD005|KD009|P0001)\b", "Spark SQLSTATE classes", "wrong data"),
    (r"\bAnalysisException\b|\bSemanticException\b|\bDelta\w{0,30}AnalysisException\b", "Spark, Hive", "wrong SQL"),
    (r"\bNoSuch\w{1,30}Exception\b|\bTable or view not found\b|\bUndefined function\b", "Spark", "unknown object"),
    (
        r"\bcannot resolve \S+ given input columns\b|\b(?:mismatched|extraneous) input\b|\bno viable alternative at\b",
        "Spark, ANTLR",
        "wrong SQL",
    ),
    (
        (
            r"\bFailed to merge (?:fields|incompatible)\b|\btypes incompatible with the existing columns\b"
            r"|\bCannot write incompatible data\b|\bCannot (?:safely|up) ?cast\b"
        ),
        "Spark, Delta",
        "wrong type",
    ),
    (r"\b(?:CHECK|NOT NULL) constraint .{0,120}\bviolated\b", "Delta invariants", "constraint violated"),
    (
        (
            r"\bis not a Delta table\b|\bCannot overwrite a path that is also\b|\bnon-empty directory\b"
            r"|\bUnexpected table relation\b|\bFound duplicate column"
        ),
        "Spark, Delta",
        "wrong table set-up",
    ),
    (
        (
            r"\b(?:IllegalArgument|UnsupportedOperation|ClassNotFound|ClassCast|NumberFormat|Arithmetic|DateTimeParse|SparkUpgrade)"
            r"Exception\b"
        ),
        "Java",
        "wrong SQL or data",
    ),
    (
        (
            r"\bMust specify \S+ in profile\b|\bmethod requires additional dependencies\b"
            r"|\bThe config \S+ is required\b|\bInvalid (?:incremental strategy|file format) provided\b"
        ),
        "dbt-spark, dbt-databricks",
        "invalid configuration",
    ),
    (
        (
            r"\b(?:must|has to|have to) be (?:of type|greater than|less than|at least|between|one of|set in"
            r"|an? (?:positive|integer|string|number|list|dict|mapping))\b"
        ),
        "adapters' own checks of a profile",
        "invalid configuration",
    ),
)

TABLE = (
    *ACCESS,
    *RESOURCES,
    *TWO_READINGS,
    *THROTTLED,
    *TIMED_OUT,
    *CONCURRENT,
    *LOST,
    *CODE,
)
