"""Databricks: its REST error codes, its clusters and warehouses, its SQL connector. Spark's errors: see ``spark``.

Sources: docs.databricks.com/error-messages, the error, termination and run codes of databricks-sdk, the raise sites
and retry rules of databricks-sql-connector and dbt-databricks, dbt issues where named.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

SESSION = group(
    Category.TRANSIENT,
    # Sent as 403, and gone with the next connection.
    (r"\bToken is expiring within\b", "Databricks REST", "token about to expire"),
    (r"\bRetry request would exceed Retry policy\b", "databricks-sql-connector", "no answer"),
    (r"\bunexpectedly closed server side\b", "databricks-sql-connector", "statement closed by the server"),
    (r"\bCloudFetch link has expired\b|\bfetch_results failed due to\b", "databricks-sql-connector", "result lost"),
    (
        r"\bon (?:a )?closed (?:connection|cursor)\b|\bcursor from closed connection\b|\bHTTP client is closing\b",
        "databricks-sql-connector, dbt-databricks",
        "connection lost",
    ),
    (r"\bno (?:context|command|session) ID returned\b", "dbt-databricks, databricks-sql-connector", "no answer"),
)

RESOURCES = group(
    Category.RESOURCES,
    # Trino's CLUSTER_OUT_OF_MEMORY is the memory that others take.
    (
        r"(?-i:\b[A-Z_]{3,60}(?<!CLUSTER)_(?:OOM|OUT_OF_MEMORY|OUT_OF_DISK)\b)",
        "Databricks error and termination codes",
        "out of memory or disk",
    ),
    (
        r"(?-i:(?<!\()\b[A-Z0-9_]{0,40}(?<!RATE_)QUOTA_EXCEEDED(?:_[A-Z]+)?\b)|\bVcpuLimitExceeded\b|\bInstanceLimitExceeded\b",
        "Databricks termination codes",
        "cloud quota used up",
    ),
    (
        r"\bin exceeding (?:approved|quota limits)\b|\bmore vCPU capacity than\b",
        "Azure, AWS EC2",
        "cloud quota used up",
    ),
    (
        r"(?-i:\b(?:SUBNET_EXHAUSTED|IP_EXHAUSTION|GCP_IP_SPACE_EXHAUSTED|AWS_INSUFFICIENT_FREE_ADDRESSES)\w*)",
        "Databricks termination codes",
        "no free addresses",
    ),
    (r"(?-i:\bBUDGET_POLICY_LIMIT_\w+|\bTRIAL_EXPIRED\b)", "Databricks termination codes", "budget used up"),
)

THROTTLED = group(
    Category.THROTTLED,
    (r"REQUEST_LIMIT_EXCEEDED\b|\bRESOURCE_EXHAUSTED\b", "Databricks REST", "rate limit"),
    (
        r"(?-i:\b[A-Z0-9_]{0,60}(?:THROTTL(?:ED|ING)|RATE_LIMITED|RATE_QUOTA_EXCEEDED)\b)",
        "Databricks",
        "rate limit",
    ),
    (r"\btoken bucket limit has been exceeded\b", "databricks-sdk retries it", "rate limit"),
    (r"\b(?:maximum|max) number of (?:concurrent|active|running|queued) \w+", "Databricks", "too many at once"),
    (
        (
            r"(?-i:\b(?:MAX_CONCURRENT_RUNS|MAXIMUM_CONCURRENT_RUNS|WORKSPACE_RUN_LIMIT|MAX_JOB_QUEUE|MAX_SPARK_CONTEXTS)_\w+)"
            r"|\bmaximum concurrent runs\b"
        ),
        "Databricks run codes",
        "too many at once",
    ),
    (
        r"\b(?:query )?queue is full\b|(?-i:MAX_CAPACITY_(?:REACHED|FAILURE)\b)",
        "Databricks",
        "queue or pool full",
    ),
)

ACCESS = group(
    Category.ACCESS,
    (
        r"\bINSUFFICIENT_PERMISSIONS\b|\bPERMISSION_DENIED\b",
        "Databricks error class, 42501",
        "permission denied",
    ),
    (
        r"\bUNAUTHORIZED_\w+|\bUNAUTHENTICATED\b|\bCUSTOMER_UNAUTHORIZED\b",
        "Databricks error class",
        "not authorized",
    ),
    (
        r"(?-i:\b(?:AWS|AZURE|GCP|IMAGE|SECRET|USAGE)_[A-Z_]{0,50}(?:DENIED|FORBIDDEN|AUTHORIZATION_FAILURE|KEY_FAILURE)\b)",
        "Databricks termination codes",
        "permission denied",
    ),
    (r"\bInvalid (?:access )?token\b", "Databricks REST", "invalid token"),
    (
        r"\bOAuth application with client_id\b|\b(?:invalid_client|unauthorized_client|invalid_request|invalid_scope)\b|\bcannot configure default credentials\b",
        "Databricks OAuth",
        "credentials refused",
    ),
    (
        r"\bCredential was not sent\b|\bAll authentication methods failed\b",
        "Databricks REST, dbt-databricks",
        "login failed",
    ),
    (r"\bblocked by Databricks IP ACL\b|\bis not authorized to use or monitor\b", "Databricks REST", "not allowed"),
    (
        r"\bdoes not have (?:[A-Z_ ]{3,30}|\S{3,20}) on (?:the )?(?:any file|table|schema|catalog|view|cluster)\b",
        "Unity Catalog",
        "permission denied",
    ),
)

CANCELLED = group(
    Category.CANCELLED,
    (r"\bresult_state CANCELED\b", "Databricks Jobs API, for Python models", "cancelled by a user"),
    # Trino has the same word, and does not say by it who it was.
    (
        r"(?-i:\bcode\W{1,5}USER_CANCELED\b)|\bcancell?ed during execution by a user\b",
        "Databricks run codes",
        "cancelled by a user",
    ),
    (
        r"(?-i:\bUSER_REQUEST\b)|\bterminated by (?:a )?user\b",
        "Databricks termination codes",
        "cluster stopped by a user",
    ),
)

TIMED_OUT = group(
    Category.TIMED_OUT,
    (
        r"\bQUERY_EXECUTION_TIMEOUT_EXCEEDED\b|\bSTATEMENT_TIMEOUT\b|(?-i:\bTIMEDOUT\b)",
        "Databricks error class",
        "statement timeout",
    ),
    (r"\btimed out: (?-i:RUNNING|PENDING|QUEUED)\b", "Databricks driver of dbt Fusion", "statement timeout"),
    (r"\brestart timed out after \d+ seconds\b", "dbt-databricks", "cluster start limit"),
    (r"\bCommand execution timed out\b|\bPython model run timed out\b", "dbt-databricks", "python model timeout"),
)

TRANSIENT = group(
    Category.TRANSIENT,
    (
        r"TEMPORARILY_UNAVAILABLE\b|\bSERVICE_UNDER_MAINTENANCE\b",
        "Databricks REST, dbt-spark's retry rule",
        "temporarily unavailable",
    ),
    (r"(?-i:\bDEADLINE_EXCEEDED\b|\bRESOURCE_CONFLICT\b|\bABORTED:)", "Databricks REST", "aborted by the server"),
    (r"\bstate:? Pending\b|\bcluster\b.{0,80}\bpending\b", "dbt-spark's retry rule", "cluster starting"),
    (r"\bClusterNotReadyException\b|\bworker environment\b", "databricks-sdk retries it", "cluster not ready"),
    (r"\bContextStatus\.ERROR\b|\bfailed to reach RUNNING\b", "dbt-databricks retries it", "cluster not ready"),
    (
        r"\bCluster launch will be retried\b|\bClusters are failing to launch\b",
        "Databricks SQL",
        "warehouse not ready",
    ),
    (r"\bQuery could not be scheduled\b", "Databricks, dbt-databricks#767", "warehouse not ready"),
    (
        r"\bdriver (?:was |is |has been )?restart(?:ed|ing)\b|\bcould not reach driver of cluster\b",
        "Databricks",
        "driver restarted",
    ),
    (
        (
            r"(?-i:\b(?:CLOUD_(?:PROVIDER|FAILURE|OPERATION)|CLUSTER_LAUNCH|SPOT_INSTANCE|DRIVER_(?:UN|NODE_UN|EVICT|LAUNCH)"
            r"|INSTANCE_UNREACHABLE|BOOTSTRAP_TIMEOUT|SELF_BOOTSTRAP|ALLOCATION_TIMEOUT|LAZY_ALLOCATION|NETWORK_CHECK"
            r"|CONTROL_PLANE|NPIP_TUNNEL_SETUP|CONTAINER_LAUNCH|WORKER_SETUP|UNEXPECTED_LAUNCH|HIVEMETASTORE_CONNECTIVITY"
            r"|METASTORE_COMPONENT|DBFS_COMPONENT)(?!\w{0,60}MISCONFIG)\w*)"
        ),
        "Databricks termination codes",
        "no machines",
    ),
    (
        r"(?-i:\bCOMMUNICATION_LOST\b|\w_STOCKOUT\b|\w_INSUFFICIENT_(?:INSTANCE_)?CAPACITY\w*|\(SERVICE_FAULT\)|\(CLOUD_FAILURE\))",
        "Databricks termination codes, which say that one may retry",
        "no machines",
    ),
    (
        (
            r"\bInsufficientInstanceCapacity\b|\b(?:Zonal)?AllocationFailed\b|\bOverconstrained\w{0,10}AllocationRequest\b"
            r"|\bZONE_RESOURCE_POOL_EXHAUSTED\b"
        ),
        "AWS EC2, Azure, Google",
        "no machines",
    ),
)

CODE = group(
    Category.CODE,
    (
        (
            r"(?-i:\w_DUE_TO_MISCONFIG\b|\b(?:GLOBAL_)?INIT_SCRIPT_FAILURE\b|\bLIBRARY_INSTALLATION_ERROR\b"
            r"|\bUNSUPPORTED_INSTANCE_TYPE\b|\(CLIENT_ERROR\))"
        ),
        "Databricks termination codes: fix the request",
        "wrong cluster set-up",
    ),
    (
        (
            r"(?-i:\b(?:INVALID_PARAMETER_VALUE|INVALID_ARGUMENT|MALFORMED_REQUEST|FEATURE_DISABLED|RESOURCE_DOES_NOT_EXIST"
            r"|RESOURCE_ALREADY_EXISTS|ENDPOINT_NOT_FOUND|INVALID_CLUSTER_REQUEST|INVALID_RUN_CONFIGURATION)\b)"
        ),
        "Databricks REST",
        "wrong request",
    ),
    (
        r"\b(?:Cluster|Warehouse|Endpoint|Compute resource) \S+ (?:does not|doesn.t) exist\b",
        "Databricks REST, dbt-databricks",
        "unknown cluster",
    ),
    (
        r"\bCould not extract warehouse ID\b|\bhttp_path\b.{0,60}\b(?:required|invalid)\b",
        "databricks-sql-connector",
        "invalid profile",
    ),
)

STOPPED = group(
    Category.TRANSIENT,
    (r"\bunexpected state (?:Restarting|Resizing|Terminat(?:ed|ing))\b", "Databricks REST", "cluster not ready"),
    (r"\bCluster \S+ (?:(?:was|is) terminated|is not running|unexpectedly)", "Databricks", "cluster stopped"),
)
"""After the reasons: why a cluster was terminated stands behind these words."""

TABLE = (
    *SESSION,
    *RESOURCES,
    *THROTTLED,
    *ACCESS,
    *CANCELLED,
    *TIMED_OUT,
    *TRANSIENT,
    *CODE,
    *STOPPED,
)
