"""Plain words, for drivers and servers that no table lists."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.classify_message import classify
from airflow_dbt_rerun.core.signatures import speakers


def said(text: str) -> Category:
    """Classify a sentence as a warehouse's answer, the warehouse being unknown."""
    return classify(f"Database Error in model m (models/m.sql)\n  {text}\n  compiled code at target/run/m.sql")


def test_plain_words_are_tried_last() -> None:
    """Whatever a table knows more exactly wins over plain words."""
    assert speakers("anything", "exasol").tables[-1] == "words"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the coordinator went away while the query was running, worker lost", Category.TRANSIENT),
        ("No alive backends", Category.TRANSIENT),
        ("Transaction collision: automatic transaction rollback", Category.TRANSIENT),
        ("Server overloaded, please slow down", Category.THROTTLED),
        ("API call quota of 100 per minute exceeded", Category.THROTTLED),
        ("execution took longer than 600 s", Category.TIMED_OUT),
        ("UDF 'f' expects 2 arguments, got 3", Category.CODE),
        ("Duplicate object name 'orders' in namespace", Category.CODE),
        ("account bob is suspended", Category.ACCESS),
        ("The access key provided is not valid", Category.ACCESS),
        ("statement exceeded the temporary disk quota of 10 GB", Category.RESOURCES),
        ("sort spilled too much: disk space exhausted", Category.RESOURCES),
    ],
)
def test_plain_words_say_what_kind_of_failure_it_is(text: str, expected: Category) -> None:
    """An unlisted driver's errors are still recognised if their words are plain."""
    assert said(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "connection_timeout must be a positive integer",
        "cannot specify both retries and timeout",
        "Invalid connection string: missing port",
        "Unknown setting retry_timeout",
        "Failed to parse connection timeout '10x'",
        "table services.unavailable not found",
        "expected INTEGER but found VARCHAR for column rate_limit",
        "permission to use connection pool denied",
        "Failed to connect, is your token valid?",
        "Limit for rows or bytes to read exceeded: max bytes 100 GiB",
    ],
)
def test_permanent_words_outrank_words_that_heal(text: str) -> None:
    """A permanent error does not heal because it speaks of connections, limits or timeouts."""
    assert not said(text).healable


@pytest.mark.parametrize(
    "text",
    [
        "Something went wrong",
        "Query failed",
        "An error occurred",
        "Query was cancelled",
        "the timeout column holds 429 values",
        "Quota exceeded by org 12",
        "exit code 1",
        "Remote service cannot be reached. Check the endpoint URL and try again.",
    ],
)
def test_words_that_say_nothing_or_two_things_stay_unknown(text: str) -> None:
    """Neither "failed" nor "cancelled", nor an unspecified limit, is a reason to run again."""
    assert said(text) is Category.UNKNOWN
