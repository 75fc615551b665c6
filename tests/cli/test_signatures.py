"""``airflow-dbt-rerun signatures``: list, check and try the known errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_dbt_rerun.cli.main import main
from airflow_dbt_rerun.core.signatures import table_names
from airflow_dbt_rerun.core.signatures.table import raw_table

OWN = """
disable = ["postgres/deadlock"]

[[signatures]]
id = "finance/frozen"
category = "code"
name = "frozen by finance"
pattern = 'finance\\.\\w+ is frozen'
examples = ["finance.orders is frozen"]
not_examples = ["marketing.orders is frozen"]
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; give its exit status, and what it wrote on standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = main(["signatures", *map(str, arguments)])
        return status, *capsys.readouterr()

    return call


@pytest.fixture
def message(tmp_path: Path) -> Path:
    """A message in a file."""
    path = tmp_path / "message.txt"
    path.write_text("Database Error in model orders (models/orders.sql)\n  deadlock detected\n")
    return path


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A file of a team's own signatures."""
    path = tmp_path / "own.toml"
    path.write_text(OWN)
    return path


def test_all_are_listed(run: Run) -> None:
    """One line each, with id, category, name and source."""
    status, page, _ = run()
    rows = [row for name in table_names() for row in raw_table(name)["signatures"]]
    assert (status, len(page.splitlines())) == (0, len(rows))
    assert "postgres/deadlock " in page


def test_those_of_one_adapter(run: Run) -> None:
    """Its own and its relatives' tables, in the order of trying."""
    ids = [json.loads(run("--adapter", "redshift", "--json")[1])[place]["id"] for place in (0, -1)]
    assert [identity.partition("/")[0] for identity in ids] == ["redshift", "postgres_languages"]


def test_unknown_adapter_is_refused(run: Run) -> None:
    """With the one that was probably meant."""
    status, _, errors = run("--adapter", "postgress")
    assert status == 2
    assert "did you mean 'postgres'?" in errors


def test_message_shows_what_decides_and_what_else_matches(run: Run, message: Path) -> None:
    """The first one decides."""
    status, page, _ = run("--test", message, "--adapter", "postgres")
    assert status == 0
    assert page.splitlines()[0] == "transient: deadlock detected"
    assert "decided by  postgres/deadlock " in page
    assert "also matches  general/deadlock " in page


def test_disabled_signature_decides_no_more(run: Run, message: Path, own: Path) -> None:
    """A team's file takes rows out by their id."""
    page = json.loads(run("--test", message, "--adapter", "postgres", "--signatures", own, "--json")[1])
    assert next(row["id"] for row in page["matching"]) == "general/deadlock"


def test_message_that_nothing_matches(run: Run, tmp_path: Path) -> None:
    """It is unknown, and the exit status says so."""
    path = tmp_path / "odd.txt"
    path.write_text("zzz")
    assert run("--test", path)[:2] == (1, "unknown: zzz\n")


def test_examples_of_ones_own_are_tried(run: Run, own: Path) -> None:
    """They come first in the list."""
    status, page, errors = run("--signatures", own)
    assert (status, errors) == (0, "")
    assert page.startswith("finance/frozen ")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (
            "finance.orders is frozen",
            "orders are frozen",
            "finance/frozen: no signature decides the example 'orders",
        ),
        ("marketing.orders", "finance.orders", "which is not one of its examples"),
        ("postgres/deadlock", "postgres/deadlok", "did you mean 'postgres/deadlock'?"),
        ('category = "code"', 'category = "kode"', "there is no category 'kode'; did you mean 'code'?"),
        ("[[signatures]]", "[[signatures]", "not valid"),
    ],
)
def test_what_is_wrong_with_ones_own_is_told(run: Run, own: Path, old: str, new: str, words: str) -> None:
    """One line that names the file, and exit status 1."""
    own.write_text(OWN.replace(old, new))
    status, _, errors = run("--signatures", own)
    assert status == 1
    assert words in errors
    assert str(own) in errors
