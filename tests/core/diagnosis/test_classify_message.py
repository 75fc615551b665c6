"""What an error message means, and what people get to read of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.classify_message import classify, match
from airflow_dbt_rerun.core.diagnosis.cleaning import EVIDENCE_SIZE, evidence
from airflow_dbt_rerun.core.diagnosis.one_line import ONE_LINE, clean
from airflow_dbt_rerun.core.signatures import Signature

DATA = Path(__file__).parents[2] / "data"
CORPORA = ("messages.jsonl", "messages_held_out.jsonl")
"""The first taught the tables what they know; the second was gathered afterwards and only measures them."""

PERMANENT = set(Category) - {Category.TRANSIENT, Category.THROTTLED, Category.TIMED_OUT, Category.UNKNOWN}


def corpus(name: str) -> list[dict[str, Any]]:
    """Read a corpus: one message a line."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def share(answers: Iterable[bool]) -> float:
    """Return the share of those that hold."""
    held = list(answers)
    return sum(held) / len(held)


MESSAGES = corpus("messages.jsonl")
FRESH = [sample for path in sorted((DATA / "fresh").glob("*.jsonl")) for sample in corpus(f"fresh/{path.name}")]
"""Batches that were labelled before the tables had seen them; docs/diagnosis.md tells how they scored then."""


def test_every_message_of_the_corpus() -> None:
    """Each message in tests/data gets the category that a person gave it.

    Where the tables read a message otherwise than its label, "said" holds what they say: a miss, or a dispute.
    """
    found = {sample["id"]: _said(sample, adapter=sample["adapter"]) for sample in (*MESSAGES, *FRESH)}
    assert found == {sample["id"]: _expected(sample) for sample in (*MESSAGES, *FRESH)}


def test_not_knowing_the_adapter_heals_neither_more_nor_less() -> None:
    """Whether a rerun could heal a message does not hang on the adapter being known."""
    found = {sample["id"]: _said(sample, adapter=None).healable for sample in MESSAGES}
    assert found == {sample["id"]: _expected(sample).healable for sample in MESSAGES}


def _said(sample: dict[str, Any], *, adapter: str | None) -> Category:
    return _classified(sample["message"], adapter, sample["node_status"])


@cache
def _classified(message: str, adapter: str | None, node_status: str | None) -> Category:
    return classify(message, adapter=adapter, node_status=node_status)


def _expected(sample: dict[str, Any]) -> Category:
    return Category(sample.get("said", sample["category"]))


@pytest.mark.parametrize("name", CORPORA)
def test_accuracy_is_what_is_promised(name: str) -> None:
    """95 % right on whether a rerun could heal it, 90 % on the category; 1 % of permanent ones called healable."""
    samples = corpus(name)
    said = [_said(each, adapter=each["adapter"]) for each in samples]
    labels = [Category(each["category"]) for each in samples]
    permanent = [found for found, label in zip(said, labels, strict=True) if label in PERMANENT]
    assert share(found == label for found, label in zip(said, labels, strict=True)) >= 0.90
    assert share(found.healable == label.healable for found, label in zip(said, labels, strict=True)) >= 0.95
    assert share(found.healable for found in permanent) <= 0.01


@pytest.mark.parametrize(
    "text", [None, "", " \n ", "dbt command failed", "no such words anywhere", "\x1b[31m\x1b[0m"]
)
def test_nothing_known_is_unknown(text: str | None) -> None:
    """A text without any known error is unknown, never transient."""
    assert match(text) == (Category.UNKNOWN, None)


def test_a_failed_test_is_a_failed_test() -> None:
    """The node status ``fail`` decides, whatever the text and the user's signatures say."""
    mine = Signature(Category.TRANSIENT, "deadlock", "ours", "ours")
    assert match("deadlock detected", node_status="fail", extra=[mine]) == (Category.TEST_FAILED, None)


@pytest.mark.parametrize(
    "words",
    [
        "connection reset by peer",
        "deadlock detected",
        "Read timed out",
        "HTTP 503: Service Unavailable",
        "rate limit exceeded",
    ],
)
@pytest.mark.parametrize(
    "frame",
    [
        'Database Error in model m (models/m.sql)\n  column "{}" does not exist',
        "Database Error in model m (models/m.sql)\n  syntax error at or near \"x\"\n  LINE 3: '{}'\n           ^",
        'Database Error in model m (models/m.sql)\n  invalid input syntax for type integer: "{}"',
        "Runtime Error in model m (models/m.sql)\n  Conversion Error: Could not convert string '{}' to INT32",
        "Database Error in model m (models/m.sql)\n  001003 (42000): SQL compilation error:\ninvalid name '{}'",
        'Database Error in model m (models/m.sql)\n  Could not cast literal "{}" to type INT64 at [1:8]',
        "Database Error in model m (models/m.sql)\n  [UNRESOLVED_COLUMN] `{}` is not there. SQLSTATE: 42703",
        "Database Error in model m (models/m.sql)\n  Syntax error: x\n  -----Query Job SQL Follows-----\n  1: {}",
        "Database Error in model m (models/{}.sql)\n  division by zero\n  compiled code at target/run/{}.sql",
        "Compilation Error in model m (models/m.sql)\n  the macro said: {}",
    ],
)
def test_words_in_names_values_sql_and_paths_are_not_the_error(frame: str, words: str) -> None:
    """What a user named, wrote or stored cannot make a permanent error look healable."""
    assert classify(frame.replace("{}", words)) is Category.CODE


@pytest.mark.parametrize("name", ["syntax_error", "permission_denied", "does_not_exist", "assert_no_deadlock"])
def test_a_name_does_not_hide_what_heals(name: str) -> None:
    """A node named after a permanent error can still be healed."""
    text = f"Database Error in test {name} (tests/{name}.sql)\n  server closed the connection unexpectedly"
    assert classify(text) is Category.TRANSIENT


@pytest.mark.parametrize("repeat", [1, 40_000])
def test_the_error_is_found_at_both_ends_of_a_long_text(repeat: int) -> None:
    """A long text is cut in the middle: its start and its end are read."""
    filler = "a line of no interest\n" * repeat
    assert classify(f"deadlock detected\n{filler}") is Category.TRANSIENT
    assert classify(f"{filler}deadlock detected") is Category.TRANSIENT


@pytest.mark.parametrize(
    "piece", ["a", "'", "'a ", '"', "`", "(", "/a", "Aa ", "Error('", "\x1b[", "\n", "connection "]
)
def test_a_huge_message_is_bounded_before_anything_is_searched(piece: str) -> None:
    """A message of a megabyte costs no more than one of a few kilobytes, since only a part of it is read."""
    message = piece * (1_000_000 // len(piece))
    assert len(evidence(message)) <= EVIDENCE_SIZE + 1
    assert len(clean(message)) <= ONE_LINE


def test_own_signatures_come_first_and_see_names() -> None:
    """A user's rule wins over the tables and may speak about a table's name."""
    text = 'Database Error in model m (models/m.sql)\n  relation "raw.events" does not exist\n  LINE 3: x'
    mine = Signature(Category.TRANSIENT, r'relation "raw\.events" does not exist', "our loader", "loader swaps it")
    assert match(text, adapter="postgres", extra=[mine]) == (Category.TRANSIENT, mine)
    assert classify(text, adapter="postgres") is Category.CODE


def test_match_says_by_which_line_it_knows() -> None:
    """The signature found names its source, so that a decision can be checked."""
    category, signature = match("deadlock detected", adapter="postgres")
    assert (category, signature and signature.source) == (Category.TRANSIENT, "PostgreSQL 40P01")


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            'Database Error in model m (m.sql)\n  relation "x" does not exist\n  LINE 2: select 1\n          ^\n',
            'relation "x" does not exist',
        ),
        (
            "07:34:37    Database Error in model a (a.sql)\n  001003 (42000): wrong\n07:34:37  Done. PASS=1",
            "001003 (42000): wrong",
        ),
        ("Database Error in model m (m.sql)\n  division by zero\n  compiled code at run/m.sql", "division by zero"),
        ("Runtime Error in model z1 (models/z1.sql)\n  Invalid Input Error: Reset", "Invalid Input Error: Reset"),
        (
            "Compilation Error in macro m (macros/m.sql)\n  said no\n  > in macro m (macros/m.sql)",
            "Compilation Error: said no",
        ),
        ("\x1b[31mactual\x1b[0m differs from expected:\n\n@@,id,name\n→ ,2→1,a", "actual differs from expected:"),
        ("Got 89 results, configured to fail if != 0", "Got 89 results, configured to fail if != 0"),
        ("07:00:00  Failure in model m (m.sql)\n07:00:00    deadlock detected", "deadlock detected"),
        ("Database Error in model m (models/m.sql)", "Database Error:"),
        ("", ""),
    ],
)
def test_clean_leaves_one_line_for_people(message: str, expected: str) -> None:
    """People read the error itself: no colours, frame, SQL, caret, path of compiled code or log time."""
    assert clean(message) == expected


@pytest.mark.parametrize(
    "message",
    [
        "Conversion Error: Could not convert string 'S3CRET' to INT32",
        'invalid input syntax for type integer: "S3CRET"',
        'date/time field value out of range: "S3CRET"',
        'duplicate key value violates unique constraint "k"\nDETAIL:  Key (email)=(S3CRET) already exists.',
        'null value in column "id" violates not-null constraint\nDETAIL:  Failing row contains (1, S3CRET).',
        "Numeric value 'S3CRET' is not recognized",
        "Bad int64 value: S3CRET",
        "Duplicate entry 'S3CRET' for key 'users.email'",
        "Cannot insert duplicate key. The duplicate key value is (S3CRET).",
        "Conversion Error: CSV Error on Line: 2\nOriginal Line: 1,S3CRET,bank",
        "syntax error at or near \"x\"\nLINE 3: where email = 'S3CRET'\n        ^",
        "HTTP Error: HTTP GET error on 'https://bucket.example/x.parquet?signature=S3CRET'",
        "Unable to connect to https://bucket.example/x.parquet?signature=S3CRET now",
        "[SQL: select 'S3CRET']",
        "== SQL ==\nselect S3CRET",
    ],
)
def test_clean_shows_no_values(message: str) -> None:
    """Values, SQL and signed addresses stay out of the line that goes to logs and XCom."""
    assert "S3CRET" not in clean(f"Database Error in model m (models/m.sql)\n{message}")
