"""BigQuery: reason and text together; the HTTP status alone misleads (a rate limit may come as 403 or 400).

Sources: BigQuery's error table (cloud.google.com/bigquery/docs/error-messages), the retry list of
google-cloud-bigquery, dbt-bigquery's ``retry.py``.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

TABLE = (
    *group(
        Category.RESOURCES,
        (r"\bCustom quota exceeded\b|\bQueryUsagePer\w+", "BigQuery custom quota by day", "daily quota used up"),
        (r"\bfree query bytes scanned\b", "BigQuery free tier", "free tier used up"),
        (
            r"\b(?:Resources|resourcesExceeded)\b.{0,20}\bexceeded during query execution\b",
            "BigQuery",
            "resources exceeded",
        ),
        (r"\bresourcesExceeded\b", "BigQuery resourcesExceeded", "resources exceeded"),
        (r"\blimit for bytes billed\b|\bbytesBilledLimitExceeded\b", "BigQuery", "bytes billed limit"),
        (r"\bNot enough resources for query planning\b|\btoo many subqueries\b", "BigQuery", "query too complex"),
        (
            r"\bbillingTierLimitExceeded\b|\bQuery (?:exceeded resource limits|too large)\b",
            "BigQuery",
            "resources exceeded",
        ),
    ),
    *group(
        Category.THROTTLED,
        (r"\b(?:job)?rateLimitExceeded\b", "BigQuery rateLimitExceeded (HTTP 403, 400)", "rate limit"),
        (r"\bexceeded rate limits?\b|\bexceeded quota for\b", "BigQuery rateLimitExceeded", "rate limit"),
        (r"\b429 Resource has been exhausted\b", "google.api_core ResourceExhausted", "quota"),
        (r"\bquotaExceeded\b|\bQuota exceeded\b", "BigQuery quotaExceeded", "quota"),
        (r"\bToo many (?:DML|table|concurrent)\b", "BigQuery", "too many at once"),
    ),
    *group(
        Category.TRANSIENT,
        (
            r"\b(?:job)?(?:backendError|internalError)\b",
            "BigQuery backendError, internalError",
            "BigQuery internal",
        ),
        (r"\bjob(?:Backend|Internal)Error\b|\bbadGateway\b", "BigQuery", "BigQuery internal"),
        (
            r"\bencountered an (?:internal )?error during execution\b",
            "BigQuery jobInternalError",
            "BigQuery internal",
        ),
        (r"\bError encountered during execution\b", "BigQuery backendError", "BigQuery internal"),
        (r"\bRetrying (?:the job )?may solve the problem\b", "BigQuery backendError", "BigQuery internal"),
        (r"\binternal error occurred and the request could not be completed\b", "BigQuery", "BigQuery internal"),
        (r"\bVisibility check was unavailable\b", "BigQuery 503, dbt-adapters#941", "HTTP 503"),
        (r"\bTransaction is aborted due to concurrent update\b", "BigQuery", "concurrent update"),
        (
            r"\bDeadline of \S+ exceeded\b|\bTimeout of \S+ exceeded\b",
            "google-api-core RetryError",
            "no answer in time",
        ),
    ),
    *group(
        Category.TIMED_OUT,
        (r"\bJob timed out after\b", "BigQuery job timeout", "job timeout"),
        (r"\bOperation timed out after \S+ hours\b", "BigQuery 6 hour limit", "job timeout"),
        (r"\bdid not complete within the designated timeout\b", "google-api-core", "job timeout"),
    ),
    *group(
        Category.CANCELLED,
        (r"\bUser requested cancellation\b", "BigQuery stopped", "cancelled by a user"),
    ),
    *group(
        Category.ACCESS,
        (r"\bAccess Denied:|\baccessDenied\b", "BigQuery accessDenied", "access denied"),
        (
            r"\bdoes not have \S+ (?:permission|access)\b|\bdoes not have permission\b",
            "Google IAM",
            "permission denied",
        ),
        (r"\bPermission \S+ denied\b", "Google IAM", "permission denied"),
        (r"\binvalid_grant\b|\bReauthentication is needed\b", "google-auth", "credentials refused"),
        (r"\bdefault credentials were not found\b", "google-auth", "no credentials"),
        (r"\bcould not automatically determine credentials\b", "google-auth", "no credentials"),
        (
            r"\bBilling has not been enabled\b|\bbillingNotEnabled\b",
            "BigQuery billingNotEnabled",
            "billing not enabled",
        ),
        (r"\bVPC Service Controls\b", "Google Cloud", "network policy"),
        (r"\bUnable to (?:generate access token|acquire impersonated)\b", "google-auth", "no token"),
    ),
    *group(
        Category.CODE,
        (
            r"\bNot found: (?:Table|Dataset|Project|Routine|Model|URI|Files)\b",
            "BigQuery notFound",
            "unknown object",
        ),
        (r"\bSyntax error:", "BigQuery invalidQuery", "syntax error"),
        (r"\bUnrecognized name:", "BigQuery invalidQuery", "unknown column"),
        (
            r"\bNo matching signature for\b|\b(?:Function|Type) not found:",
            "BigQuery invalidQuery",
            "unknown function",
        ),
        (
            r"\bName \S+ not found inside\b|\bColumn name \S+ is ambiguous\b",
            "BigQuery invalidQuery",
            "unknown column",
        ),
        (r"\binvalidQuery\b", "BigQuery invalidQuery", "wrong SQL"),
        (
            r"\bBad \w+ value:|\bCould not (?:cast|parse|convert)\b",
            "BigQuery invalidQuery",
            "value does not fit its type",
        ),
        (
            r"\bInvalid (?:date|timestamp|datetime|NUMERIC value)\b",
            "BigQuery invalidQuery",
            "value does not fit its type",
        ),
        (r"\bmust match at most one source row\b", "BigQuery invalidQuery", "merge met duplicates"),
        (r"\bwhich is neither grouped nor aggregated\b", "BigQuery invalidQuery", "grouping error"),
        (r"\bhas type \S+ which cannot be\b|\bhas incompatible types\b", "BigQuery invalidQuery", "wrong type"),
        (r"\bCannot query over table \S+ without a filter\b", "BigQuery invalidQuery", "partition filter missing"),
        (r"\bAlready Exists:", "BigQuery duplicate", "already exists"),
        (
            r"\bCannot replace a table with a different partitioning spec\b",
            "BigQuery invalidQuery",
            "table cannot be changed",
        ),
        (r"\bToo many partitions produced by query\b", "BigQuery invalidQuery", "too many partitions"),
        (r"\bmust be qualified with a dataset\b", "BigQuery invalidQuery", "unknown object"),
        (
            r"\bArray index \S+ is out of bounds\b|\bsubquery produced more than one\b",
            "BigQuery invalidQuery",
            "wrong SQL",
        ),
    ),
)
