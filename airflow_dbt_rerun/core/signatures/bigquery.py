"""BigQuery: reason and text together; the HTTP status alone misleads (a rate limit may come as 403 or 400).

Sources: BigQuery's error table (cloud.google.com/bigquery/docs/error-messages), its pages on quota, query and
streaming errors; the retry lists of google-cloud-bigquery and dbt-bigquery; dbt-bigquery's ``python_submissions.py``,
``connections.py``, ``credentials.py``.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures import google_cloud
from airflow_dbt_rerun.core.signatures.signature import group

NAMES = group(
    Category.CODE,
    (
        r"\bUnrecognized name: |\b(?:Function|Type) not found: |\bName \S+ not found inside\b",
        "BigQuery invalidQuery; unquoted names follow",
        "unknown column or function",
    ),
    (
        r"\bNot found: (?:Table|Dataset|Project|Routine|Model|URI|Files?|View|Connection|Cluster|Schema)\b",
        "BigQuery notFound",
        "unknown object",
    ),
    (
        r"\bmaximum (?:standard SQL |legacy SQL |allowed )?query length\b|\bThe query is too large\b|\bToo many (?:tables|total leaf|columns|fields)\b",
        "BigQuery limits of the text and the schema",
        "query or schema too long",
    ),
)

STACKED = group(
    Category.CODE,
    (r"\bOut of stack space\b", "BigQuery: a query nested too deeply", "query too deeply nested"),
)

OUTSTANDING = group(
    Category.THROTTLED,
    (r"\bToo many DML statements outstanding\b", "BigQuery, limit of 20 queued DML statements", "DML queue full"),
    (
        r"\bQuota exceeded for quota metric\b.{0,200}\b(?:service|googleapis)\b",
        "Google APIs: requests per minute",
        "rate limit",
    ),
)

RESOURCES = group(
    Category.RESOURCES,
    (r"\bCustom quota exceeded\b|\bQueryUsagePer\w+", "BigQuery custom quota by day", "daily quota used up"),
    (r"\bfree query bytes scanned\b|\bfree tier\b", "BigQuery free tier", "free tier used up"),
    (
        r"\bResources exceeded during (?:query )?execution\b|\bresourcesExceeded\b",
        "BigQuery resourcesExceeded",
        "resources exceeded",
    ),
    (r"\blimit for bytes billed\b|\bbytesBilledLimitExceeded\b", "BigQuery", "bytes billed limit"),
    (r"\bNot enough resources for query planning\b|\btoo many subqueries\b", "BigQuery", "query too complex"),
    (
        r"\bbillingTierLimitExceeded\b|\bQuery (?:exceeded resource limits|too large|is too complex)\b",
        "BigQuery",
        "resources exceeded",
    ),
    (
        (
            r"\bresponseTooLarge\b|\bResponse too large to return\b|\bCannot query rows larger than\b"
            r"|\b(?:row|record|cell|value) .{0,40}\b(?:larger than|exceeds) (?:the )?\d+ ?[MG]i?B\b"
        ),
        "BigQuery responseTooLarge, row size",
        "result too large",
    ),
    (r"\bno slots are configured\b|\bdoes not have the reservation\b", "BigQuery reservations", "no slots"),
)

THROTTLED = group(
    Category.THROTTLED,
    (r"\b(?:job)?rateLimitExceeded\b", "BigQuery rateLimitExceeded (HTTP 403, 400)", "rate limit"),
    (r"\bexceeded rate limits?\b|\bexceeded quota for\b", "BigQuery rateLimitExceeded", "rate limit"),
    (r"\bResource has been exhausted\b", "google.api_core ResourceExhausted", "quota"),
    (r"\bquotaExceeded\b|\bQuota exceeded:", "BigQuery quotaExceeded", "quota"),
    (
        (
            r"\bToo many (?:DML|table|concurrent|queued|pending|active|job|metadata|update|API|request|read|write"
            r"|partition (?:update|modification))|\bQueue is full\b"
        ),
        "BigQuery",
        "too many at once",
    ),
)

TIMED_OUT = group(
    Category.TIMED_OUT,
    (r"\breaching the execution time limit\b", "BigQuery timeout", "query timeout"),
    (r"\bJob timed out after\b|\bBigQuery Timeout Exceeded\b", "BigQuery, dbt-bigquery", "job timeout"),
    (r"\bOperation timed out after \S+ hours\b", "BigQuery 6 hour limit", "job timeout"),
    (r"\bdid not complete within the designated timeout\b", "google-api-core", "job timeout"),
    (r"\bdbt operation encountered a timeout\b", "dbt-bigquery python_submissions.py", "notebook timeout"),
    (
        r"\bQuery (?:exceeded (?:the )?(?:configured|maximum) (?:execution )?(?:timeout|time)|timed out)\b",
        "BigQuery, dbt-bigquery",
        "job timeout",
    ),
)

TRANSIENT = group(
    Category.TRANSIENT,
    (r"\b(?:job)?(?:backendError|internalError)\b", "BigQuery backendError, internalError", "BigQuery internal"),
    (r"\bbadGateway\b|\btableUnavailable\b", "BigQuery", "BigQuery internal"),
    (
        r"\bencountered an (?:internal )?error during execution\b|\bError encountered during execution\b",
        "BigQuery jobInternalError, backendError",
        "BigQuery internal",
    ),
    (
        r"\bRetrying (?:the )?(?:job |query |request )?.{0,60}\b(?:may|should|might) solve the problem\b",
        "BigQuery backendError",
        "BigQuery internal",
    ),
    (
        r"\binternal error (?:has )?occurred\b.{0,40}\bcould not be completed\b|\b(?:usually|may be) caused by a transient\b",
        "BigQuery",
        "BigQuery internal",
    ),
    (r"\bAn internal error (?:has )?occurred\b|\bUnexpected internal error\b", "BigQuery", "BigQuery internal"),
    (r"\bVisibility check was unavailable\b", "BigQuery 503, dbt-adapters#941", "HTTP 503"),
    (
        r"\baborted due to (?:a )?concurrent\b|\bTransaction (?:is|was) aborted due to\b|\bdue to (?:a )?concurrent (?:update|transaction|modif|DML)",
        "BigQuery",
        "concurrent update",
    ),
    (
        r"\b(?:table|dataset) .{0,80}\b(?:deleted|dropped|recreated|truncated|modified) (?:during|while|concurrently|since)\b",
        "BigQuery",
        "concurrent change",
    ),
    (r"\bAlready Exists: Job\b", "BigQuery duplicate: the same request was sent twice", "job sent twice"),
    (
        r"\bDeadline of \S+ exceeded\b|\bTimeout of \S+ exceeded\b|\bMaximum retr(?:y|ies) .{0,20}\bexceeded\b",
        "google-api-core RetryError",
        "no answer in time",
    ),
    (r"\bTask (?:was )?not acquired\b", "Dataproc agent", "cluster not answering"),
)

CANCELLED = group(
    Category.CANCELLED,
    (r"\bUser requested cancellation\b", "BigQuery stopped", "cancelled by a user"),
)

UNKNOWN = group(
    Category.UNKNOWN,
    (r"\bNot found: Job\b", "BigQuery: a wrong location, or a job that was lost", "job not found"),
    (
        r"\bStorage API is not available\b",
        "Fusion's driver: a missing right, or passing",
        "Storage API not reached",
    ),
    (
        r"\bJob (?:execution )?was cancell?ed\b|\bOperation was cancell?ed\b",
        "BigQuery stopped",
        "cancelled by someone",
    ),
    (
        r"\brows in the streaming buffer\b",
        "BigQuery: passes within 90 minutes, unless rows keep streaming in",
        "streaming buffer",
    ),
)

OBJECTS = group(
    Category.CODE,
    (r"\bnoSuchObject\b|\breason\W{1,6}notFound\b", "BigQuery notFound", "unknown object"),
    (
        r"\bwas not found in (?:location|region|project)\b|\bCannot read and write in different locations\b",
        "BigQuery notFound",
        "unknown object or location",
    ),
    (
        r"\bmust be qualified with a dataset\b|\bInvalid (?:project|dataset|table) (?:ID|name)\b",
        "BigQuery",
        "unknown object",
    ),
    (
        r"\bAlready Exists:|\bis still in use\b|\bresourceInUse\b",
        "BigQuery duplicate, resourceInUse",
        "already exists",
    ),
)

SQL = group(
    Category.CODE,
    (
        r"\bSyntax error:|\binvalidQuery\b|\bNo matching signature for\b|\bUndeclared\b",
        "BigQuery invalidQuery",
        "wrong SQL",
    ),
    (
        (
            r"\bColumn (?:name )?\S+ (?:is ambiguous|in USING|not found)"
            r"|\bDuplicate column names?\b|\bneither grouped nor aggregated\b"
        ),
        "BigQuery invalidQuery",
        "wrong column",
    ),
    (
        (
            r"\bBad \w+ value\b|\bCould not (?:cast|parse|convert)\b|\bFailed to parse input string\b|\bUnable to (?:parse|cast)\b"
            r"|\bInvalid (?:date|time|timestamp|datetime|interval|JSON|value|NUMERIC value|BIGNUMERIC value|UTF-?8)\b"
        ),
        "BigQuery invalidQuery",
        "value does not fit its type",
    ),
    (
        (
            r"\b(?:int64|numeric|bignumeric|float64|integer|double) (?:\w{1,20} )?(?:overflow|out of range)|\bDivision by zero\b"
            r"|\bCannot return an invalid \w+ value\b|\bout of (?:the )?range\b"
        ),
        "BigQuery outOfRange",
        "value does not fit its type",
    ),
    (
        (
            r"\bhas type \S+ which cannot be\b|\bhas incompatible types\b|\bIncompatible (?:types|table partitioning)\b"
            r"|\bCannot coerce\b|\bValue has type\b|\bis not (?:a valid|groupable|comparable)\b"
        ),
        "BigQuery invalidQuery",
        "wrong type",
    ),
    (
        r"\bRequired (?:field|column|value)\b.{0,60}\b(?:null|missing)\b|\bArray cannot have a null element\b",
        "BigQuery invalid",
        "null in a required field",
    ),
    (r"\bmust match at most one source row\b", "BigQuery invalidQuery", "merge met duplicates"),
    (r"\bCannot query over table \S+ without a filter\b", "BigQuery invalidQuery", "partition filter missing"),
    (
        (
            r"\bCannot (?:replace|change|convert|add|drop|alter|partition|set|create) .{0,60}\b(?:table|column|field|partition\w*"
            r"|cluster\w*|spec|schema|type|mode|view)\b"
        ),
        "BigQuery invalidQuery",
        "table cannot be changed",
    ),
    (
        r"\bInvalid schema update\b|\bSchema does not match\b|\bhas changed (?:type|mode)\b|\bschema mismatch\b",
        "BigQuery invalid",
        "schema does not fit",
    ),
    (r"\bToo many partitions\b|\bnumber of partitions\b.{0,40}\bexceed", "BigQuery", "too many partitions"),
    (
        (
            r"\bArray index \S+ is out of bounds\b|\bsubquery produced more than one\b|\bsubquer(?:y|ies) .{0,40}\bnot supported\b"
            r"|\bUnsupported (?:subquery|operation|feature)\b"
        ),
        "BigQuery invalidQuery",
        "wrong SQL",
    ),
    (
        r"\bError while reading data\b|\bencountered too many errors, giving up\b|\bJSON parsing error\b",
        "BigQuery invalid: load jobs",
        "file does not fit",
    ),
    (r"\bat \[\d{1,6}:\d{1,6}\]", "BigQuery points at line and column", "wrong SQL"),
    (
        r"\breason\W{1,6}(?:invalid|badRequest|attributeError|notImplemented|duplicate)\b",
        "BigQuery reasons",
        "wrong SQL",
    ),
)

PROFILE_AND_PYTHON = group(
    Category.CODE,
    (
        (
            r"\bMust specify (?:authentication method|schema)\b|\bMissing required key in token_endpoint\b"
            r"|\bInvalid \S+ in profile\b|\bNeed to supply .{0,60}\bin profile\b|\bUnsupported (?:identity provider|credential method)"
        ),
        "dbt-bigquery credentials.py",
        "invalid profile",
    ),
    (
        r"\bas valid batch specification\b|\bMultiple validation errors\b|\bPrivate Google Access\b",
        "dbt-bigquery python_submissions.py, Dataproc",
        "wrong cluster settings",
    ),
    (
        (
            r"\bCopy table materialization must be\b|\bunexpected location value\b|\bCould not parse partition config\b"
            r"|\bInvalid partition_by config\b"
        ),
        "dbt-bigquery impl.py",
        "invalid configuration",
    ),
    (
        r"\bJob failed with message \[\S{0,80}(?:Error|Exception)\b",
        "Dataproc: the model's Python raised",
        "Python model failed",
    ),
)

TABLE = (
    *STACKED,
    *OUTSTANDING,
    *NAMES,
    *google_cloud.BILLING,
    *RESOURCES,
    *THROTTLED,
    *google_cloud.CAPACITY,
    *google_cloud.UNCLEAR,
    *google_cloud.LOGIN,
    *TIMED_OUT,
    *TRANSIENT,
    *CANCELLED,
    *UNKNOWN,
    *google_cloud.RIGHTS,
    *OBJECTS,
    *SQL,
    *PROFILE_AND_PYTHON,
    *google_cloud.STATUSES,
)
