"""Snowflake: logins and connections. Part of :mod:`~airflow_dbt_rerun.core.signatures.snowflake`'s table.

250001 and 260008 are codes of any failed login: the server's answer after "Failed to connect to DB" distinguishes the
cases, so refused logins come before network errors.

Sources: the login codes 390nnn and 394nnn (Snowflake docs, snowflake-jdbc); ``errorcode.py``, ``network.py`` and
``auth/`` of snowflake-connector-python 3.18 and 5.2; ``errors.go`` and ``retry.go`` of gosnowflake, which dbt
Fusion speaks through; dbt-snowflake's ``connections.py``; dbt issues where named.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

_CONNECT = r"\bFailed to connect to DB\b.{0,200}"


def code(numbers: str) -> str:
    """Write the pattern of error codes as drivers show them: ``250001: text``, ``250001 (08001): text``."""
    return rf"\b(?:{numbers})(?=:| \()|\bVendor code: (?:{numbers})\b"


BILLING = group(
    Category.RESOURCES,
    (
        (
            r"\bfree trial has ended\b|\bYour (?:Snowflake )?account (?:is|has been) suspended\b"
            r"|\bvirtual warehouses have been suspended\b"
        ),
        "Snowflake 390913 and others, behind 250001",
        "account suspended",
    ),
)

REFUSED = group(
    Category.ACCESS,
    (r"\bIncorrect username or password was specified\b", "Snowflake 390100", "wrong password"),
    (r"\b(?:Specified|Your|IdP\)) password has expired\b", "Snowflake 390106, 390140", "password expired"),
    (r"\bPassword must be changed\b", "Snowflake 390106", "password expired"),
    (r"\bRole \S+ specified in the connect string\b", "Snowflake 390186, 390189", "role not granted"),
    (r"\brole requested in the connection\b", "Snowflake 390317", "role not granted"),
    (r"\bUser (?:account has been )?(?:temporarily )?locked\b", "Snowflake 390102", "user locked"),
    (r"\bUser access disabled\b|\bUser.s login is disabled\b", "Snowflake 390101", "user disabled"),
    (
        r"\bis not allowed to access Snowflake\b|\bNetwork policy is required\b",
        "Snowflake 390420, 390422, 390432",
        "network policy",
    ),
    (
        (
            r"\b(?:Multi-factor|MFA) authentication (?:is required|failed)\b|\benroll(?:ed)? in (?:MFA|multi-factor)\b"
            r"|\bDuo (?:Security|Push)\b|\bEXT_AUTHN_\w+"
        ),
        "Snowflake 390120 to 390129, 390197",
        "second factor",
    ),
    (r"\bFailed to authenticate\b", "Snowflake login", "login refused"),
    (r"\bprogrammatic access token\b", "Snowflake 394400, 394401", "access token refused"),
    (
        r"\b(?:OAuth )?access token\b.{0,40}\b(?:invalid|expired|not valid)\b|\bInvalid OAuth access token\b",
        "Snowflake 390303, 390318",
        "OAuth token refused",
    ),
    (
        r"\buser you were trying to authenticate as differs\b|\bSAML\b.{0,80}\b(?:invalid|error|incorrect|not match)\b",
        "Snowflake 390133, 390191, 390309",
        "single sign-on refused",
    ),
    (
        r"\bspecified authenticator is not (?:accepted|supported)\b",
        "Snowflake 390139, auth/okta.py",
        "authenticator refused",
    ),
    (
        r"\bThe authentication failed for\b|\bFailed to get authentication by OKTA\b",
        "auth/okta.py",
        "Okta",
    ),
    (r"\bauthentication has expired\b|\bPlease reauth\b", "dbt-snowflake connections.py", "login expired"),
    (r"\bDid not (?:get a token|receive valid json with access_token)\b", "dbt-snowflake", "no OAuth token"),
    (r"\b39430[0-9]\b.{0,40}\bJWT\b|\bJWT_TOKEN_INVALID_\w+", "Snowflake 394300 to 394306", "wrong key"),
    (r"\bPublic key fingerprint\b", "Snowflake 394302", "wrong key"),
    (
        (
            r"\bCould not deserialize key data\b|\bFailed to (?:decode|load) private key\b|\bPrivate key type\b"
            r"|\b(?:Could not parse|failed to parse) .{0,30}\bprivate[ -]key\b|\bCould not decode base64 private key\b"
        ),
        "cryptography, auth/keypair.py, driver 5.x",
        "wrong private key",
    ),
    (
        r"\bPassword was (?:not )?given but private key\b|\bBad decrypt\b|\bUnable to load PEM file\b",
        "cryptography",
        "wrong private key",
    ),
    (code("25100[4568]|2510(?:1[3-9]|20)"), "connector: no user or key, OAuth, identity", "credentials missing"),
    (code("26000[12]|260010"), "gosnowflake: no user, password or valid key", "credentials missing"),
    (
        r"\bWorkload identity\b.{0,80}\b(?:fail|not found|No \w+ credentials)",
        "Snowflake 394500, wif_util.py",
        "no identity",
    ),
    (r"\bNo (?:AWS|GCP|Azure) credentials were found\b", "wif_util.py", "no identity"),
    (_CONNECT + r"\b403\b|\bfailed to auth\b.{0,60}\bHTTP: 40[13]\b", "HTTP 403 at login", "login refused"),
)

WRONG_PROFILE = group(
    Category.CODE,
    (
        _CONNECT
        + r"\b404\b|\b290404\b|\bfailed to auth\b.{0,60}\bHTTP: (?:404|513)\b|\bverify account name is correct\b",
        "HTTP 404 at login; gosnowflake 260008; BCR-1669",
        "wrong account name",
    ),
    (
        r"\bThe requested (?:warehouse|database|schema|role) does not exist\b",
        "Snowflake 390201",
        "unknown object in the profile",
    ),
    (
        code("25100[179]|26000[0349]|26001[12]"),
        "connector, gosnowflake: settings",
        "invalid profile",
    ),
    (r"\bCannot specify both\b", "dbt-snowflake connections.py", "invalid profile"),
    (r"\bInvalid profile:|\bworkload_identity_provider must be\b", "dbt-snowflake", "invalid profile"),
    (r"\bUnknown authenticator\b", "connection.py", "invalid profile"),
    (r"\bTried to run an empty query on model\b", "dbt-snowflake connections.py", "empty SQL"),
)

SESSION = group(
    Category.TRANSIENT,
    (
        r"\b(?:Authentication|Session|Master) token has expired\b|\bMaster token (?:is invalid|not found)\b",
        "Snowflake 390113 to 390115: renewed by connecting again",
        "session expired",
    ),
    (r"\bSession no longer exists\b|\bsession has expired\b", "Snowflake 390111, 390112", "session expired"),
    (code("39010[34]|39011[1-5]"), "Snowflake 390103 to 390115", "session expired"),
    (r"\bfailed to (?:renew|refresh) (?:the )?session\b", "gosnowflake, driver 5.x", "session not renewed"),
    (code("252007|261001"), "connector, gosnowflake", "session not renewed"),
)

UNTRUSTED = group(
    Category.ACCESS,
    (
        r"\bcertificate verify failed\b|\bunable to get (?:local )?issuer certificate\b",
        "OpenSSL, inside 250001",
        "certificate not trusted",
    ),
    (r"\bx509: certificate\b", "Go, inside 260008", "certificate not trusted"),
    (r"\bcertificate has been revoked\b|\bOCSP revoked\b", "OCSP", "certificate revoked"),
)

NO_NAME = group(
    Category.UNKNOWN,
    (
        (
            r"\b(?:Snowflake backend|Failed to connect to DB|snowflakecomputing)\b[\s\S]{0,600}"
            r"\b(?:Name or service not known|nodename nor servname provided)\b"
        ),
        "EAI_NONAME: DNS or a wrong account name",
        "host not found",
    ),
    (
        r"\bJWT token is invalid\b",
        "Snowflake 390144: long queue (dbt-core#2482) or wrong key",
        "JWT not accepted",
    ),
    (
        r"\bcertificate is revoked or could not be validated\b|" + code("25400[569]|25401[01]|26900[234]"),
        "connector, gosnowflake: OCSP answers late, or the certificate is bad",
        "certificate not checked",
    ),
)

NETWORK = group(
    Category.TRANSIENT,
    (code("25101[012]"), "connector: its own retry signals", "login not answered"),
    (r"\bLogin request is retryable\b|\bConnectionTimeout occurred during login\b", "network.py", "no answer"),
    (r"\bno data in the returning response\b", "auth/_auth.py", "empty answer"),
    (
        r"\bCould not connect to Snowflake backend\b|\bFailed to get the response\. Hanging\?|\bretries\b.{0,40}\bHanging\?",
        "connector by_plugin.py, network.py; gosnowflake retry.go",
        "no answer",
    ),
    (
        r"\b25000[23]\b.{0,80}\b(?:Failed to (?:get|execute)|Connection is closed)\b",
        "connector 250002, 250003",
        "request failed",
    ),
    (
        r"\bHit (?:non-)?retryable SSL error\b|" + code("250005"),
        "connector 250005, network.py",
        "request failed",
    ),
    (code("25400[2348]|25401[46]"), "connector: OCSP server does not answer", "OCSP not answered"),
    (
        r"\bfailed to get a chunk of result\b|\b(?:Failed to|could not) (?:fetch|download) .{0,20}\bchunk\b",
        "drivers: result chunks",
        "result not fetched",
    ),
    (code("252010|262000"), "drivers: result chunks", "result not fetched"),
    (r"\bservice is unavailable\. check your connectivity\b", "gosnowflake", "service unavailable"),
    (r"\bfailed to (?:POST|auth|renew|cancel|close)\b.{0,60}\bHTTP: (?:5\d\d|408)\b", "gosnowflake", "HTTP 5xx"),
    (
        r"\bSysCallError: \((?:104|32|110)\b|\bOSError\(.{0,4}\((?:104|32|110),",
        "pyOpenSSL: POSIX 104, 32, 110",
        "connection reset",
    ),
    (r"\bChunkedEncodingError\b", "requests: an answer cut off", "connection lost"),
    (
        r"\bNo information returned from server for query\b",
        "connection.py: status of a query",
        "no status of the query",
    ),
)

LOGIN = (*BILLING, *REFUSED, *WRONG_PROFILE, *SESSION, *UNTRUSTED, *NO_NAME, *NETWORK)

UNKNOWN_REFUSAL = group(
    Category.ACCESS,
    (
        (
            r"\bFailed to connect to DB: \S{3,120}:\d{2,5}[.,] "
            r"(?!.{0,200}\b(?:connection|resets?|tim(?:ed|e) ?out|resolv\w{1,10}|resolution|SSL\w{0,20}|retr(?:y|ies)|unavailable"
            r"|unreachable|internal|HTTP\w{0,20}|incident|5\d\d)\b)[A-Z]"
        ),
        "auth/_auth.py: only a server that refuses the login answers here",
        "login refused",
    ),
)
"""Tried last: Snowflake's own words behind "Failed to connect to DB", when no network words are among them."""
