"""What Airflow, Docker, Kubernetes and others put before dbt's lines says nothing about the error."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.classify_message import classify
from airflow_dbt_rerun.core.diagnosis.one_line import clean
from airflow_dbt_rerun.core.diagnosis.runners import without_runners

LINE = "could not translate the words of this error"
PREFIXES = [
    "[2025-05-04, 02:10:44 UTC] {subprocess.py:93} INFO - ",
    "[2022-01-26 00:51:50,823] {taskinstance.py:1235} ERROR - ",
    "[2024-01-16T13:07:18.062+0000] {eventmgr.py:57} ERROR - ",
    "[2025-05-04, 02:10:44 UTC] {pod_manager.py:484} INFO - [base] ",
    "[2025-05-04T02:10:44.123456Z] ERROR - ",
    "2025-02-24T10:18:08.1020311Z ",
    "2025-02-24T10:18:08.102Z 10:18:08  ",
    "2025-02-24 10:18:08,102 ",
    "24/05/17 02:00:31 ERROR SparkContext: ",
    "[pod/dbt-build-7f9c/base] ",
    "dbt-runner-28114580-x7x2p dbt  ",
    "dbt-1  | ",
    "\x1b[0m10:18:08  ",
    "[0m10:18:08  ",
    "^C",
]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_prefix_is_removed(prefix: str) -> None:
    """A year in brackets read as an SQLSTATE, and made code of all that was unknown."""
    assert clean(f"{prefix}{LINE}") == LINE
    assert classify(f"{prefix}{LINE}") is classify(LINE) is Category.UNKNOWN


@pytest.mark.parametrize("prefix", PREFIXES)
def test_error_behind_a_prefix_is_known(prefix: str) -> None:
    """The same error with and without the prefix is the same."""
    assert classify(f"{prefix}deadlock detected", adapter="postgres") is Category.TRANSIENT


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '{"log":"05:00:09  deadlock detected\\n","stream":"stderr","time":"2024-11-03T05:00:09Z"}',
            "deadlock detected",
        ),
        (
            '{"info": {"level": "error", "msg": "deadlock detected", "name": "MainEncounteredError"}}',
            "deadlock detected",
        ),
        ('{"timestamp":"2025-05-04T02:10:44Z","level":"error","event":"deadlock detected"}', "deadlock detected"),
    ],
)
def test_line_of_json_says_what_it_logs(line: str, said: str) -> None:
    """Docker, dbt and Airflow 3 write JSON."""
    assert clean(line) == said


def test_debug_line_of_json_is_dropped() -> None:
    """What dbt tells its developers is no error."""
    assert without_runners('{"info": {"level": "debug", "msg": "Acquiring new connection"}}\nlock') == "\nlock"


@pytest.mark.parametrize(
    "text", ["", "a | b", '{"error": {"code": 503}}', '{"a": ', "[2025] is a year", "2025-01-01 is a date of a row"]
)
def test_other_text_stays(text: str) -> None:
    """What only resembles a prefix is part of the error."""
    assert without_runners(text) == text
