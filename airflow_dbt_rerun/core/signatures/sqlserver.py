"""SQL Server and Azure SQL; Fabric and Synapse, and errors in the SQL, are in their own files.

Sources: Microsoft's database engine events (the number is named), its list of transient errors for Azure SQL, ODBC,
mssql-python, FreeTDS, SqlClient and azure-identity. The number at the message's end is the same in every language of
the server, but it is not always present: most errors are listed twice, by their words and by their number.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures import sqlserver_sql
from airflow_dbt_rerun.core.signatures.signature import group
from airflow_dbt_rerun.core.signatures.sqlserver_sql import number

RENEWED = group(
    Category.TRANSIENT,
    (
        r"\bservice has encountered an error processing your request\b|" + number("40197"),
        "Azure SQL 40197",
        "service error",
    ),
    (
        r"\bLogin failed for user\b.{0,80}\bToken is expired\b",
        "Azure SQL 18456",
        "token expired, renewed on connect",
    ),
    (r"\bAADSTS(?:90033|90024|90006|50196|90051)\b", "Entra ID: transient codes", "Entra ID not available"),
    (
        r"\bscript upgrade mode\b|\bsingle.user mode\b.{0,60}\badministrator\b|\bSQL Server (?:service )?is (?:not ready|paused|shutting down)\b"
        r"|\bSHUTDOWN is in progress\b|" + number("17142|17147|17148|17187|17197|18401"),
        "SQL Server 17142, 17187, 18401",
        "restarting",
    ),
)

ACCESS = group(
    Category.ACCESS,
    (r"\bAADSTS\d{4,7}\b", "Entra ID", "login failed"),
    (
        (
            r"\bCredential\b.{0,60}\b(?:authentication (?:failed|unavailable)|failed to retrieve)\b|\bPlease run 'az login'"
            r"|\bCredentialUnavailableError\b|\bClientAuthenticationError\b"
        ),
        "azure-identity",
        "login failed",
    ),
    (
        r"\bLogin failed\b|\bauthentication failed\b|\bUser does not have permission\b|\bnot associated with a trusted\b",
        "SQL Server 18456, 18452",
        "login failed",
    ),
    (
        r"\bpassword of the account\b|\baccount is (?:disabled|currently locked)\b",
        "SQL Server 18470-18488",
        "account closed",
    ),
    (
        r"\bCannot open (?:database|server|user default database) .{0,80}\brequested by the login\b|\bCannot open user default\b",
        "SQL Server 4060, 4064, 40532",
        "database not open to this login",
    ),
    (
        r"\b(?:is not allowed to access the server|deny public network access|public network access)\b|\bfirewall\b",
        "Azure SQL 40615, 47073",
        "address not allowed",
    ),
    (
        r"\bpermissions? (?:was|were|is) denied\b|\bpermission denied in database\b|\bpermission denied on\b",
        "SQL Server 229, 262",
        "permission denied",
    ),
    (
        r"\bis not able to access the database\b|\bdoes not have (?:the )?permissions?\b|\bCannot execute as the\b.{0,20}\bprincipal\b",
        "SQL Server 916, 15247, 15517",
        "permission denied",
    ),
    (
        r"\bSSL Provider: .{0,80}\b(?:certificate|chain was issued|target principal name|self.signed)\b",
        "ODBC 08001",
        "certificate not trusted",
    ),
    (
        number(
            r"229|230|262|297|300|916|4060|4064|15247|15406|15517|18450|18451|18452|18456|18470|18486|18487|18488|40532|40615"
            r"|40914|47073"
        ),
        "SQL Server 229 and others, by number",
        "access denied",
    ),
)

THROTTLED = group(
    Category.THROTTLED,
    (r"\bserver is currently too busy\b|\bserver is too busy\b", "Azure SQL 10929, 40642", "server busy"),
    (r"\bservice is (?:currently )?(?:too )?busy\b", "Azure SQL 40501", "server busy"),
    (
        r"\bNot enough resources to process\b|\bToo many (?:\w+ ){0,4}operations in progress\b",
        "Azure SQL 49918-49920",
        "server busy",
    ),
    (
        r"\blimit for the (?:database|elastic pool) is \d+ and has been reached\b",
        "Azure SQL 10928, 10936",
        "too many sessions",
    ),
    (
        r"\bmaximum number of \S{1,12} (?:configured user )?connections\b|\bobtaining a connection from the pool\b",
        "SQL Server 17809, SqlClient",
        "too many connections",
    ),
    (
        number("10928|10929|10936|17809|40501|40642|40648|49918|49919|49920|45168|45169"),
        "Azure SQL, by number",
        "server busy",
    ),
)

TRANSIENT = group(
    Category.TRANSIENT,
    (r"\bdeadlock victim\b|\bdeadlocked on\b|" + number("1205|1211"), "SQL Server 1205", "deadlock"),
    (
        r"\bSnapshot isolation transaction (?:aborted|failed)\b|"
        + number("3960|3961|3948|3971|41301|41302|41305|41325|41839"),
        "SQL Server 3960, 41302",
        "concurrent change",
    ),
    (
        r"\bLock request time ?out period exceeded\b|\bcannot obtain a LOCK resource\b|\block could not be placed\b"
        r"|\bcould not obtain exclusive lock\b|" + number("1204|1222|1807|5061"),
        "SQL Server 1204, 1222, 1807, 5061",
        "lock timeout",
    ),
    (
        r"\bdue to data movement\b|\bhas changed since it was compiled\b|\bdue to concurrent\b|\bRerun (?:the|your) (?:query|statement|transaction)\b"
        r"|\bretry (?:the|your|this) (?:transaction|query|statement|operation|connection)\b|"
        + number("601|845|2801|8628|8645"),
        "SQL Server 601, 2801, 8645",
        "the server asks to run it again",
    ),
    (
        r"\bon server \S{1,200} is not currently available\b|"
        + number("40613|40143|40166|40540|40671|40675|615|926|4221"),
        "Azure SQL 40613 and others",
        "database not available",
    ),
    (
        r"\bdatabase .{0,80}\b(?:is in transition|being recovered|in the middle of a restore|not yet (?:available|accessible))\b"
        r"|\bunable to access (?:availability )?database\b|\bparticipating in an availability group\b|"
        + number("922|927|952|976|978|983|35278"),
        "SQL Server 922, 952, 983",
        "database not available",
    ),
    (r"\bhigh priority DDL\b|\bMSDTC on server\b|" + number("8501|3617"), "SQL Server 8501", "session ended"),
    (
        r"\bCommunication link failure\b|\bconnection is (?:broken|no longer usable)\b",
        "ODBC 08S01, IMC06",
        "connection lost",
    ),
    (
        (
            r"\bTCP Provider: Error code 0x(?!2AF9|2AFC|2AFB)|\bTCP Provider: (?!Error code|No such host|.{0,40}\b11001\b)\w"
            r"|\bNamed Pipes Provider: "
        ),
        "ODBC, dbt-sqlserver#119",
        "connection lost",
    ),
    (
        (
            r"\btransport-level error has occurred\b|\bnetwork-related or instance-specific error\b|\berror occurred during the (?:pre-)?login"
            r"|\bConnection Timeout Expired\b|\bpre-login handshake\b"
        ),
        "SqlClient, ODBC 08001",
        "connection lost",
    ),
    (r"\bLogin timeout expired\b|\bConnection timeout expired\b", "ODBC HYT00, HYT01", "no connection"),
    (
        r"\bProtocol error in TDS stream\b|\bConnection may have been terminated by the server\b",
        "ODBC HY000",
        "connection lost",
    ),
    (
        (
            r"\b(?:Adaptive Server connection timed out|Read from the server failed|Write to the server failed|DBPROCESS is dead)\b"
            r"|\bUnexpected EOF from the server\b"
        ),
        "FreeTDS 20003-20047",
        "connection lost",
    ),
    (number("10053|10054|10060|10061|121|64|233|258|11001"), "SqlClient: Windows socket errors", "connection lost"),
)

TIMED_OUT = group(
    Category.TIMED_OUT,
    (
        r"\b(?:Query|Execution) timeout expired\b|\btimeout period elapsed prior to completion\b",
        "ODBC HYT00, SqlClient -2",
        "query timeout",
    ),
    (
        r"\bDriver Error: Timeout expired\b|\blong-running transaction\b|" + number("40549"),
        "mssql-python HYT00, Azure SQL 40549",
        "query timeout",
    ),
)

RESOURCES = group(
    Category.RESOURCES,
    (
        r"\btransaction log for database \S{1,200} is full\b|\bversion store is full\b|"
        + number("9002|3958|3966|3967"),
        "SQL Server 9002",
        "log full",
    ),
    (
        r"\bCould not allocate (?:space for object|a new page)\b|\binsufficient (?:disk )?space\b|"
        + number("1101|1105|1121|1132"),
        "SQL Server 1101, 1105",
        "disk full",
    ),
    (
        r"\bhas reached its (?:size|storage) (?:quota|limit)\b|\bsize quota\b|\bstorage (?:usage|limit|space) .{0,60}\b(?:reached|exceed)"
        r"|" + number("40544|41823|41840|40847"),
        "Azure SQL 40544, 41823",
        "disk full",
    ),
    (
        r"\binsufficient (?:system )?memory\b|\bmemory grant\b|\bquery memory\b|"
        + number("701|802|8651|8657|41805"),
        "SQL Server 701, 802, 8657",
        "out of memory",
    ),
    (
        r"\bsession has been terminated because (?:of excessive|it has acquired too many)\b|"
        + number("4055[0123]"),
        "Azure SQL 40550-40553",
        "limit of the session",
    ),
    (r"\bestimated cost of this query\b|" + number("8649"), "SQL Server 8649", "query cost limit"),
)

EITHER = group(
    Category.UNKNOWN,
    (
        r"\bTCP Provider: (?:Error code 0x2AF[9BC]|No such host)|\b11001\b",
        "ODBC, WSAHOST_NOT_FOUND: DNS or a wrong host",
        "host not found",
    ),
    (
        r"\bAdaptive Server is unavailable or does not exist\b",
        "FreeTDS 20009: down or a wrong host",
        "no server there",
    ),
    # A replica in the profile, a failover, or a database that somebody set so.
    (r"\bdatabase is read-only\b|" + number("3906"), "SQL Server 3906", "read-only database"),
    # A person killed it, or a failover did.
    (
        r"\bsession is in the kill state\b|\bsevere error occurred on the current command\b|" + number("596|6005"),
        "SQL Server 596",
        "session ended",
    ),
    # What went wrong first is not in this message.
    (
        r"\bcurrent transaction cannot be committed\b|\bhas no corresponding BEGIN TRANSACTION\b|"
        + number("3902|3903|3930"),
        "SQL Server 3902, 3903, 3930",
        "an earlier statement failed",
    ),
)

TABLE = (
    *RENEWED,
    *THROTTLED,
    *EITHER,
    *ACCESS,
    *TRANSIENT,
    *TIMED_OUT,
    *RESOURCES,
    *sqlserver_sql.TABLE,
)
