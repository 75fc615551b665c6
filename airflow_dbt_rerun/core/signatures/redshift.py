"""Amazon Redshift: its messages that differ from PostgreSQL's, whose table follows, and those of its driver.

Sources: the Redshift documentation (load errors, WLM, Spectrum, quotas, serializable isolation), redshift_connector,
dbt-redshift and its retry list.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

TABLE = (
    *group(
        Category.ACCESS,
        (r"\bpassword authentication, but no password\b", "redshift_connector", "no password"),
        (
            r"\b(?:IAM )?role .{0,200}\bis not (?:associated (?:to|with)|valid)\b|\bnot authorized to (?:assume|get credentials)",
            "Redshift COPY, UNLOAD, Spectrum",
            "IAM role",
        ),
        (r"\bS3ServiceException: ?Access ?Denied\b|\bStatus 403\b", "Redshift COPY, Spectrum", "no access to S3"),
        (r"\bInsufficient Lake Formation permission\(s\)", "Redshift Spectrum", "Lake Formation permission"),
        (
            r"\bUnable to locate credentials\b|\b(?:UnrecognizedClient|InvalidClientTokenId|SignatureDoesNotMatch)\w{0,20}\b",
            "botocore",
            "AWS credentials",
        ),
        (r"\bIdC authentication failed\b|\baccess_token missing from Idp\b", "redshift_connector", "login failed"),
    ),
    *group(
        Category.THROTTLED,
        (r"\bconnection limit \S+ exceeded\b", "Redshift quotas", "too many connections"),
        (r"\bThrottling(?:Exception)?\b|\bActiveStatementsExceeded\w{0,20}\b", "AWS API", "AWS API throttled"),
        (r"\bSlow ?Down\b|\breduce your request rate\b", "S3 503", "S3 throttled"),
    ),
    *group(
        Category.TIMED_OUT,
        (r"\bmax_(?:query_)?execution_time\b", "Redshift WLM's own limits", "query timeout"),
        (
            r"\bquery .{0,60}\b(?:cancell?ed|aborted|terminated) .{0,40}\b(?:timeout|timed out|time limit|execution time)\b",
            "Redshift WLM, Serverless",
            "query timeout",
        ),
    ),
    *group(
        Category.TRANSIENT,
        (
            r"\bSerializable isolation violation\b|^(?:ERROR:? ?)?1023$|'…': '1023'",
            "Redshift 1023",
            "serialization failure",
        ),
        (r"\bconflict with concurrent transaction\b", "dbt-redshift retries it", "concurrent change"),
        (
            r"\b(?:table|relation|schema|view) .{0,80}\b(?:dropped|altered|modified) by concurrent transaction\b",
            "Redshift",
            "concurrent change",
        ),
        (
            r"\bserver socket closed\b|\bconnection time out\b|^\('…', (?:socket\.)?timeout(?:Error)?\(",
            "redshift_connector",
            "connection lost",
        ),
        (
            r"\bcluster .{0,80}\b(?:rebooting|resuming|restart(?:ed|ing)|resizing|maintenance|upgrad\w{1,3}|failover)\b",
            "Redshift",
            "cluster restarting",
        ),
        (
            r"\bunpack_from requires a buffer\b|\bError setting/closing connection\b",
            "dbt-redshift#456",
            "connection lost",
        ),
        (r"\bSpectrum Scan Error: Retries exceeded\b", "Redshift Spectrum 15001", "Spectrum gave up for now"),
        (
            r"\bcommunication error\b.{0,80}\b(?:refused|reset|timed out|unreachable)\b",
            "redshift_connector",
            "no connection",
        ),
    ),
    *group(
        Category.RESOURCES,
        (
            r"\babort(?:ed)? .{0,60}\bquery monitoring rule\b|\bcancell?ed by WLM abort\b|\bquery monitoring rule\b",
            "Redshift WLM",
            "workload rule",
        ),
        (r"^(?:ERROR: )?Disk Full\b|\berror: Disk Full\b|\bHigh disk usage\b", "Redshift 1016", "disk full"),
        (r"\bran out of memory in the S3 query layer\b", "Redshift Spectrum", "out of memory"),
        (
            (
                r"\bexceed(?:ing|s|ed) the (?:schema )?(?:disk space |storage )?quota\b|\busage limit .{0,40}\breached\b"
                r"|\breached .{0,40}\busage limit\b"
            ),
            "Redshift quotas, Serverless",
            "quota used up",
        ),
        (r"\bnumber of tables .{0,60}\bexceed|\btables? limit\b", "Redshift quotas", "too many tables"),
    ),
    *group(
        Category.RESOURCES,
        (r"\bcluster .{0,80}\b(?:is )?paused\b", "Redshift: until somebody resumes it", "cluster paused"),
    ),
    *group(
        Category.UNKNOWN,
        (r"\bcancell?ed on user.s request\b", "Redshift, also sent for limits", "cancelled by someone"),
        (r"\bsystem requested abort\b|\baborted by (?:the )?system\b", "Redshift WLM", "cancelled by the system"),
        (r"^schema \S+ does not exist\b", "dbt-redshift retries it: concurrent create", "schema not there (yet)"),
    ),
    *group(
        Category.CODE,
        (
            (
                r"\b(?:Invalid|Missing) (?:digit|sign|exponent|newline|(?:date|time(?:stamp)?) format|data for not-null)\b"
                r"|\b(?:Delimiter not found|Extra column\(s\) found)\b"
            ),
            "Redshift load errors 1202-1231",
            "value does not fit its type",
        ),
        (
            r"\bLoad into table .{0,80}\bfailed\b|\bstl_load_errors\b|\bsys_load_error_detail\b",
            "Redshift COPY",
            "bad rows",
        ),
        (
            r"\bStringToNumeric|\bNumeric data overflow\b|\bOverflow \(\w|\bNumeric overflow\b|\bvalue out of range\b",
            "Redshift 1058, 8001",
            "value out of range",
        ),
        (
            r"\bvalue too long for character type\b|\b(?:char|string) (?:length|contains).{0,20}\bDDL length\b|\bexceeds DDL length\b",
            "Redshift 1204, 8001",
            "value too long",
        ),
        (r"\bexceeds LISTAGG limit\b|\bResult size exceeds\b", "Redshift 8001", "value too long"),
        (
            r"\bcannot run inside a transaction block\b|\bcannot be executed from a function\b",
            "PostgreSQL 25001",
            "DDL",
        ),
        (r"\bSpecified types or functions\b|\bcorrelated subquery pattern\b", "Redshift 0A000", "not supported"),
        (r"\bmultiple matches to update the same tuple\b", "Redshift MERGE", "cardinality"),
        (
            r"\bincompatible Parquet schema\b|\bSpectrum Scan Error: (?:Invalid|Unsupported|Bad|Column)",
            "Redshift Spectrum 15001",
            "file does not fit the table",
        ),
        (
            r"\bS3 (?:prefix|object|bucket)\b.{0,200}\bdoes not exist\b|\bNoSuch(?:Key|Bucket)\b|\bClusterNotFound\b",
            "Redshift COPY, AWS API",
            "unknown S3 object or cluster",
        ),
        (
            (
                r"\bcross-database reference\b|\bServer refuses SSL\b|\bfield\(s\) are required for\b"
                r"|\bmust be provided for (?:provisioned|serverless)\b|\bneeded if providing explicit credentials\b"
            ),
            "PostgreSQL 0A000, redshift_connector, dbt-redshift",
            "wrong profile",
        ),
        (
            r"\b(?:Relation name|materialized view name) .{0,80}\b(?:is longer|more) than\b",
            "dbt-redshift",
            "name too long",
        ),
    ),
)
