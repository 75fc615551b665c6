"""The run that a job's latest rerun repairs."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_dbt_rerun.api.endpoints import Page
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.engine.reader import RunReader
from tests.core.builders import run


class Listed:
    """Answers every request with these runs."""

    def __init__(self, *runs: Run) -> None:
        self._runs = Page(runs)

    def send(self, _: Any) -> Any:
        """Return the runs."""
        return self._runs


@pytest.mark.parametrize(
    ("parents", "root"),
    [({1: None, 2: 1, 3: 2}, 1), ({3: 2}, 2), ({1: 2, 2: 1}, 2), ({1: 1}, 1), ({}, None)],
    ids=["chain", "first not listed", "circle", "itself", "no run"],
)
def test_the_root_is_found_even_if_runs_repair_each_other(parents: dict[int, int | None], root: int | None) -> None:
    """A platform that contradicts itself must not keep the task busy for ever."""
    listed = Listed(*(run(run_id, retrying_run_id=parent) for run_id, parent in parents.items()))
    assert RunReader(listed).root_of_latest(7) == root
