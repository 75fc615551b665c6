"""A copy of the example project with its own warehouse and its own ``failures.json``."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.local.dbt.runner import DbtRunner
from tests.support import EXAMPLE_PROJECT, GENEROUS


class Shop:
    """A copy of the example project. All its files are below ``root``, so two shops share nothing."""

    def __init__(self, root: Path) -> None:
        self.project = root / "project"
        self.state = root / "state"
        self.log = root / "dbt.log"
        self.warehouse = root / "warehouse.duckdb"
        self.state.mkdir(parents=True)
        shutil.copytree(EXAMPLE_PROJECT, self.project)

    @property
    def env(self) -> dict[str, str]:
        """The environment of its commands."""
        names = {"DBT_LOCAL_WAREHOUSE": str(self.warehouse), "DBT_LOCAL_STATE": str(self.state)}
        return {**os.environ, **names}

    @property
    def text(self) -> str:
        """The output of all commands so far."""
        return self.log.read_text()

    def trouble(self, *requests: dict[str, Any]) -> None:
        """Request trouble in the format of the project's README."""
        (self.state / "failures.json").write_text(json.dumps(requests))

    async def dbt(self, runner: DbtRunner, *args: str) -> int:
        """Run one command and return its exit code."""
        return await runner.run(args, cwd=self.project, env=self.env, log=self.log)

    async def until_troubled(self, node: str) -> None:
        """Wait until the trouble of a node has started."""
        await until(lambda: bool(list(self.state.glob(f"troubled.{node}.*"))))

    def results(self) -> dict[str, dict[str, Any]]:
        """Return the results of the last command by the name of the node."""
        results = json.loads((self.project / "target" / "run_results.json").read_text())["results"]
        return {name_of(result["unique_id"]): result for result in results}

    def statuses(self) -> dict[str, str]:
        """Return the statuses of the last command by the name of the node."""
        return {name: result["status"] for name, result in self.results().items()}


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition that other processes bring about is true."""
    async with asyncio.timeout(GENEROUS):
        while not condition():  # noqa: ASYNC110 - other processes set no event
            await asyncio.sleep(0.05)


def name_of(unique_id: str) -> str:
    """Return the name that dbt shows: the last part of the id, or for a generic test the part before its hash."""
    kind, _, *parts = unique_id.split(".")
    return parts[0] if kind == "test" else parts[-1]
