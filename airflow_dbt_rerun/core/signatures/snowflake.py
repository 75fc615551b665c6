"""Snowflake: ``NNNNNN (SQLSTATE): text``. 250001 is any failed login, so code and text count together.

Sources: Snowflake's error messages and the codes of snowflake-connector-python; dbt issues where named.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

TABLE = (
    *group(
        Category.ACCESS,
        (r"\bIncorrect username or password was specified\b", "Snowflake 390100", "wrong password"),
        (r"\bSpecified password has expired\b", "Snowflake 390106", "password expired"),
        (r"\bRole \S+ specified in the connect string\b", "Snowflake 390189, 390186", "role not granted"),
        (r"\bUser (?:account has been )?(?:temporarily )?locked\b", "Snowflake 390102", "user locked"),
        (r"\bUser access disabled\b|\bUser.s login is disabled\b", "Snowflake 390101", "user disabled"),
        (r"\bis not allowed to access Snowflake\b", "Snowflake 390420, 390422", "network policy"),
        (
            r"\bMulti-factor authentication is required\b|\bFailed to authenticate\b",
            "Snowflake MFA",
            "login refused",
        ),
        (r"\bInvalid OAuth access token\b|\b25100[456]\b", "Snowflake 390303, connector", "login refused"),
        (
            r"\bInsufficient privileges\b|\bSQL access control error\b",
            "Snowflake 003001",
            "insufficient privileges",
        ),
        (r"\bcurrent role has no privileges on it\b", "Snowflake 003041", "insufficient privileges"),
        (r"\bNo active warehouse selected\b", "Snowflake 000606", "no warehouse to use"),
        (r"\b39430[0-9]\b.{0,40}\bJWT\b|\bPublic key fingerprint\b", "Snowflake JWT errors", "wrong key"),
        (
            r"\bFailed to connect to DB\b.{0,200}\b(?:403|404)\b",
            "Snowflake 290403, 290404",
            "wrong account or policy",
        ),
        (r"\b29040[34]\b", "Snowflake 290403, 290404", "wrong account or policy"),
    ),
    *group(
        Category.RESOURCES,
        (r"\bresource monitor\b.{0,120}\bexceeded\b", "Snowflake 090073", "resource monitor"),
        (
            r"\bQuery (?:execution )?exceeded .{0,40}memory\b|\bFunction available memory exhausted\b",
            "Snowflake 100352",
            "out of memory",
        ),
    ),
    *group(
        Category.THROTTLED,
        (r"\b290429\b", "Snowflake 290000 + HTTP status", "HTTP 429"),
        (r"\bqueued? .{0,60}\btimeout\b|\bSTATEMENT_QUEUED_TIMEOUT\b", "Snowflake parameter", "queued too long"),
    ),
    *group(
        Category.TIMED_OUT,
        (r"\bcancell?ed due to statement timeout\b", "Snowflake", "statement timeout"),
        (r"\breached its statement or warehouse timeout\b", "Snowflake 000630", "statement timeout"),
        (r"\b000630 \(57014\)", "Snowflake 000630", "statement timeout"),
    ),
    *group(
        Category.TRANSIENT,
        (r"\b(?:Authentication|Session|Master) token has expired\b", "Snowflake 390114, 390112", "session expired"),
        (r"\bSession no longer exists\b", "Snowflake 390111", "session expired"),
        (r"\bhas locked table\b|\bwaiters for this lock\b", "Snowflake 000625", "table locked"),
        (r"\bLOCK_TIMEOUT\b|\bDeadlock\b.{0,60}\btransaction\b", "Snowflake 000637", "table locked"),
        (r"\bProcessing aborted due to error \d+", "Snowflake 300010", "Snowflake incident"),
        (
            r"\b(?:Your )?session has expired\b|\bCould not connect to Snowflake backend\b",
            "Snowflake 390112, connector",
            "session",
        ),
        (r"\bincident \d{5,}|\bSQL execution internal error\b", "Snowflake 000603", "Snowflake incident"),
        (r"\b290(?:500|502|503|504|408)\b", "Snowflake 290000 + HTTP status", "HTTP 5xx"),
        (r"\bwarehouse \S+ was (?:suspended|dropped|resized)\b", "Snowflake", "warehouse suspended"),
        (
            r"\b25000[23]\b.{0,80}\bFailed to (?:get|execute)\b",
            "snowflake-connector-python 250003",
            "request failed",
        ),
        (r"\bFailed to get the response\. Hanging\?", "snowflake-connector-python", "no answer"),
    ),
    *group(
        Category.UNKNOWN,
        (
            r"\bJWT token is invalid\b",
            "Snowflake 390144: long queue (dbt-core#2482) or wrong key",
            "JWT not accepted",
        ),
        (r"\bSQL execution cancell?ed\b", "Snowflake 000604, which does not say by whom", "cancelled by someone"),
    ),
    *group(
        Category.CODE,
        (r"\bSQL compilation error\b", "Snowflake 001003, 002003, 000904...", "wrong SQL or unknown object"),
        (r"\b\d{6} \((?:42|22|23|21|02)\w{3}\)", "Snowflake, SQLSTATE classes", "wrong SQL or data"),
        (r"\bNumeric value \S+ is not recognized\b", "Snowflake 100038", "value does not fit its type"),
        (
            r"\b(?:Date|Time|Timestamp|Boolean value) \S+ is not recognized\b",
            "Snowflake 100035",
            "value does not fit its type",
        ),
        (r"\bDuplicate row detected during DML action\b", "Snowflake 100090", "merge met duplicates"),
        (r"\b100(?:132|357|335) \(P0000\)", "Snowflake script and UDF errors", "script failed"),
        (r"\bFailed to cast variant value\b", "Snowflake 100071", "value does not fit its type"),
    ),
)
