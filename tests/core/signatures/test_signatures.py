"""The tables of known errors, as data."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.classify_message import match
from airflow_dbt_rerun.core.signatures import Signature, adapters, all_signatures, own, speakers, table_names
from airflow_dbt_rerun.core.signatures.examples import adapter_of, problems
from airflow_dbt_rerun.core.signatures.table import FOLDER, raw_table, table

NESTED_REPEAT = re.compile(r"[*+}]\)[*+]|\.[*+]")
"""A repeat of a repeat, or a dot without a bound: what makes a search slower than linear."""

IDS = [(name, row["id"]) for name in table_names() for row in raw_table(name)["signatures"]]


@pytest.mark.parametrize("name", table_names())
def test_every_signature_is_complete_and_searches_in_linear_time(name: str) -> None:
    """Each line compiles, matches no empty text, names its source and meaning, and repeats nothing unbounded."""
    for signature in table(name):
        assert not signature.found_in(""), signature
        assert signature.source.strip(), signature
        assert signature.name.strip(), signature
        assert not NESTED_REPEAT.search(signature.pattern), signature


@pytest.mark.parametrize("name", table_names())
def test_every_row_decides_its_examples(name: str) -> None:
    """A row without an example is refused: nobody could see what it is for."""
    rows = raw_table(name)["signatures"]
    found = problems(rows, adapter_of(name), lambda text, adapter: match(text, adapter=adapter)[1])
    assert list(found) == []


@pytest.mark.parametrize("name", [name for name in table_names() if not name.endswith("_languages")])
def test_every_row_could_be_written_by_a_user(name: str) -> None:
    """The tables are in the format of docs/signatures.md: what they hold passes the check of users' own.

    Those that a tool writes are plain texts, and many.
    """
    assert own.read(raw_table(name), name)


def test_every_table_is_read() -> None:
    """A file that no adapter names would be dead."""
    assert sorted(path.stem for path in FOLDER.glob("*.toml")) == sorted(table_names())


def test_ids_are_unique_and_name_their_table() -> None:
    """An id is what a team disables or overrides."""
    assert [identity for (_, identity), count in Counter(IDS).items() if count > 1] == []
    assert [identity for name, identity in IDS if not re.fullmatch(rf"{name}/[a-z0-9-]+", identity)] == []


def test_no_line_stands_twice() -> None:
    """A pattern that stands twice in what is read for one adapter has one line that can never match."""
    for adapter in adapters():
        lines = [(one.pattern, one.also) for one in all_signatures() if _is_of(one, adapter)]
        assert [line for line, count in Counter(lines).items() if count > 1] == []


def _is_of(signature: Signature, adapter: str) -> bool:
    return signature.id.partition("/")[0] in adapters()[adapter]["tables"]


def test_a_known_adapter_reads_its_own_tables_only() -> None:
    """dbt's own table first, what no warehouse owns last, and no other warehouse's."""
    heard = speakers("canceling statement due to lock timeout", "redshift")
    assert heard.tables[:4] == ("dbt", "runners", "aws", "redshift")
    assert heard.tables[-1] == "words"
    assert not {"snowflake", "bigquery", "trino"} & set(heard.tables)


def test_a_sign_lets_another_warehouse_speak() -> None:
    """A federated query on Trino fails with Oracle's code."""
    assert match("ORA-00060: deadlock detected while waiting", adapter="trino")[1] is not None
    assert "oracle" in speakers("ORA-00060: deadlock detected", "trino").tables


@pytest.mark.parametrize(
    ("text", "adapter", "healable"),
    [
        ("Warehouse 'X' was suspended", "bigquery", False),
        ("snapshot isolation", None, False),
        ("queued", None, False),
    ],
)
def test_a_short_phrase_of_another_warehouse_does_not_heal(
    text: str, adapter: str | None, *, healable: bool
) -> None:
    """Two words are no sign: what they mean depends on who says them."""
    assert match(text, adapter=adapter)[0].healable is healable


@pytest.mark.parametrize("adapter", [*adapters(), None, "nobody-knows"])
def test_tables_of_an_unknown_adapter(adapter: str | None) -> None:
    """Whatever the adapter, each table is tried at most once."""
    tables = speakers("ORA-00060 [Microsoft] psycopg2 snowflake", adapter or "").tables
    assert len(tables) == len(set(tables))


def test_a_wrong_pattern_is_named() -> None:
    """A user's pattern that is not a regular expression is refused with the pattern in the message."""
    with pytest.raises(ValueError, match="signature pattern '\\('"):
        Signature(Category.CODE, "(", "ours", "odd").found_in("text")


def test_what_a_rerun_may_heal() -> None:
    """Exactly the transient, the throttled and the timed out may be healed by running again."""
    healable = {category for category in Category if category.healable}
    assert healable == {Category.TRANSIENT, Category.THROTTLED, Category.TIMED_OUT}
