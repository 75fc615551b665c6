"""SQL Server: errors in the SQL, the data or the profile, by words and by number.

Sources: Microsoft's database engine events 100 to 4999 and 8000 to 8999, ODBC's states, mssql-python, dbt-sqlserver.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group


def number(numbers: str) -> str:
    """Write how drivers give an error's number: ODBC at the end, FreeTDS at the start, SqlClient as Msg or Error."""
    return rf"\((?:{numbers})\) ?\(SQL[A-Z]|^\(?\((?:{numbers}), b|\bMsg (?:{numbers}), Level\b|\b(?:SQL Server, Error|Error Number): ?(?:{numbers})\b"


SAYS = r"(?:\[SQL Server\] ?|^|: )"
"""Where the server's own words start."""

TABLE = group(
    Category.CODE,
    (r"\bInvalid (?:object|column) name\b|\bAmbiguous column name\b", "SQL Server 208, 207, 209", "unknown object"),
    (
        r"\bIncorrect syntax\b|\bUnclosed quotation mark\b|\bParse error at line\b",
        "SQL Server 102, 156, 105",
        "syntax error",
    ),
    (
        r"\bConversion failed when converting\b|\bconversion of .{0,80}\b(?:overflowed|resulted in)\b|\bOperand type clash\b",
        "SQL Server 245, 241, 242, 206",
        "value does not fit its type",
    ),
    (
        r"\bError converting data type\b|\barithmetic overflow\b",
        "SQL Server 8114, 8115",
        "value does not fit its type",
    ),
    (r"\bDivide by zero error\b", "SQL Server 8134", "division by zero"),
    (
        r"\bCannot insert duplicate key\b|\bViolation of \w{1,10} KEY constraint\b",
        "SQL Server 2627",
        "duplicate key",
    ),
    (
        r"\bwould be truncated\b|\bconflicted with the \w{1,10}\b.{0,20}\bconstraint\b",
        "SQL Server 2628, 547",
        "value too long",
    ),
    (r"\bmulti-part identifier \S{1,200} could not be bound\b", "SQL Server 4104", "unknown column"),
    (
        r"\bMust declare the \w{1,12} variable\b|\bCould not find (?:stored procedure|server|the type|database)\b|\bCannot find (?:the|either|data type)\b",
        "SQL Server 137, 2812, 4121",
        "unknown object",
    ),
    (r"\bThere is already an? \w{1,12} named\b", "SQL Server 2714", "already exists"),
    (
        r"\bSubquery returned more than 1 value\b|\bMERGE statement attempted\b",
        "SQL Server 512, 8672",
        "cardinality",
    ),
    (
        r"\bquery processor (?:ran out of|could not produce)\b|\binternal error: .{0,60}\blimit\b",
        "SQL Server 8621-8632",
        "query too complex",
    ),
    (
        SAYS
        + r"(?:Cannot (?:add|alter|assign|build|bulk|call|construct|convert|create|define|drop|grant|insert|perform|resolve"
        r"|schema bind|specify|truncate|update|use)|The (?:column|function|data type|statement|index|size|definition|number of|query|view"
        r"|argument|parameter|type|ORDER BY|object|reference|select list|name)|Column(?:s| name)? |Type |Index |Duplicate |Argument "
        r"|Invalid (?:usage|expression|value|length|parameter|data type|use)|Unknown |Unsupported |Only one |ORDER BY |Windowed |Aggregates? "
        r"|An? (?:aggregate|expression|column|INSERT|constant)|Implicit conversion|Explicit conversion|String or binary|Procedure )",
        "SQL Server 100-4999: the starts of its sentences",
        "wrong SQL",
    ),
    (
        (
            r"\bis not a recognized\b|\bis not a valid\b|\bis invalid in the\b|\bmust be the (?:first|only)\b|\bnot allowed in this context\b"
            r"|\bdoes not match table definition\b|\bdoes not allow nulls\b|\bmust have an equal number of expressions\b|\bis too long\b"
        ),
        "SQL Server 155, 195, 213, 515, 8120",
        "wrong SQL",
    ),
    (
        number(
            r"1(?:0[2-9]|[1-9]\d)|2(?:0[1-9]|1\d|2[0-8]|3[14-9]|[45]\d|6[01345]|[7-9]\d)|3[1-9]\d|4[0-8]\d|49\d|512|515|53\d|54\d|55\d|57\d"
            r"|8114|8115|8116|8117|8120|8134|8152|8155|8156|8158|8159|862[123]|863[12]|8672|9803|1[79]\d\d|2[0-7]\d\d|28[0-9]{2}"
            r"|370[1-9]|37[1-9]\d|41\d\d|45\d\d|47\d\d|48\d\d|49\d\d|50\d\d|10[03]\d{3}|104\d{3}|15151|15225|35\d{3}"
        ),
        "SQL Server: numbers of wrong SQL",
        "wrong SQL",
    ),
    (
        (
            r"\bData source name not found\b|\bCan't open lib\b|\bInvalid connection string\b|\bprofile field\b|\bODBC driver name\b"
            r"|\bunsupported protocol\b|\bLogin .{0,40}keyword\b"
        ),
        "ODBC IM002, 01S00, dbt-sqlserver",
        "wrong profile",
    ),
    (
        (
            r"\bDriver Error: (?:Base table or view|Column|Index|Integrity constraint|Invalid (?:character|datetime|catalog|schema|escape)"
            r"|Numeric value|Datetime field|Division|String data|Insert value|Degree of derived|Duplicate)\b"
        ),
        "mssql-python: SQLSTATE classes 21, 22, 23, 42S",
        "wrong SQL or data",
    ),
    (
        r"\[(?:42S\d\d|22\w{3}|23\w{3}|21\w{3}|01S00|IM00[1-9])\] ?\[",
        "ODBC SQLSTATE classes 22, 23, 42S",
        "wrong SQL or data",
    ),
)
