"""The line that a person reads of a whole log."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.core.diagnosis.classify_message import match
from airflow_dbt_rerun.core.diagnosis.json_log import log_text
from airflow_dbt_rerun.core.diagnosis.logs import error_block
from airflow_dbt_rerun.core.diagnosis.one_line import ONE_LINE, clean

LOGS = Path(__file__).parents[2] / "data" / "log_lines.jsonl"
TABLE = [json.loads(line) for line in LOGS.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["id"])
def test_log_is_said_on_the_line_that_decided(row: dict[str, Any]) -> None:
    """No prefix, no progress, no help text, no names of accounts and users; the word that is the point stays."""
    block = error_block(log_text(row["log"]))
    _, known = match(block, adapter=row["adapter"])
    assert clean(block, known) == row["line"]
    assert len(row["line"]) <= ONE_LINE


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            "Compilation Error\n  expected token ':', got 'Column'",
            "Compilation Error: expected token ':', got 'Column'",
        ),
        (
            "Encountered an error:\n'NoneType' object has no attribute 'execute'",
            "'…' object has no attribute 'execute'",
        ),
        ('invalid input syntax for type integer: "N/A"', 'invalid input syntax for type integer: "…"'),
        (
            "Conversion failed when converting the value 'John Doe' to int",
            "Conversion failed when converting the value '…' to int",
        ),
    ],
)
def test_the_word_that_is_the_point_stays(message: str, line: str) -> None:
    """A token of SQL or Jinja and a name are shown; a literal, which may be data, is not."""
    assert clean(message) == line


def test_the_block_of_the_connection_is_left_out() -> None:
    """``dbt debug`` prints account and user between the error's lines."""
    log = "Connection:\n  account: acme\n  user: ann\n  role: loader\nConnection test: [ERROR]\n\n250001: no answer"
    assert "ann" not in clean(log)
    assert "acme" not in clean(log)
