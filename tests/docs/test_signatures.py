"""What docs/signatures.md says is so."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures import FAMILIES, WAREHOUSES, all_signatures, own, tables_for
from airflow_dbt_rerun.core.signatures.signature import Signature

PAGE = Path(__file__).parents[2] / "docs" / "signatures.md"
START, END = "<!-- table -->\n", "<!-- end of table -->"


def table() -> str:
    """Write the table of what is built in: for each adapter the lines of its own table and of its relatives'."""
    rows = ["| adapter | signatures | also |", "|---|---:|---|"]
    for adapter in sorted({*WAREHOUSES, *FAMILIES}):
        family = FAMILIES.get(adapter, (adapter,))
        count = sum(len(WAREHOUSES[name]) for name in family)
        also = ", ".join(name for name in family if name != adapter)
        rows.append(f"| {adapter} | {count} | {f'with {also}' if also else ''} |")
    first, *_ = tables_for(None)
    general = len(all_signatures()) - len(first) - sum(map(len, WAREHOUSES.values()))
    rows += [f"| dbt itself | {len(first)} | for every adapter |"]
    rows += [f"| general | {general} | for every adapter: network, HTTP, TLS, DNS, git, other warehouses |"]
    return "\n".join(rows) + "\n"


def written(page: str) -> str:
    """Put the table into the page."""
    before, _, rest = page.partition(START)
    return f"{before}{START}{table()}{END}{rest.partition(END)[2]}"


def test_the_table_of_adapters_is_true() -> None:
    """After a change of the tables: ``python -m tests.docs.test_signatures`` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == written(PAGE.read_text(encoding="utf-8"))


def test_the_examples_are_accepted() -> None:
    """The list in YAML can be copied unchanged, and equals the one in code."""
    page = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (code,) = re.findall(r"signatures=(\[.*?\n    \])", page, re.DOTALL)
    in_code = eval(code, {"Signature": Signature, "Category": Category})  # noqa: S307 - our own page
    in_data = own.read(yaml.safe_load(block))
    assert [(one.category, one.pattern) for one in in_data] == [
        (one.category, one.pattern) for one in own.check(in_code)
    ]


def test_all_categories_are_listed() -> None:
    """The page names each category that a user may write."""
    (row,) = (line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `category`"))
    assert re.findall(r"`(\w+)`", row)[1:] == [str(category) for category in Category]


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
