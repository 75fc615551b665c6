"""Databricks and Spark: an error class in capitals, or a Java exception's name.

Sources: the error classes of Apache Spark and Databricks (docs.databricks.com/error-messages), the retry rules of
dbt-spark and databricks-sql-connector, dbt issues where named.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

TABLE = (
    *group(
        Category.ACCESS,
        (
            r"\bINSUFFICIENT_PERMISSIONS\b|\bPERMISSION_DENIED\b",
            "Databricks error class, 42501",
            "permission denied",
        ),
        (r"\bUNAUTHORIZED_ACCESS\b|\bUNAUTHENTICATED\b", "Databricks error class", "not authorized"),
        (r"\bInvalid access token\b", "Databricks REST", "invalid token"),
    ),
    *group(
        Category.THROTTLED,
        (r"\bREQUEST_LIMIT_EXCEEDED\b|\bRESOURCE_EXHAUSTED\b", "Databricks REST", "rate limit"),
        (r"\b(?:maximum|max) number of (?:concurrent|active|running) \w+", "Databricks", "too many at once"),
    ),
    *group(
        Category.TRANSIENT,
        (r"\bDELTA_CONCURRENT_\w+", "Databricks DELTA_CONCURRENT_*", "concurrent change"),
        (r"\bDELTA_(?:METADATA|PROTOCOL)_CHANGED\b", "Databricks error class", "concurrent change"),
        (
            r"\bConcurrent(?:Append|DeleteRead|DeleteDelete|Write|Transaction)Exception\b",
            "Delta Lake",
            "concurrent change",
        ),
        (r"\b(?:Metadata|Protocol)ChangedException\b", "Delta Lake, dbt-spark#293", "concurrent change"),
        (r"TEMPORARILY_UNAVAILABLE\b", "Databricks REST, dbt-spark's retry rule", "temporarily unavailable"),
        (r"\bstate:? Pending\b|\bcluster\b.{0,80}\bpending\b", "dbt-spark's retry rule", "cluster starting"),
        (r"\bRetry request would exceed Retry policy\b", "databricks-sql-connector", "no answer"),
        (r"\bInvalid (?:Session|Operation)Handle\b", "Databricks, dbt-databricks#324", "session lost"),
        (
            r"\bSession (?:handle: )?.{0,120}\b(?:already closed|is closed)",
            "Databricks, dbt-databricks#358",
            "session lost",
        ),
        (r"\bQuery could not be scheduled\b", "Databricks, dbt-databricks#767", "warehouse not ready"),
        (r"\bBad Status: (?:No status code|5\d\d)\b", "dbt-spark#293", "no answer"),
        (r"\bSparkContext was shut down\b|\bSpark driver .{0,60}(?:stopped|restart)", "Spark", "driver restarted"),
        (
            r"\b[Cc]ould not reach driver of cluster\b|\bspark driver has stopped\b",
            "Databricks",
            "driver restarted",
        ),
        (r"\bCluster \S+ (?:(?:was|is) terminated|is not running|unexpectedly)", "Databricks", "cluster stopped"),
        (
            r"\bCLOUD_PROVIDER_\w+|\bCLUSTER_LAUNCH_\w+|\bSPOT_INSTANCE_\w+",
            "Databricks termination codes",
            "no machines",
        ),
        (r"\bFetchFailed(?:Exception)?\b|\bExecutorLostFailure\b", "Spark", "executor lost"),
        (r"\bunderlying files have been updated\b", "Spark", "concurrent change"),
    ),
    *group(
        Category.TIMED_OUT,
        (
            r"\bQUERY_EXECUTION_TIMEOUT_EXCEEDED\b|\bSTATEMENT_TIMEOUT\b",
            "Databricks error class",
            "statement timeout",
        ),
        (r"\bhas been timed out due to inactivity\b", "Databricks", "query timeout"),
    ),
    *group(
        Category.RESOURCES,
        (r"\bOutOfMemoryError\b|\bJava heap space\b|\bGC overhead limit\b", "JVM", "out of memory"),
        (r"\bspark\.driver\.maxResultSize\b", "Spark", "result too large"),
        (r"\bkilled by YARN for exceeding\b", "Spark on YARN", "out of memory"),
    ),
    *group(
        Category.CODE,
        (
            r"\b(?:TABLE_OR_VIEW|SCHEMA|CATALOG|COLUMN|ROUTINE|FIELD)_NOT_FOUND\b",
            "Spark error class 42P01",
            "unknown object",
        ),
        (r"\bUNRESOLVED_(?:COLUMN|ROUTINE|FIELD)\b", "Spark error class 42703", "unknown column"),
        (r"\bPARSE_\w+|\bParseException\b", "Spark error class 42601", "syntax error"),
        (
            r"\bDATATYPE_MISMATCH\b|\bCAST_\w+|\bNUMERIC_VALUE_OUT_OF_RANGE\b",
            "Spark error classes 42K09, 22",
            "wrong type",
        ),
        (r"\bDIVIDE_BY_ZERO\b|\bARITHMETIC_OVERFLOW\b", "Spark error class 22012", "division by zero"),
        (r"\bMISSING_(?:AGGREGATION|GROUP_BY)\b|\bAMBIGUOUS_\w+", "Spark error class 42803", "wrong SQL"),
        (r"\bDELTA_MULTIPLE_SOURCE_ROW_MATCHING\w*", "Databricks error class 21506", "merge met duplicates"),
        (r"\b(?:TABLE_OR_VIEW|SCHEMA)_ALREADY_EXISTS\b", "Spark error class 42P07", "already exists"),
        (r"\bAnalysisException\b", "Spark", "wrong SQL"),
        (r"\bNoSuch\w{1,30}Exception\b|\bTable or view not found\b", "Spark", "unknown object"),
        (r"\bcannot resolve \S+ given input columns\b|\bmismatched input\b", "Spark, ANTLR", "wrong SQL"),
        (r"\bDELTA_SCHEMA_CHANGED\b|\bDELTA_\w{0,40}SCHEMA_MISMATCH\b", "Databricks error class", "schema changed"),
    ),
)
