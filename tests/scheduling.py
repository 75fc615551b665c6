"""Which test runs when, and in which worker of pytest-xdist: the longest first, or one worker would end alone."""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling


class LongestFirst(LoadFileScheduling):  # type: ignore[misc]
    """Distribute files in the order in which they were collected; xdist would begin with those of most tests."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)


def longest_first(items: list[pytest.Item]) -> None:
    """Sort tests by file: those that run Airflow, those that run dbt, then the many that are quick."""
    ranks: dict[str, int] = {}
    for item in items:
        rank = 0 if item.get_closest_marker("airflow") else 1 if item.get_closest_marker("dbt") else 2
        ranks[_file(item)] = min(rank, ranks.get(_file(item), rank))
    items.sort(key=lambda item: (ranks[_file(item)], "tests/system" not in item.nodeid))


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]
