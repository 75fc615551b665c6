"""Codes of databases and drivers that have no table of their own: SQLSTATE, ODBC, MySQL, Oracle, Db2, SQLite and more.

Sources: the SQL standard's and PostgreSQL's SQLSTATE classes, Appendix A of the ODBC reference, the error references of
MySQL 8 and MariaDB, Oracle, Db2, Teradata and SAP HANA, SQLite's result codes, AWS' common errors.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

_STATE = r"(?:\bSQL ?STATE[ :=(\[]{0,4}|^\(?'?\[|\b\d{4} \()"
"""Words that make five characters an SQLSTATE: ``SQLSTATE: 40001``, ``[40001]`` of ODBC, ``1213 (40001)`` of MySQL."""
_AWS = r"\bAn error occurred \("
"""botocore's ClientError."""


def _mysql(numbers: str) -> str:
    """MySQL's drivers raise a pair ``(1054, "...")`` or write ``1054 (42S22): ...``."""
    return rf"(?:^|: )(?:\((?:{numbers}), ['\"]|(?:ERROR )?(?:{numbers}) \([0-9A-Z]{{5}}\)[: ])"


ACCESS = group(
    Category.ACCESS,
    (_STATE + r"(?:42501|28\w{3}|0P\w{3}|0L\w{3})\b", "SQLSTATE 42501, 28", "not authorized"),
    (_mysql("1044|1045|1142|1143|1227|1370|1396|1410|1698|1820|1862|3118|3159"), "MySQL", "not authorized"),
    (
        r"\bORA-(?:01031|01017|01045|28000|28001|28009|01005|01950|28365|12631|00604.{0,80}ORA-01031)\b",
        "Oracle",
        "not authorized",
    ),
    (r"\bSQL(?:30082|0551|0552|0553|1092)N\b", "Db2", "not authorized"),
    (r"\[Error (?:3523|3524|8017|3002|3003|5315)\]", "Teradata", "not authorized"),
    (
        _AWS + r"(?:\w*AccessDenied|Unauthorized|UnrecognizedClient|InvalidClientTokenId|SignatureDoesNotMatch"
        r"|AuthFailure"
        r"|IncompleteSignature|MissingAuthentication|InvalidAccessKeyId|NotAuthorized|OptInRequired"
        r"|InvalidToken)",
        "AWS common errors",
        "not authorized",
    ),
    (
        (
            r"\b(?:NoCredentials|PartialCredentials|CredentialRetrieval|TokenRetrieval|UnauthorizedSSOToken"
            r"|SSOTokenLoad)Error\b"
            r"|\bunable to (?:locate|load) (?:AWS )?credentials\b"
        ),
        "botocore",
        "no credentials",
    ),
)

RESOURCES = group(
    Category.RESOURCES,
    (_STATE + r"(?:53[124]00|HY001|HY013|57011)\b", "SQLSTATE 53100, 53200, HY001", "memory or disk"),
    (_mysql("1021|1037|1038|1041|1114|1135|3170"), "MySQL", "memory or disk"),
    (
        r"\bORA-(?:0165[0-9]|0168[38]|01691|01536|0403[01]|00257|19809|19815|27102|30036|00064)\b",
        "Oracle",
        "memory or disk",
    ),
    (
        r"\bSQL(?:0289N|0964C|0968C|0955C|0956C|0954C)\b|\[Error (?:2644|2646|2507)\]",
        "Db2, Teradata",
        "memory or disk",
    ),
    (
        r"\bno more (?:spool|room|temp) (?:space )?(?:in|for)\b|\bno more spool space\b",
        "Teradata 2646, 2644",
        "spool space",
    ),
)

THROTTLED = group(
    Category.THROTTLED,
    (_STATE + r"53300\b|" + _mysql("1040|1129|1203|1226|1461"), "SQLSTATE 53300, MySQL", "too many connections"),
    (
        r"\bORA-(?:00018|00020|02391|1251[69]|12520)\b|\bSQL(?:1040N|1226N|1221N)\b",
        "Oracle, Db2",
        "too many connections",
    ),
    (_AWS + r"\w*(?:Throttl|TooManyRequests|LimitExceeded|SlowDown)", "AWS, botocore's retry list", "rate limit"),
)

CONTENTION = group(
    Category.TRANSIENT,
    (_STATE + r"(?:40\w{3}|55P03|57P0[1-3])\b", "SQLSTATE 40, 55P03, 57P01", "transaction rolled back"),
    (_mysql("1205|1213|1479|1180|3058|8022|9007"), "MySQL, TiDB", "deadlock or lock"),
    (
        r"\bORA-(?:00060|00054|08177|04021|04020|02049|01555|04068|04061|30006|12829)\b",
        "Oracle",
        "deadlock or lock",
    ),
    (r"\bSQL(?:0911|0913)N\b|\[Error (?:2631|3598|7423)\]", "Db2, Teradata", "deadlock or lock"),
    (r"\bdatabase (?:table |schema )?is locked\b|\bSQLITE_(?:BUSY|LOCKED)\b", "SQLite", "database locked"),
)

LOST = group(
    Category.TRANSIENT,
    (_STATE + r"(?:08(?!004)\w{3}|HYT01)\b", "SQLSTATE 08", "connection lost"),
    (_mysql("0|1053|1152|1158|1159|1160|1161|1184|1927|200[236]|2013|2055"), "MySQL", "connection lost"),
    (
        (
            r"\bORA-(?:0311[34]|03135|0102[1-4]|01033|01034|01089|01090|01092|12152|12170|12203|125(?:2[678]"
            r"|3[57]|4[1357]|7[01]))\b"
            r"|\bDPY-(?:4011|6005|1001|4024)\b|\bDPI-1080\b"
        ),
        "Oracle",
        "connection lost",
    ),
    (r"\bSQL(?:30081|1224|1226|1032|20157)N\b", "Db2", "connection lost"),
    (
        _AWS + r"(?:Internal\w*|ServiceUnavailable\w*|RequestTimeout\w*|ServiceException|503|500)\)",
        "AWS common errors",
        "AWS internal",
    ),
)

TIMED_OUT = group(
    Category.TIMED_OUT,
    (_STATE + r"HYT00\b", "ODBC HYT00 that is not of a login", "query timeout"),
    (_mysql("1969|3024|1907"), "MySQL, MariaDB", "query timeout"),
    (
        r"\bORA-(?:00040|02392|02393|02396|02399|56735)\b|\[Error (?:3156|7583)\]",
        "Oracle, Teradata",
        "query timeout",
    ),
)

CODE = group(
    Category.CODE,
    (
        _STATE
        + r"(?:(?:07|0A|0Z|10|2[0-4]|26|27|2B|2D|2F|3[3459BCDF]|42|44|54|S0|IM|HYC|HY09|HY10)\w{1,3}|01000)\b",
        "SQLSTATE classes of wrong SQL, data and drivers",
        "wrong SQL or data",
    ),
    (
        _mysql(
            r"1(?:00[478]|0[456]\d|1[0124579]\d|13[68]|16\d|17\d|2[0123569]\d|30\d|3[1346]\d|4[0124678]\d"
            r"|5[0-9]\d)|38\d\d|4\d{3}"
        ),
        "MySQL",
        "wrong SQL or data",
    ),
    (
        (
            r"\bORA-(?:009\d\d|0140[0-7]|014[1-9]\d|0172[2-9]|018[3-9]\d|017\d\d|0000[1]|022\d\d|0143[08]"
            r"|014\d\d|06[5]\d\d|12899"
            r"|065\d\d|1276[0-9]|129\d\d|300\d\d|3108\d|404\d\d|015\d\d(?<!01555)(?<!01536))\b"
        ),
        "Oracle",
        "wrong SQL or data",
    ),
    (r"\bSQL(?:0[1-8]\d\d|2\d{4}|1024)N\b", "Db2", "wrong SQL or data"),
    (r"\[Error (?:26[0-2]\d|3[5-9]\d\d|5\d{3}|6\d{3}|7\d{3}|9\d{3})\]", "Teradata", "wrong SQL or data"),
    (
        _AWS + r"(?:Validation|Invalid|Malformed|Missing|NoSuch|EntityNotFound|ResourceNotFound|AlreadyExists"
        r"|\w+NotFound)",
        "AWS common errors",
        "wrong request",
    ),
    (
        r"\b(?:NoRegion|InvalidRegion|ParamValidation|ProfileNotFound|UnknownService)Error\b",
        "botocore",
        "wrong configuration",
    ),
    (
        (
            r"\bcan.t open lib\b|\bdata source name not found\b|\b(?:cannot|can.t) open shared object\b"
            r"|\bODBC driver .{0,40}\bnot found\b"
            r"|\bno module named\b|\bDLL load failed\b|\bundefined symbol\b|\berror with dynamic library\b"
        ),
        "unixODBC, POSIX dlopen, Python",
        "driver not installed",
    ),
    (
        (
            r"\battempt to write a readonly database\b|\bunable to open database file\b"
            r"|\bdisk image is malformed\b"
        ),
        "SQLite",
        "database file",
    ),
)
