"""Sockets and DNS: connections lost or never made, in the wordings of Python, Java, Go, Rust, curl and git.

Sources: POSIX ``strerror`` and ``gai_strerror``, the exceptions of http.client, requests, urllib3, aiohttp, httpx and
botocore, ``java.net`` and Apache HttpClient, Go's ``net`` and ``net/http``, hyper, ``libcurl-errors``. Not a table of its
own: the general table places these groups among those of the databases.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

_KNOWN_HOST = (
    r"(?:\b(?:github|gitlab|googleapis|amazonaws|microsoftonline|getdbt)\.com|\bbitbucket\.org"
    r"|\bdev\.azure\.com"
    r"|\bpypi\.org|\bpythonhosted\.org)"
)

LOST = group(
    Category.TRANSIENT,
    (
        r"\bconnection (?:was |has been |is )?(?:forcibly )?reset\b|\bECONNRESET\b|\bConnectionReset\w*",
        "POSIX ECONNRESET",
        "connection reset",
    ),
    (
        r"\bconnection (?:was |is |has been )?(?:forcibly )?refused\b|\bECONNREFUSED\b|\bConnectionRefused\w*",
        "POSIX ECONNREFUSED",
        "connection refused",
    ),
    (
        (
            r"\bactively refused it\b|\bWinError 100(?:5[0-4]"
            r"|6[015])\b"
        ),
        "Windows 10061, 10054",
        "connection refused",
    ),
    (r"\bbroken ?pipe|\bEPIPE\b|\bECONNABORTED\b|\bENOTCONN\b|\bESHUTDOWN\b", "POSIX EPIPE", "connection lost"),
    (
        (
            r"\bconnection (?:(?:was|is|has been|got|unexpectedly) ){0,4}(?:aborted|broken|terminated|dropped"
            r"|interrupted|severed)\b"
        ),
        "urllib3, POSIX ECONNABORTED",
        "connection lost",
    ),
    (
        (
            r"\bconnection (?:(?:is|was|has been|been|already|not|unexpectedly|forcibly"
            r"|gracefully) ){0,4}(?:closed|lost)\b"
            r"|\bconnection to .{0,60} (?:was|is|has been) (?:lost|closed)\b"
        ),
        "drivers",
        "connection lost",
    ),
    (
        (
            r"\b(?:remote|peer|host|server|socket|client|end|sent GOAWAY and) .{0,30}\b(?:clos(?:ed|es"
            r"|ing) (?:the |its |idle )?"
            r"connection|closed connection|terminated the handshake|disconnected|hung up)\b"
        ),
        "http.client, Java, Go, git",
        "connection lost",
    ),
    (
        (
            r"\bclosed by (?:the )?(?:remote host|remote end|peer|server|foreign host)\b|\bsocket (?:is |was "
            r"|hang )?(?:closed|up)\b"
        ),
        "drivers",
        "connection lost",
    ),
    (
        (
            r"\b(?:lost|losing) (?:the )?connection\b|\bserver has gone away\b"
            r"|\bnot connected to (?:the )?server\b"
        ),
        "MySQL 2013, 2006",
        "connection lost",
    ),
    (
        r"\bsoftware caused connection abort\b|\bbad record mac\b|\bnetwork connection was aborted\b",
        "POSIX, OpenSSL",
        "connection lost",
    ),
    (
        r"\bcursor already closed\b|\bconnection already closed\b",
        "psycopg2 after a lost connection",
        "connection lost",
    ),
    (
        (
            r"\bSSL SYSCALL error\b|\bSSL connection has been closed\b|\bSSL_ERROR_(?:SYSCALL|ZERO_RETURN)\b"
            r"|\bSysCallError\b"
        ),
        "libpq, OpenSSL",
        "connection lost",
    ),
    (r"\bGnuTLS recv error\b|\bTLS connection was non-properly terminated\b", "GnuTLS", "connection lost"),
    (
        (
            r"\bEOF occurred in violation of protocol\b|\bunexpected (?:EOF|end of (?:stream|file) (?:from"
            r"|while read))|\bearly EOF\b"
            r"|\bUNEXPECTED_EOF\w*"
        ),
        "OpenSSL, Go, git",
        "connection lost",
    ),
    (
        (
            r"\bIncomplete(?:Read|Message)\w*|\bhung up unexpectedly\b|\bRPC failed; (?:curl|HTTP|result)"
            r"|\bunexpected disconnect\b"
        ),
        "http.client, hyper, git",
        "connection lost",
    ),
    (
        (
            r"\b(?:ChunkedEncoding|Protocol|RemoteProtocol|ServerDisconnected|ServerConnection|ClientOS"
            r"|ClientPayload"
            r"|ConnectionClosed|ResponseStreaming|ConnectionAborted|ConnectionLost)Error\b"
            r"|\bRemoteDisconnected\b|\bBadStatusLine\b"
        ),
        "requests, urllib3, aiohttp, httpx, botocore",
        "connection lost",
    ),
    (
        (
            r"\bNoHttpResponseException\b|\bfailed to respond$|\bTruncatedChunk\w*"
            r"|\bConnectionClosedException\b"
            r"|\bpremature (?:end|EOF|close)\b|\bSocketException\b"
        ),
        "Java, Apache HttpClient",
        "connection lost",
    ),
    (
        (
            r"\bhttp2: (?:server|client|Transport)|\bstream (?:error|was reset|ID \d+)"
            r"|\buse of closed network connection\b"
            r"|\bbad connection\b|\btransport is closing\b|\bGOAWAY\b|: EOF$"
        ),
        "Go",
        "connection lost",
    ),
    (
        (
            r"\bempty reply from server\b|\brecv failure\b|\bsend failure\b|\bnot closed cleanly\b"
            r"|\btransfer closed with\b|\bcurl (?:7|16|18|28|35|52|55|56|92)\b"
        ),
        "curl",
        "connection lost",
    ),
    (
        (
            r"\bcompressed file ended before\b"
            r"|\bnot a gzip(?:ped)? file\b"
        ),
        "Python, a cut download",
        "connection lost",
    ),
)

SETTING = group(
    Category.CODE,
    (
        (
            r"\b(?:invalid|illegal|unknown|unrecogni[sz]ed|unsupported|negative|(?:failed to|could not"
            r"|cannot|unable to) parse)\b[^:\n]{0,60}"
            r"(?:\b|_)time-?out\b|\b\w{0,40}time-?out\b[^:\n]{0,20} (?:must|is not (?:a|supported|valid)"
            r"|cannot|should) "
        ),
        "any driver",
        "wrong timeout setting",
    ),
)

NO_ANSWER = group(
    Category.TRANSIENT,
    (
        (
            r"\b(?:connection|connect|connecting|handshake|socket|read|write|network|resolving"
            r"|recv) (?:attempt )?"
            r"(?:has |was )?(?:timed[ -]?out|time-?out)\b"
        ),
        "POSIX ETIMEDOUT",
        "no answer",
    ),
    (
        r"\b(?:Read|Write|Connect|Connection|Socket|Pool|Server|Login)Timed?-?[Oo]ut(?:Error|Exception)?\b",
        "requests, urllib3, httpx, Java",
        "no answer",
    ),
    (
        (
            r"\b(?:operation|request) (?:has )?timed out\b|\bETIMEDOUT\b|\btimeout was reached\b"
            r"|\boperation too slow\b"
        ),
        "POSIX ETIMEDOUT, curl 28",
        "no answer",
    ),
    (
        (
            r"\b(?:login|connection|connect) time-?out expired\b|\btimeout (?:expired$|awaiting response)"
            r"|\bi/o timeout\b"
            r"|\bClient\.Timeout exceeded\b|\bcontext deadline exceeded\b|^(?:timeout|timed out)$"
        ),
        "libpq, ODBC, Go",
        "no answer",
    ),
    (
        (
            r"\btimeout waiting for connection from pool\b"
            r"|\bConnectionPoolTimeout\w*"
        ),
        "Apache HttpClient",
        "no answer",
    ),
    (
        (
            r"\bno route to host\b|\bnetwork is (?:unreachable|down)\b|\bhost is (?:down|unreachable)\b"
            r"|\bNoRouteToHost\w*"
            r"|\bEHOSTUNREACH\b|\bENETUNREACH\b|\bcannot assign requested address\b"
        ),
        "POSIX EHOSTUNREACH",
        "no route",
    ),
    (
        (
            r"\btemporary failure in name resolution\b|\btry again\b.{0,20}\bname resolution"
            r"|\bserver misbehaving\b|\bEAI_AGAIN\b"
            r"|\bresolving timed out\b"
        ),
        "EAI_AGAIN, Go",
        "DNS failed for now",
    ),
    (
        r"\b(?:could not |failed to |cannot |can.t |couldn.t )resolve.{0,20}" + _KNOWN_HOST,
        "EAI_NONAME for a host that exists",
        "DNS failed",
    ),
    (
        r"\bhost=.{0,40}"
        + _KNOWN_HOST
        + r".{0,400}\b(?:name or service not known|nodename nor servname|getaddrinfo)",
        "EAI_NONAME for a host that exists",
        "DNS failed",
    ),
)

NAMES = group(
    Category.UNKNOWN,
    (
        (
            r"\bname or service not known\b|\bnodename nor servname\b"
            r"|\bno address associated with (?:host)?name\b"
            r"|\bname does not resolve\b|\bno address found\b"
        ),
        "EAI_NONAME, EAI_NODATA: DNS or a wrong host",
        "host not found",
    ),
    (
        (
            r"\b(?:could not|cannot|can.t|couldn.t|unable to|failed to|failure to) (?:resolve|translate"
            r"|lookup|look up) (?:the )?"
            r"(?:remote )?(?:host|proxy|server|address|name|.…|['\"]?[\w-]{1,63}\.[\w-])|\bgetaddrinfo\b"
            r"|\bdns error\b|\bname resolution (?:failed|error)\b"
        ),
        "EAI_NONAME: DNS or a wrong host",
        "host not found",
    ),
    (
        r"\bno such host\b|\bUnknownHost\w*|\bunknown host\b|\bNameResolutionError\b",
        "DNS or a wrong host",
        "host not found",
    ),
)
