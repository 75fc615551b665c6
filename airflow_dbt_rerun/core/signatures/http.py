"""Errors of HTTP servers, gRPC, proxies and TLS: too many requests, refused, not trusted, not available.

Sources: RFC 9110, gRPC's status codes, OpenSSL's verify and alert texts, ``libcurl-errors``, the exceptions of requests,
urllib3, aiohttp, botocore and google-api-core, Java's and Go's TLS, rustls, nginx, HAProxy, Envoy, Cloudflare. Not a table
of its own: the general table places these groups among those of the databases.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

STATUS = (
    r"\b(?:HTTP(?:/\d(?:\.\d)?)?|status|response|returned error|error|code|errno)"
    r"(?:_?code)?[ :=(\[]{1,3}(?:code[ :=]{1,2})?"
)
"""Words that make a three-digit number an HTTP status."""

_GRPC = r"\b(?:StatusCode\.|status ?= ?(?:StatusCode\.)?|code ?= ?(?:StatusCode\.)?|grpc_status:)"
"""Words that make a name a gRPC status."""

CERTIFICATE = group(
    Category.ACCESS,
    (r"\bcertificate[_ ]verify[_ ]failed\b|\bSSLCertVerificationError\b", "OpenSSL", "certificate not trusted"),
    (
        (
            r"\bself.signed certificate\b|\bcertificate (?:has expired|is expired|expired|revoked"
            r"|is not (?:yet )?valid)\b"
        ),
        "OpenSSL",
        "certificate not trusted",
    ),
    (
        (
            r"\bunable to (?:get (?:local )?issuer|verify the first) certificate\b"
            r"|\bcertificate verification failed\b"
        ),
        "OpenSSL, GnuTLS",
        "certificate not trusted",
    ),
    (
        (
            r"\bSSL certificate problem\b|\bpeer certificate (?:cannot be authenticated"
            r"|or SSH remote key was not OK)\b"
        ),
        "curl 60",
        "certificate not trusted",
    ),
    (
        (
            r"\bx509: |\btls: failed to verify\b"
            r"|\binvalid peer certificate\b"
        ),
        "Go, rustls",
        "certificate not trusted",
    ),
    (
        (
            r"\bPKIX path\b|\bvalid certification path\b|\bSSLPeerUnverified\w*|\bCertificateException\b"
            r"|\bCertPath\w+Exception"
        ),
        "Java",
        "certificate not trusted",
    ),
    (
        (
            r"\bhostname mismatch\b|\bdoesn.t match (?:either|certificate)|\bnot match target host name\b"
            r"|\bunknown ca\b"
        ),
        "OpenSSL, urllib3, curl 51",
        "certificate not trusted",
    ),
    (
        r"\bcertificate chain was issued by an authority\b|\bcertificate_unknown\b|\bCertificateError\b",
        "Windows, Java, Python",
        "certificate not trusted",
    ),
    (
        r"\balert (?:bad certificate|certificate required|access denied)\b|\bbad_certificate\b",
        "TLS alerts",
        "client certificate refused",
    ),
)

TOO_LARGE = group(
    Category.RESOURCES,
    (r"\bReceived message larger than max\b", "gRPC 8: a limit of the size", "message too large"),
)

THROTTLED = group(
    Category.THROTTLED,
    (
        r"\brate[ -]?limit(?:s|ed|ing)?(?: ?exceeded)?\b|\brate_limit(?:ed|_exceeded|_error|_reached)\b",
        "HTTP 429 and 403 bodies",
        "rate limit",
    ),
    (
        (
            r"\btoo[ _]?many[ _]?requests(?:\b|_|Exception)|\b(?:request )?throttl(?:ed|ing)\b|\bthrottl(?:ed"
            r"|ing)Exception"
        ),
        "HTTP 429, AWS",
        "rate limit",
    ),
    (STATUS + r"429\b|\b429 (?:Client Error|Too Many|Resource)|\btoo many 429\b", "HTTP 429", "HTTP 429"),
    (
        (
            r"\b(?:Request(?:Limit|Rate)(?:Exceeded|TooLarge)|(?:Bandwidth)?LimitExceeded(?:Exception)?"
            r"|SlowDown)\b"
        ),
        "AWS, botocore's retry list",
        "rate limit",
    ),
    (r"\bProvisionedThroughputExceeded\w*|\brequest rate is too (?:high|large)\b", "AWS, Azure", "rate limit"),
    (
        r"\bRate ?exceeded\b|\breduce your request rate\b|\bserver is busy\b|\bServerBusy\b|\bslow down\b",
        "AWS, Azure",
        "rate limit",
    ),
    (r"\bbeing rate limited\b|\berror code: 1015\b", "Cloudflare 1015", "rate limit"),
    (r"\brequest was blocked due to exceeding usage\b", "Azure DevOps TF400733", "rate limit"),
)

REFUSED = group(
    Category.ACCESS,
    (
        STATUS + r"(?:40[137]|511|451)\b|\b(?:40[137]|451) (?:Client Error|Unauthorized|Forbidden|Proxy"
        r"|Unavailable)\b",
        "HTTP 401, 403, 407, 451",
        "HTTP 401 or 403",
    ),
    (
        r"\bproxy authentication required\b|\b(?:proxy|tunnel|CONNECT)\b.{0,80}\b40[37]\b",
        "HTTP 407, proxies",
        "proxy refuses",
    ),
    (_GRPC + r"(?:PERMISSION_?DENIED|UNAUTHENTICATED)\b", "gRPC 7, 16", "permission denied"),
    (r"\berror code: 10(?:0[69]|1[02]|20)\b", "Cloudflare 1006 to 1020", "access denied"),
    (
        (
            r"\b(?:IP|client|source) (?:address )?\S{0,60} ?(?:is |was )?(?:not (?:allowed|permitted"
            r"|whitelisted)|blocked)\b"
        ),
        "firewalls",
        "IP not allowed",
    ),
    (
        r"\bIP access (?:list|control)|\bIP ACL\b|\bnot (?:in|on) the (?:IP )?allow.?list\b",
        "firewalls",
        "IP not allowed",
    ),
)

UNAVAILABLE = group(
    Category.TRANSIENT,
    (
        STATUS + r"(?:408|425|5(?:0[0234]|2[0-57]|30|98|99))\b|\btoo many 50\d error responses\b",
        "HTTP 5xx",
        "HTTP 5xx",
    ),
    (
        (
            r"\b50[0234] (?:Server Error|Internal|Bad|Service|Gateway|GET|POST|PUT|Backend|Error|response"
            r"|Deadline|Socket|Connection"
            r"|failed to|Stream|upstream|Received|recvmsg|The service|The server|An internal|Request|Temporar)"
        ),
        "HTTP 5xx, google-api-core",
        "HTTP 5xx",
    ),
    (
        (
            r"\bbad[ _]?gateway\b|\bgateway[ _]time-?out\b|\bGatewayTimeout\b|\binternal ?server ?(?:error"
            r"|exception)\b"
        ),
        "HTTP 502, 504, 500",
        "HTTP 5xx",
    ),
    (
        (
            r"\bservice (?:is )?(?:currently |temporarily |not )?(?:un)?available\b|\bServiceUnavailable\w*"
            r"|\bplease retry later\b"
        ),
        "HTTP 503",
        "HTTP 503",
    ),
    (
        (
            r"\bupstream (?:connect error|request timeout|prematurely)|\bno healthy upstream\b"
            r"|\bupstream_reset\w*"
            r"|\bno server is available\b"
        ),
        "Envoy, nginx, HAProxy",
        "HTTP 503",
    ),
    (
        (
            r"\b(?:code|status)\b.{0,60}\b(?:was|got|received|returned"
            r"|but) 5\d\d\b"
        ),
        "Trino, HTTP clients",
        "HTTP 5xx",
    ),
    (_GRPC + r"(?:UNAVAILABLE|ABORTED|DEADLINE_?EXCEEDED|DATA_?LOSS)\b", "gRPC 14, 10, 4, 15", "gRPC unavailable"),
    (r"\btemporarily unavailable\b|\bretry the request\b|\bEAGAIN\b", "drivers", "temporarily unavailable"),
    (r"\bmax retries exceeded with url\b|\bfailed to establish a new connection\b", "urllib3", "no answer"),
    (
        (
            r"\b(?:Endpoint|Client|HTTPClient|Proxy|Client(?:Proxy|Connector)|New)Connect(?:ion|or)?Error\b"
            r"|\bConnectException\b"
            r"|\bcannot connect to host\b|\bunable to connect to proxy\b"
        ),
        "botocore, aiohttp, urllib3, Java",
        "no connection",
    ),
)

WRONG = (
    *group(
        Category.CODE,
        (r"\b(?:40[04569]|41[0345]|422) Client Error\b", "HTTP 4xx, requests", "wrong address"),
        (STATUS + r"(?:400|404|405|406|410|411|413|414|415|422|501)\b", "HTTP 4xx", "wrong request"),
        (
            _GRPC + r"(?:INVALID_?ARGUMENT|NOT_?FOUND|ALREADY_?EXISTS|OUT_?OF_?RANGE|UNIMPLEMENTED"
            r"|FAILED_?PRECONDITION)\b",
            "gRPC 3, 5, 6, 11, 12, 9",
            "wrong request",
        ),
    ),
    *group(
        Category.ACCESS,
        (
            r"\bSQLSTATE: 08004\b|\[08004\]|\(08004\)",
            "SQLSTATE 08004: the server refuses the connection",
            "login refused",
        ),
    ),
)
