"""SQL Server, Azure SQL, Fabric and Synapse: the text, for the number at its end is not always there.

Sources: Microsoft's database engine events (the number is named), its list of transient errors for Azure SQL, ODBC.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

TABLE = (
    *group(
        Category.ACCESS,
        (r"\bLogin failed for user\b", "SQL Server 18456", "login failed"),
        (
            r"\bCannot open database \S+ requested by the login\b",
            "SQL Server 4060",
            "database not open to this login",
        ),
        (
            r"\bpermission was denied\b|\bpermission denied in database\b",
            "SQL Server 229, 262",
            "permission denied",
        ),
        (r"\bis not able to access the database\b", "SQL Server 916", "permission denied"),
    ),
    *group(
        Category.THROTTLED,
        (r"\bserver is currently too busy\b", "Azure SQL 10929", "server busy"),
        (r"\bThe service is currently busy\b", "Azure SQL 40501", "server busy"),
        (r"\bNot enough resources to process\b", "Azure SQL 49918, 49919, 49920", "server busy"),
        (r"\blimit for the database is \d+ and has been reached\b", "Azure SQL 10928", "too many sessions"),
    ),
    *group(
        Category.TRANSIENT,
        (r"\bdeadlock victim\b", "SQL Server 1205", "deadlock"),
        (r"\bSnapshot isolation transaction (?:aborted|failed)\b", "SQL Server 3960, 3961", "concurrent change"),
        (r"\bLock request time out period exceeded\b", "SQL Server 1222", "lock timeout"),
        (r"\bon server \S+ is not currently available\b", "Azure SQL 40613", "database not available"),
        (r"\bservice has encountered an error processing your request\b", "Azure SQL 40197", "service error"),
        (r"\bCommunication link failure\b", "ODBC 08S01", "connection lost"),
        (r"\bTCP Provider: Error code 0x(?:68|20|6E|6F|2746|274C)\b", "ODBC, dbt-sqlserver#119", "connection lost"),
        (
            r"\btransport-level error has occurred\b|\bnetwork-related or instance-specific error\b",
            "SqlClient",
            "connection lost",
        ),
        (r"\bLogin timeout expired\b", "ODBC HYT00", "no connection"),
    ),
    *group(
        Category.TIMED_OUT,
        (r"\bQuery timeout expired\b", "ODBC HYT00", "query timeout"),
    ),
    *group(
        Category.RESOURCES,
        (r"\btransaction log for database \S+ is full\b", "SQL Server 9002", "log full"),
        (r"\bCould not allocate space for object\b", "SQL Server 1105", "disk full"),
        (r"\bdatabase has reached its size quota\b", "Azure SQL 40544", "disk full"),
        (r"\binsufficient system memory\b", "SQL Server 701", "out of memory"),
    ),
    *group(
        Category.CODE,
        (r"\bInvalid (?:object|column) name\b", "SQL Server 208, 207", "unknown object"),
        (r"\bIncorrect syntax near\b", "SQL Server 102, 156", "syntax error"),
        (r"\bConversion failed when converting\b", "SQL Server 245", "value does not fit its type"),
        (
            r"\bError converting data type\b|\bArithmetic overflow error\b",
            "SQL Server 8114, 8115",
            "value does not fit its type",
        ),
        (r"\bDivide by zero error\b", "SQL Server 8134", "division by zero"),
        (
            r"\bCannot insert duplicate key\b|\bViolation of \w+ KEY constraint\b",
            "SQL Server 2627",
            "duplicate key",
        ),
        (r"\bdata would be truncated\b", "SQL Server 2628", "value too long"),
        (r"\bmulti-part identifier \S+ could not be bound\b", "SQL Server 4104", "unknown column"),
        (
            r"\bMust declare the \w+ variable\b|\bCould not find stored procedure\b",
            "SQL Server 137, 2812",
            "unknown object",
        ),
        (r"\bThere is already an object named\b", "SQL Server 2714", "already exists"),
    ),
)
