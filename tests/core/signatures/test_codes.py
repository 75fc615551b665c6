"""Codes of vendors decide before words, in any language, and only where they are framed as codes."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.classify_message import match
from airflow_dbt_rerun.core.signatures import table
from airflow_dbt_rerun.core.signatures.table import raw_table

BIGQUERY = (
    '{{"error": {{"code": 403, "message": "Nachricht", "errors": [{{"message": "Nachricht", "reason": "{0}"}}]}}}}',
    "Database Error in model m (models/m.sql)\n  400 Nachricht; reason: {0}, location: query, message: Nachricht",
    "googleapi: Error 403: Ein Fehler, den niemand kennt, {0}",
    "BigQueryError{{reason={0}, location=null, message=Nachricht}}",
)
AWS = (
    "An error occurred ({0}) when calling the StartQueryExecution operation: Nachricht",
    "Nachricht (Service: Amazon S3; Status Code: 400; Error Code: {0}; Request ID: 1)",
    "operation error Glue: GetTable, https response error StatusCode: 400, RequestID: 1, api error {0}: Nachricht",
    "<Error><Code>{0}</Code><Message>Nachricht</Message></Error>",
    '{{"__type":"com.amazonaws.glue#{0}","message":"Nachricht"}}',
    "com.amazonaws.services.glue.model.{0}: Nachricht",
)
SPARK = (
    "org.apache.spark.SparkException: [{0}] Nachricht",
    "[{0}.WITH_SUGGESTION] Nachricht",
    '{{"error_code":"{0}","message":"Nachricht"}}',
    "{0}: Nachricht",
)


@pytest.mark.parametrize("adapter", ["bigquery", None])
@pytest.mark.parametrize("shape", BIGQUERY)
@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("rateLimitExceeded", Category.THROTTLED),
        ("jobRateLimitExceeded", Category.THROTTLED),
        ("quotaExceeded", Category.THROTTLED),
        ("backendError", Category.TRANSIENT),
        ("jobInternalError", Category.TRANSIENT),
        ("tableUnavailable", Category.TRANSIENT),
        ("billingNotEnabled", Category.RESOURCES),
        ("resourcesExceeded", Category.RESOURCES),
        ("accessDenied", Category.ACCESS),
        ("responseTooLarge", Category.CODE),
        ("invalidQuery", Category.CODE),
        ("notFound", Category.CODE),
    ],
)
def test_a_reason_of_bigquery_decides(code: str, category: Category, shape: str, adapter: str | None) -> None:
    """Its error table is of reasons; the words around them are for people, in their language."""
    assert match(shape.format(code), adapter=adapter)[0] is category


@pytest.mark.parametrize("code", ["stopped", "blocked"])
@pytest.mark.parametrize("shape", BIGQUERY)
def test_a_job_that_was_stopped_does_not_tell_by_whom(code: str, shape: str) -> None:
    """The row of the reason decides that nothing is known, and no word does."""
    assert match(shape.format(code), adapter="bigquery")[0] is Category.UNKNOWN


@pytest.mark.parametrize("adapter", ["athena", "redshift", "snowflake", "spark", None])
@pytest.mark.parametrize("shape", AWS)
@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("ThrottlingException", Category.THROTTLED),
        ("SlowDown", Category.THROTTLED),
        ("TooManyRequestsException", Category.THROTTLED),
        ("ExpiredTokenException", Category.ACCESS),
        ("AccessDeniedException", Category.ACCESS),
        ("InternalServerException", Category.TRANSIENT),
        ("ConcurrentModificationException", Category.TRANSIENT),
        ("VcpuLimitExceeded", Category.RESOURCES),
        ("EntityNotFoundException", Category.CODE),
        ("ValidationException", Category.CODE),
    ],
)
def test_an_error_code_of_aws_decides(code: str, category: Category, shape: str, adapter: str | None) -> None:
    """In the frames of all its SDKs, below whatever warehouse."""
    assert match(shape.format(code), adapter=adapter)[0] is category


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Caused by: TooManyRequestsException", Category.THROTTLED),
        (
            "Lambda: exception[com.amazonaws.services.lambda.model.TooManyRequestsException]",
            Category.THROTTLED,
        ),
        ("SessionBusyException: Sitzung belegt", Category.TRANSIENT),
        ("column ThrottlingException of relation t does not exist", Category.CODE),
    ],
)
def test_the_name_of_an_exception_of_aws_is_one_where_an_error_begins(text: str, category: Category) -> None:
    """Logs of Java and Python often show no more than the name."""
    assert match(text, adapter="athena")[0] is category


@pytest.mark.parametrize("adapter", ["databricks", "spark", "fabricspark", "glue"])
@pytest.mark.parametrize("shape", SPARK)
@pytest.mark.parametrize(
    ("code", "category"),
    [
        ("DELTA_CONCURRENT_APPEND", Category.TRANSIENT),
        ("TEMPORARILY_UNAVAILABLE", Category.TRANSIENT),
        ("REQUEST_LIMIT_EXCEEDED", Category.THROTTLED),
        ("QUERY_EXECUTION_TIMEOUT_EXCEEDED", Category.TIMED_OUT),
        ("QUOTA_EXCEEDED", Category.RESOURCES),
        ("PERMISSION_DENIED", Category.ACCESS),
        ("TABLE_OR_VIEW_NOT_FOUND", Category.CODE),
        ("DIVIDE_BY_ZERO", Category.CODE),
    ],
)
def test_an_error_class_of_spark_decides(code: str, category: Category, shape: str, adapter: str) -> None:
    """In brackets, or as the REST API writes it."""
    assert match(shape.format(code), adapter=adapter)[0] is category


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("[NEW_CLASS_OF_NEXT_YEAR] etwas ging schief. SQLSTATE: 40001", Category.TRANSIENT),
        ("etwas ging schief. SQLSTATE: 42501", Category.ACCESS),
        ("etwas ging schief. SQLSTATE: 53200", Category.RESOURCES),
        ("etwas ging schief. SQLSTATE: 42K03", Category.CODE),
    ],
)
def test_the_sqlstate_decides_about_a_class_that_no_row_names(text: str, category: Category) -> None:
    """Each error class of Spark has one."""
    assert match(text, adapter="databricks")[0] is category


@pytest.mark.parametrize(
    ("text", "adapter", "identity"),
    [
        (
            "403 Custom quota exceeded: QueryUsagePerDay; reason: quotaExceeded",
            "bigquery",
            "bigquery/reason-budget-used-up",
        ),
        (
            "Transaction is aborted due to concurrent update against table t; reason: invalidQuery",
            "bigquery",
            "bigquery/reason-concurrent-update",
        ),
        (
            "User requested cancellation; reason: stopped",
            "bigquery",
            "bigquery/reason-stopped-by-a-user",
        ),
        (
            "An error occurred (ValidationException) when calling X: Rate exceeded",
            None,
            "aws/request-refused-too-many",
        ),
        (
            "An error occurred (InvalidRequestException) when calling X: You are not authorized to perform: s3:Get",
            "athena",
            "aws/request-refused-no-right",
        ),
        (
            "PERMISSION_DENIED: Token is expiring within 30 s",
            "databricks",
            "spark_codes/token-about-to-expire",
        ),
    ],
)
def test_where_a_code_is_ambiguous_the_words_decide(text: str, adapter: str | None, identity: str) -> None:
    """One code for a budget and a rate, or for whatever is wrong with a request."""
    found = match(text, adapter=adapter)[1]
    assert found is not None
    assert found.id == identity


@pytest.mark.parametrize(
    ("text", "adapter"),
    [
        ("Unrecognized name: rateLimitExceeded at [12:8]", "bigquery"),
        ("Column backendError not found in table t at [1:2]", "bigquery"),
        ("Name stopped not found inside t at [1:2]; the reason: a stopped job", "bigquery"),
        ("line 3:1: Column ThrottlingException cannot be resolved", "athena"),
        ("SQL compilation error: invalid identifier SLOWDOWN", "snowflake"),
        ("column internalservererror does not exist", "redshift"),
        ("[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column DELTA_CONCURRENT_APPEND cannot be resolved", "databricks"),
        ("mismatched input near '[DELTA_CONCURRENT_APPEND]' expecting ')'", "spark"),
        ("Syntax error near \"where error_class = '[TEMPORARILY_UNAVAILABLE]'\" SQLSTATE: 42601", "databricks"),
        ("cannot resolve DELTA_CONCURRENT_WRITE given input columns: [a, TIMEDOUT]", "spark"),
        ("LINE 1: select [QUERY_EXECUTION_TIMEOUT_EXCEEDED] from t\nSyntax error:", "databricks"),
    ],
)
def test_a_word_of_the_sql_is_no_code(text: str, adapter: str) -> None:
    """A column may be called whatever a code is called; nor does a text that quotes a code."""
    category, found = match(f"Database Error in model m (models/m.sql)\n  {text}", adapter=adapter)
    assert not category.healable
    assert category is Category.CODE, found


@pytest.mark.parametrize("name", ["aws", "spark_codes"])
def test_tables_of_codes_hold_codes(name: str) -> None:
    """Their rows have codes, and other tables need not repeat them; the one catch-all says so."""
    rows = raw_table(name)["signatures"]
    assert [row["id"] for row in rows if not row.get("codes")] in ([], ["spark_codes/other-class"])
    assert len(table(name).by_code) >= len(rows) - 1
