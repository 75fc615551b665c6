"""What docs/signatures.md says is so."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures import adapters, own, table_names
from airflow_dbt_rerun.core.signatures.signature import Signature
from airflow_dbt_rerun.core.signatures.table import raw_table

PAGE = Path(__file__).parents[2] / "docs" / "signatures.md"
START, END = "<!-- table -->\n", "<!-- end of table -->"


def rows(name: str) -> int:
    """Count the rows of a table."""
    return len(raw_table(name)["signatures"])


def table() -> str:
    """Write the table of what is built in: for each adapter the rows of its tables; then the tables of all."""
    lines = ["| adapter | signatures | tables |", "|---|---:|---|"]
    for name, adapter in sorted(adapters().items()):
        tables = adapter["tables"]
        lines.append(f"| {name} | {sum(map(rows, tables))} | {', '.join(tables) or '(only those of all)'} |")
    owned = {name for adapter in adapters().values() for name in adapter["tables"]}
    lines += [f"| (all) | {rows(name)} | {name} |" for name in table_names() if name not in owned]
    return "\n".join(lines) + "\n"


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
    block, *_ = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
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
