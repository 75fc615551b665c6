"""Errors that every warehouse, driver, proxy and git server can send. Tried last.

The order tells readings apart: a refused login inside "failed to connect" is access, a rate limit sent as 403 is
throttled, a certificate that is not trusted does not heal although "max retries exceeded" stands around it.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

_STATUS = (
    r"\b(?:HTTP(?:/\d(?:\.\d)?)?|status|response|error|returned error|code|errno)[ :=(]{1,3}(?:code[ :=]{1,2})?"
)
"""Words that make a three-digit number an HTTP status."""

_KNOWN_HOST = r"(?:github\.com|gitlab\.com|bitbucket\.org|hub\.getdbt\.com|googleapis\.com|amazonaws\.com)"

THROTTLED = group(
    Category.THROTTLED,
    (r"\brate[ -]?limit(?:s|ed|ing)?(?: ?exceeded)?\b", "HTTP 429 and 403 bodies", "rate limit"),
    (r"\btoo many requests\b|\bthrottl(?:ed|ing)\b", "HTTP 429", "rate limit"),
    (_STATUS + r"429\b|\b429 (?:Client Error|Too Many)", "HTTP 429", "HTTP 429"),
    (
        r"\btoo many (?:concurrent |open )?(?:connections|queries|sessions)\b",
        "MySQL 1040 and others",
        "too many at once",
    ),
)

ACCESS = group(
    Category.ACCESS,
    (r"\bcertificate verify failed\b|\bCERTIFICATE_VERIFY_FAILED\b", "OpenSSL", "certificate not trusted"),
    (r"\bself.signed certificate\b|\bcertificate has expired\b", "OpenSSL", "certificate not trusted"),
    (r"\bPermission denied \(publickey|\bHost key verification failed\b", "git over ssh", "git access"),
    (r"\bAuthentication failed for\b|\bcould not read Username\b", "git over https", "git access"),
    (
        r"^(?:remote: |ERROR: |fatal: )?Repository .{0,200}\bnot found\b",
        "git hosts hide private ones",
        "git access",
    ),
    (
        r"\b(?:incorrect|invalid|wrong|bad) (?:user(?:name)?|password|login|credentials?)\b",
        "drivers",
        "wrong credentials",
    ),
    (r"\b(?:authentication|login|logon) (?:has )?failed\b|\bnot authenticated\b", "drivers", "login failed"),
    (r"\b(?:invalid|expired|revoked) (?:access |refresh |auth )?token\b", "drivers", "token refused"),
    (r"\btoken (?:is |has )?(?:been )?(?:invalid|expired|revoked)\b", "drivers", "token refused"),
    (_STATUS + r"40[13]\b|\b40[13] (?:Client Error|Unauthorized|Forbidden)\b", "HTTP 401, 403", "HTTP 401 or 403"),
    (
        r"\b(?:access|permission)s? (?:is |was )?denied\b|\binsufficient (?:privilege|permission)",
        "drivers",
        "access denied",
    ),
    (r"\bnot authorized\b|\bunauthorized\b|\bforbidden\b", "drivers", "not authorized"),
    (r"SQLSTATE.{0,3}(?:42501|28\w{3})\b", "SQL standard class 28", "not authorized"),
)

RESOURCES = group(
    Category.RESOURCES,
    (
        r"\bNo space left on device\b|\bdisk (?:is )?full\b|\bDisk quota exceeded\b",
        "POSIX ENOSPC, EDQUOT",
        "disk full",
    ),
    (r"\bout of memory\b|\bMemoryError\b|\bCannot allocate memory\b", "POSIX ENOMEM", "out of memory"),
    (r"\bmemory limit (?:was )?exceeded\b|\bOOM ?Killed\b", "Kubernetes and others", "out of memory"),
    (r"\bkilled: signal 9\b|\bsignal: killed\b", "killed by the kernel", "out of memory"),
    (r"\bexit(?:ed)? (?:with )?(?:code|status) 137\b", "killed by the kernel", "out of memory"),
)

CONTENTION = group(
    Category.TRANSIENT,
    (
        r"\bdeadlock (?:detected|found|victim)\b|\bwas deadlocked\b|\bORA-00060\b",
        "MySQL 1213 and others",
        "deadlock",
    ),
    (r"\bcould not serialize access\b|\bserialization failure\b", "SQLSTATE 40001", "serialization failure"),
    (r"\block wait timeout exceeded\b|\block timeout\b|\bORA-00054\b", "MySQL 1205 and others", "lock timeout"),
    (r"SQLSTATE.{0,3}40\w{3}\b", "SQL standard class 40", "transaction rolled back"),
)

TIMED_OUT = group(
    Category.TIMED_OUT,
    (
        r"\b(?:statement|query|job|task|session) (?:execution )?(?:has )?(?:timed out|timeout)\b",
        "drivers",
        "query timeout",
    ),
    (r"\b(?:maximum|max) (?:statement |query )?execution time exceeded\b", "MySQL 3024", "query timeout"),
    (
        r"\b(?:query|statement|execution|job) .{0,40}\bexceeded .{0,40}\b(?:timeout|time limit|run time)\b",
        "drivers",
        "query timeout",
    ),
)

NETWORK = group(
    Category.TRANSIENT,
    (
        r"\bconnection (?:was |has been )?(?:forcibly )?reset\b|\bECONNRESET\b",
        "POSIX ECONNRESET",
        "connection reset",
    ),
    (r"\bConnectionResetError\b", "Python", "connection reset"),
    (r"\bconnection (?:was )?refused\b|\bECONNREFUSED\b", "POSIX ECONNREFUSED", "connection refused"),
    (r"\bactively refused it\b|\bConnectionRefusedError\b", "Windows 10061", "connection refused"),
    (r"\bbroken ?pipe\b|\bEPIPE\b", "POSIX EPIPE", "connection lost"),
    (
        r"\bconnection (?:was )?(?:aborted|broken|terminated|dropped)\b",
        "urllib3, POSIX ECONNABORTED",
        "connection lost",
    ),
    (
        r"\bconnection (?:is |was |has been |already |not |unexpectedly )*(?:closed|lost)\b|\bconnection to .{0,60} (?:was|is) (?:lost|closed)\b",
        "drivers",
        "connection lost",
    ),
    (
        r"\b(?:remote|peer|host|server|socket|client) .{0,30}\bclosed (?:the |its )?connection\b",
        "http.client",
        "connection lost",
    ),
    (
        r"\bclosed by (?:the )?(?:remote host|peer|server)\b|\bsocket (?:is |was )?closed\b",
        "drivers",
        "connection lost",
    ),
    (
        r"\blost connection to\b|\bserver has gone away\b|\bserver disconnected\b",
        "MySQL 2013, 2006",
        "connection lost",
    ),
    (
        r"\bsoftware caused connection abort\b|\bdecryption failed or bad record mac\b",
        "POSIX, OpenSSL",
        "connection lost",
    ),
    (r"\bcursor already closed\b", "psycopg2 after a lost connection", "connection lost"),
    (r"\bSSL SYSCALL error\b|\bSSL connection has been closed\b", "libpq", "connection lost"),
    (
        r"\bEOF occurred in violation of protocol\b|\bunexpected EOF\b|\bearly EOF\b",
        "OpenSSL, Go, git",
        "connection lost",
    ),
    (r"\bIncompleteRead\b|\bhung up unexpectedly\b|\bRPC failed; curl\b", "http.client, git", "connection lost"),
    (r"\bORA-(?:03113|03114|12537|12541|12170)\b", "Oracle", "connection lost"),
    (
        r"\b(?:connection|connect|handshake|socket|read|network) (?:has )?(?:timed out|timeout)\b",
        "POSIX ETIMEDOUT",
        "no answer",
    ),
    (r"\b(?:Read|Connect|Socket)Timeout(?:Error|Exception)?\b", "requests, urllib3, Java", "no answer"),
    (
        r"\b(?:operation|request) timed out\b|\bETIMEDOUT\b|\btimeout was reached\b",
        "POSIX ETIMEDOUT, curl 28",
        "no answer",
    ),
    (r"\btimeout expired\b|\bi/o timeout\b|\bcontext deadline exceeded\b", "libpq, Go", "no answer"),
    (
        r"\bno route to host\b|\bnetwork is (?:unreachable|down)\b|\bhost is down\b",
        "POSIX EHOSTUNREACH",
        "no route",
    ),
    (
        r"\btemporary failure in name resolution\b|\btry again\b.{0,20}\bname resolution",
        "EAI_AGAIN",
        "DNS failed for now",
    ),
    (r"\b(?:could not |failed to )resolve.{0,20}" + _KNOWN_HOST, "EAI_NONAME for a host that exists", "DNS failed"),
    (r"SQLSTATE.{0,3}08\w{3}\b", "SQL standard class 08", "connection lost"),
)

NAMES = group(
    Category.UNKNOWN,
    (
        r"\bName or service not known\b|\bnodename nor servname provided\b",
        "EAI_NONAME: DNS or a wrong host",
        "host not found",
    ),
    (
        r"\bcould not (?:resolve|translate) host\b|\bgetaddrinfo failed\b",
        "EAI_NONAME: DNS or a wrong host",
        "host not found",
    ),
    (r"\bno such host\b|\bUnknownHostException\b", "EAI_NONAME: DNS or a wrong host", "host not found"),
)

UNAVAILABLE = group(
    Category.TRANSIENT,
    (_STATUS + r"5(?:0[0234]|2[0-9])\b|\btoo many 50\d error responses\b", "HTTP 5xx", "HTTP 5xx"),
    (
        r"\b50[0234] (?:Server Error|Internal|Bad|Service|Gateway|GET|POST|Backend|Error|response)\b",
        "HTTP 5xx",
        "HTTP 5xx",
    ),
    (r"\bbad gateway\b|\bgateway time-?out\b|\binternal server error\b", "HTTP 502, 504, 500", "HTTP 5xx"),
    (r"\bservice is not available\b|\bplease retry later\b", "HTTP 503", "HTTP 503"),
    (r"\bservice (?:is )?(?:currently |temporarily )?unavailable\b", "HTTP 503", "HTTP 503"),
    (r"\bupstream (?:connect error|request timeout)\b", "Envoy", "HTTP 503"),
    (
        r"\btemporarily unavailable\b|\bretry the request\b",
        "drivers",
        "temporarily unavailable",
    ),
    (r"\bmax retries exceeded with url\b", "urllib3", "no answer"),
)

CODE = group(
    Category.CODE,
    (r"SQLSTATE.{0,3}(?:42|22|23|21|0A)\w{3}\b", "SQL standard classes 42, 22, 23, 21, 0A", "wrong SQL or data"),
    (r"\bsyntax error\b|\bparse error\b", "any SQL", "syntax error"),
    (
        r"\b(?:table|view|relation|column|schema|function|object|database|dataset)\b.{0,80}\b(?:does not|doesn.t) exist\b",
        "any SQL",
        "unknown object",
    ),
    (
        r"\bno such (?:table|column|function)\b|\bunknown (?:column|table|database|function)\b",
        "SQLite, MySQL",
        "unknown object",
    ),
    (r"\binvalid identifier\b|\bORA-0090[04]\b|\bORA-00942\b", "Oracle", "unknown object"),
    (r"\bdivi(?:sion|de) by zero\b", "any SQL", "division by zero"),
    (r"\bduplicate (?:key|entry)\b|\bconstraint (?:violation|failed)\b", "any SQL", "constraint violated"),
    (r"\bcannot (?:be )?(?:cast|coerced?|converted?)\b|\btype mismatch\b", "any SQL", "wrong type"),
    (r"\b(?:is|are) not supported\b|\bnot implemented\b", "any SQL", "not supported"),
    (r"\balready exists\b", "any SQL", "already exists"),
    (
        r"\bRemote branch .{0,100}\bnot found\b|\bpathspec .{0,100}\bdid not match\b",
        "git",
        "unknown branch or commit",
    ),
    (r"\bcouldn.t find remote ref\b|\breference is not a tree\b", "git", "unknown branch or commit"),
    (
        r"^(?:Name|Type|Key|Attribute|Value|Index|Import|Syntax|Indentation|ModuleNotFound|ZeroDivision)Error\b",
        "Python",
        "Python error",
    ),
)

ASKED = group(
    Category.TRANSIENT,
    (r"\b(?:try|retry) (?:again|later)\b", "drivers", "the server asks to try again"),
)

CANCELLED = group(
    Category.CANCELLED,
    (r"\bcancell?ed by (?:a |the )?user\b", "drivers", "cancelled by a user"),
)

TABLE = (
    *THROTTLED,
    *ACCESS,
    *RESOURCES,
    *CONTENTION,
    *TIMED_OUT,
    *CANCELLED,
    *NETWORK,
    *NAMES,
    *UNAVAILABLE,
    *CODE,
    *ASKED,
)
