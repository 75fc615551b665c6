"""Which test is collected first: those that run Airflow and dbt, the longest ones."""

from __future__ import annotations

import pytest


def longest_first(items: list[pytest.Item]) -> None:
    """Sort tests by file: those that run Airflow, those that run dbt, then the many that are quick."""
    ranks: dict[str, int] = {}
    for item in items:
        rank = 0 if item.get_closest_marker("airflow") else 1 if item.get_closest_marker("dbt") else 2
        ranks[_file(item)] = min(rank, ranks.get(_file(item), rank))
    items.sort(key=lambda item: (ranks[_file(item)], "tests/system" not in item.nodeid))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
