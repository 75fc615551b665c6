"""The order of test files: those that wait for Airflow and those that run dbt in turn, then the quick ones.

With ``--no-loadscope-reorder`` pytest-xdist hands files out in this order. So few Airflows run at once, which
two cores would be too few for, and at the end no worker waits for another that has just begun a long file.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, zip_longest
from pathlib import Path

import pytest


def in_turn(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the tests, file by file."""
    files: dict[Path, list[pytest.Item]] = defaultdict(list)
    for item in items:
        files[item.path].append(item)
    airflow, dbt, quick = (
        [file for file in files.values() if _needs(file) == what] for what in ("airflow", "dbt", "")
    )
    none: list[pytest.Item] = []
    slow = [file for pair in zip_longest(airflow, dbt, fillvalue=none) for file in pair]
    return list(chain.from_iterable([*slow, *quick]))


def _needs(file: list[pytest.Item]) -> str:
    """Name the slowest thing that a file needs."""
    markers = {marker.name for item in file for marker in item.iter_markers()}
    return "airflow" if "airflow" in markers else "dbt" if markers & {"dbt", "v2"} else ""
