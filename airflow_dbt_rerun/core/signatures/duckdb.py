"""DuckDB: the exception's type at the start of the line says most; dbt-duckdb calls all of them Runtime Errors.

Sources: DuckDB's exception types (``duckdb/common/exception.hpp``) and artifacts recorded with dbt-duckdb 1.11.
"""

from __future__ import annotations

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.signature import group

_START = r"(?:^|[:…] )"
"""Where an exception's type stands: at the start of a line, or behind what wraps it."""

TABLE = (
    *group(
        Category.TRANSIENT,
        (r"\bCould not set lock on file\b", "DuckDB IOException", "database file locked"),
        (r"\bConflicting lock is held\b", "DuckDB IOException", "database file locked"),
        (
            r"\bThe process cannot access the file because it is being used\b",
            "DuckDB on Windows",
            "database file locked",
        ),
        (r"\bwrite-write conflict\b", "DuckDB TransactionException", "write conflict"),
        (r"\bConflict on (?:update|delete|tuple deletion)\b", "DuckDB TransactionException", "write conflict"),
        (r"\btransaction conflict\b", "DuckDB TransactionException", "write conflict"),
        (r"\bCould not (?:establish connection|connect to server)\b", "DuckDB HTTPException", "no connection"),
        (r"\bconnection error for HTTP (?:GET|HEAD|PUT|POST)\b", "DuckDB HTTPException", "no connection"),
    ),
    *group(
        Category.RESOURCES,
        (_START + r"Out of Memory Error:", "DuckDB OutOfMemoryException", "out of memory"),
        (r"\bmax_temp_directory_size\b", "DuckDB OutOfMemoryException", "temporary space used up"),
    ),
    *group(
        Category.ACCESS,
        (_START + r"Permission Error:", "DuckDB PermissionException", "not permitted"),
    ),
    *group(
        Category.CANCELLED,
        (_START + r"INTERRUPT Error:", "DuckDB InterruptException", "interrupted"),
    ),
    *group(
        Category.CODE,
        (_START + r"Parser Error:", "DuckDB ParserException", "syntax error"),
        (_START + r"Binder Error:", "DuckDB BinderException", "unknown or ambiguous name"),
        (_START + r"Catalog Error:", "DuckDB CatalogException", "unknown table, schema or function"),
        (_START + r"Conversion Error:", "DuckDB ConversionException", "value does not fit its type"),
        (_START + r"Constraint Error:", "DuckDB ConstraintException", "constraint violated"),
        (_START + r"Not implemented Error:", "DuckDB NotImplementedException", "not supported"),
        (_START + r"Out of Range Error:", "DuckDB OutOfRangeException", "value out of range"),
        (_START + r"Dependency Error:", "DuckDB DependencyException", "other objects depend on it"),
        (
            _START + r"(?:Syntax|Expression|Planner|Optimizer|Settings) Error:",
            "DuckDB exception types",
            "wrong SQL",
        ),
        (
            _START + r"(?:Invalid|Mismatch|Unknown) Type Error:|^Mismatch Type",
            "DuckDB exception types",
            "wrong type",
        ),
        (
            r"\bFailed to cast value\b|\bcan.t be cast to the destination type\b",
            "DuckDB",
            "value does not fit its type",
        ),
        (
            _START + r"(?:Divide by Zero|Decimal|Parameter Not \w+|Sequence) Error:",
            "DuckDB exception types",
            "wrong SQL",
        ),
        (r"\bCSV Error on Line\b|\bError when sniffing file\b", "DuckDB InvalidInputException", "bad CSV file"),
        (r"\bNo files found that match the pattern\b", "DuckDB IOException", "missing file"),
        (r"\bCannot open file .{0,300}: No such file or directory\b", "DuckDB IOException", "missing file"),
        (r"\battached in read-only mode\b", "DuckDB InvalidInputException", "database is read-only"),
        (
            r"\bHTTP (?:GET|HEAD) error .{0,300}\(HTTP 404\b|: 404 \(Not Found\)",
            "DuckDB HTTPException",
            "missing file",
        ),
    ),
)
