"""The tables of known errors, as data."""

from __future__ import annotations

import re

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures import FAMILIES, WAREHOUSES, Signature, all_signatures, tables_for

NESTED_REPEAT = re.compile(r"[*+}]\)[*+]|\.[*+]")
"""A repeat of a repeat, or a dot without a bound: what makes a search slower than linear."""


@pytest.mark.parametrize("signature", all_signatures(), ids=lambda signature: signature.pattern)
def test_every_signature_is_complete_and_searches_in_linear_time(signature: Signature) -> None:
    """Each line compiles, matches no empty text, names its source and meaning, and repeats nothing unbounded."""
    assert not signature.found_in("")
    assert signature.source.strip()
    assert signature.name.strip()
    assert not NESTED_REPEAT.search(signature.pattern)


def test_no_line_stands_twice() -> None:
    """A pattern that stands twice has one line that can never match."""
    patterns = [signature.pattern for signature in all_signatures()]
    assert sorted(patterns) == sorted(set(patterns))


@pytest.mark.parametrize("adapter", [*WAREHOUSES, *FAMILIES, None, "nobody-knows"])
def test_tables_are_the_same_for_each_adapter_and_only_their_order_differs(adapter: str | None) -> None:
    """Whatever the adapter, dbt's own table comes first, the general one last, and each table once."""
    tables = tables_for(adapter)
    assert (tables[0], tables[-1]) == (tables_for(None)[0], tables_for(None)[-1])
    assert sorted(map(id, tables)) == sorted(map(id, tables_for(None)))


def test_the_adapters_own_table_is_tried_before_the_others() -> None:
    """Redshift's meaning of a text wins over PostgreSQL's on Redshift, and the other way round."""
    redshift, postgres = WAREHOUSES["redshift"], WAREHOUSES["postgres"]
    assert tables_for("redshift")[1:3] == (redshift, postgres)
    assert tables_for("postgres")[1] == postgres


def test_a_wrong_pattern_is_named() -> None:
    """A user's pattern that is not a regular expression is refused with the pattern in the message."""
    with pytest.raises(ValueError, match="signature pattern '\\('"):
        Signature(Category.CODE, "(", "ours", "odd").found_in("text")


def test_what_a_rerun_may_heal() -> None:
    """Exactly the transient, the throttled and the timed out may be healed by running again."""
    healable = {category for category in Category if category.healable}
    assert healable == {Category.TRANSIENT, Category.THROTTLED, Category.TIMED_OUT}
