"""Fabric Warehouse and Azure Synapse: their errors besides those of SQL Server.

Sources: the documentation of Fabric Data Warehouse (transactions, capacity, limits), of Synapse dedicated and
serverless SQL pools (self-help, limits), dbt-fabric, dbt-synapse.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group
from airflow_dbt_rerun.core.signatures.sqlserver_sql import SAYS, number

TABLE = (
    *group(
        Category.THROTTLED,
        (
            r"\bcapacity has exceeded its limits\b|\bcapacity .{0,40}\b(?:throttl|overload)|\bCapacityLimitExceeded\b|"
            + number("24801"),
            "Fabric 24801",
            "capacity throttled",
        ),
        (
            r"\bdue to current (?:resource|capacity) (?:constraints|limits)\b|\bconcurrency limit\b.{0,40}\b(?:reached|exceeded)\b",
            "Synapse serverless, Fabric",
            "no resources for now",
        ),
        (r"\brate limited after \d+ retries\b|\bRequestBlocked\b", "dbt-fabric, Fabric REST API", "rate limit"),
    ),
    *group(
        Category.RESOURCES,
        # It stays paused until a schedule or a person resumes it.
        (
            r"\b(?:capacity|pool|warehouse|database)\b.{0,80}\b(?:is|when it is|been|currently) paused\b|"
            + number("42108|40892|24800"),
            "Synapse 42108, Fabric",
            "capacity paused",
        ),
        (r"\bUnable to allocate\b.{0,60}\bcompression\b|" + number("35366"), "Synapse 35366", "out of memory"),
    ),
    *group(
        Category.TIMED_OUT,
        (r"\bdistributed query failed: Execution Timeout Expired\b", "Synapse 110806", "query timeout"),
    ),
    *group(
        Category.TRANSIENT,
        (r"\bresubmit with a new access token\b|\bTokenExpired\b", "Fabric REST API", "token expired, renewed"),
    ),
    *group(
        Category.UNKNOWN,
        # Also said of a file that a running write has replaced.
        (
            r"\bcannot be opened because it does not exist or it is used by another process\b",
            "Synapse serverless, Fabric: also no rights, also replaced",
            "file not there or not open to us",
        ),
    ),
    *group(
        Category.TRANSIENT,
        (
            r"\bdue to update conflict\b|" + number("24556|24706|24578"),
            "Fabric 24556, 24706",
            "concurrent change",
        ),
        (r"\b(?:pool|database|endpoint) is warming up\b|" + number("42109|40918"), "Synapse 42109", "starting up"),
        (
            r"\bInternal DMS error\b|\bDMS service\b|\bdistributed (?:query|statement) .{0,60}\binternal error\b|\bInternalError\b"
            r"|" + number("110802|110806|110813|15885"),
            "Synapse 110802: internal",
            "service error",
        ),
        (
            r"\bunderlying location\b.{0,80}\bconcurrent|\bdiscovered an? .{0,40}\bconcurrent\b",
            "Fabric, OneLake",
            "concurrent change",
        ),
    ),
    *group(
        Category.TIMED_OUT,
        (r"\bTimed out waiting for Warehouse Snapshot\b", "dbt-fabric", "time limit of a snapshot"),
        (
            r"\bquery (?:execution )?(?:exceeded|reached) .{0,40}\b(?:timeout|time limit|minutes)\b",
            "Synapse serverless",
            "query timeout",
        ),
    ),
    *group(
        Category.RESOURCES,
        (
            r"\bbudget limit for a period is exceeded\b|\bdata processed limit\b",
            "Synapse serverless",
            "budget used up",
        ),
        (r"\btempdb\b.{0,80}\b(?:full|space)\b", "Fabric, Synapse", "tempdb full"),
    ),
    *group(
        Category.ACCESS,
        (
            r"\bcontent of directory\b.{0,200}\bcannot be listed\b|\bcould not be opened\b.{0,60}\bOperating system error code 5\b",
            "Synapse 13807, 4861",
            "no access to the storage",
        ),
        (r"\baccess is not defined for\b|\bNo workspace found with name\b", "Fabric, dbt-fabric", "no access"),
    ),
    *group(
        Category.CANCELLED,
        (r"\bOperation cancell?ed by user\b", "Synapse 111212", "cancelled by a user"),
    ),
    *group(
        Category.CODE,
        (
            (
                r"\b(?:not|isn.t) (?:a )?supported (?:statement|in this edition|data ?type|for distributed|in (?:Fabric|Warehouse|serverless))"
                r"|\bcannot participate in a columnstore\b"
            ),
            "Fabric 15816, Synapse 35343",
            "not supported",
        ),
        (
            (
                r"\b(?:maximum reject threshold|Max(?:imum)? errors? count)\b|\bBulk load data conversion error\b"
                r"|\bis not compatible with external data type\b|\berror handling external file\b"
            ),
            "Synapse 107090, serverless, PolyBase",
            "bad rows",
        ),
        (r"\bmaster key in the database\b|\bNo Data Warehouses? found\b", "Synapse, dbt-fabric", "wrong set-up"),
        (
            SAYS + r"(?:Duplicate \w{1,8} ?Fabric|Fabric (?:tables|constraints?|foreign|IDENTITY|\w+ constraint))\b"
            r"|\bIDENTITY columns (?:must|require)\b|\bConstraint name cannot be empty\b",
            "dbt-fabric",
            "wrong model configuration",
        ),
    ),
)
