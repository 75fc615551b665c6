"""A simulation of dbt-core that takes milliseconds: it reads the project's files and writes what dbt would write.

It needs neither dbt nor a warehouse, and builds nothing. :mod:`.project` reads the project. Failures are requested
in ``failures.json``, as in the example project.
"""

from __future__ import annotations

import argparse
import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from airflow_dbt_rerun.local.dbt.commands import subcommand_of
from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.dbt.project_copy import ProjectError
from airflow_dbt_rerun.local.simulated.output import (
    Console,
    Result,
    metadata_of,
    write_manifest,
    write_run_results,
)
from airflow_dbt_rerun.local.simulated.project import Node, SimulatedProject
from airflow_dbt_rerun.local.simulated.request import (
    RUNS,
    UNFINISHED,
    PreviousRun,
    read_options,
    read_output,
    read_previous_run,
    selected_nodes,
)
from airflow_dbt_rerun.local.simulated.trouble import trouble_of
from airflow_dbt_rerun.local.simulated.versions import SIMULATED_VERSIONS

_NODES_FAILED, _NOT_STARTED = 1, 2
"""dbt's exit codes."""


class SimulatedRunner:
    """Simulates commands of dbt-core: writes the log and the artifacts that dbt would write.

    :param seconds: the time that each command takes before its first node
    """

    one_at_a_time: Final = False  # there is no warehouse to share

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    async def start(self) -> None:
        """Do nothing: no preparation is needed."""

    async def run(self, args: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> int:
        """Simulate one command; if cancelled, ``run_results.json`` contains the finished nodes only.

        dbt does the same on SIGINT, so a retry does not run the nodes that were not started.
        """
        with log.open("a") as file:
            console = Console(file, colours=env.get("DBT_USE_COLORS") == "true")
            console.write(f"Running with dbt={SIMULATED_VERSIONS[Engine.CORE]}")
            try:
                return await self._command(args, cwd, env, console)
            except (ProjectError, argparse.ArgumentError) as error:
                console.write("Encountered an error:", f"Runtime Error\n  {error}")
                return _NOT_STARTED

    async def close(self) -> None:
        """Do nothing: cancelling a command ends it."""

    async def _command(self, args: Sequence[str], cwd: Path, env: Mapping[str, str], console: Console) -> int:
        which = subcommand_of(args)
        if which not in (*RUNS, "retry", "deps"):
            console.write(f"Error: No such command '{which or ' '.join(args)}' in the simulated dbt.")
            return _NOT_STARTED
        await asyncio.sleep(self._seconds)
        if which == "deps":
            console.write("Packages are not needed by the simulated dbt.")
            return 0
        return await _Invocation(read_options(args), SimulatedProject(cwd), cwd, env, console).run(which, args)


class _Invocation:
    """One invocation of a command that runs nodes."""

    def __init__(
        self,
        options: argparse.Namespace,
        project: SimulatedProject,
        cwd: Path,
        env: Mapping[str, str],
        console: Console,
    ) -> None:
        self._options = options
        self._project = project
        self._target = cwd / "target"
        self._state = Path(env["DBT_LOCAL_STATE"])
        self._output = read_output(Path(env["DBT_PROFILES_DIR"]), options.target)
        self._id = str(uuid.uuid4())
        self._metadata = metadata_of(self._id, self._output.adapter, env)
        self._console = console
        self._results: list[Result] = []

    async def run(self, which: str, args: Sequence[str]) -> int:
        """Run the selected nodes and return dbt's exit code."""
        previous = _previous_run(self._options.state or self._target) if which == "retry" else None
        which = previous.which if previous else which
        selected = previous.unfinished if previous else selected_nodes(self._project, which, self._options)
        self._target.mkdir(exist_ok=True)
        write_manifest(self._target, self._project, self._metadata)
        command = {"which": which, "invocation_command": " ".join(["dbt", *args])}
        selection = {"select": self._options.select, "exclude": self._options.exclude}
        try:
            await self._run(selected, tests_block=which == "build")
        finally:
            write_run_results(self._target, self._results, self._metadata, {**command, **selection})
        return _NODES_FAILED if any(result.is_failure for result in self._results) else 0

    async def _run(self, selected: frozenset[str], *, tests_block: bool) -> None:
        began = datetime.now(UTC)
        todo = [key for key in self._project.order(tests_block=tests_block) if key in selected]
        self._console.found(self._project)
        if not todo:
            self._console.write("Nothing to do. Try checking your model configs and model specification args")
            return
        threads = f"Concurrency: {self._output.threads} threads (target='{self._output.name}')"
        self._console.write("", threads, "")
        blocking: set[str] = set()
        for position, key in enumerate(todo, 1):
            blocked = bool(blocking & self._project.waits_for(key, tests_block=tests_block))
            result = await self._node(self._project.nodes[key], f"{position} of {len(todo)}", blocked=blocked)
            blocking |= {key} if result.status in UNFINISHED else set()
        self._console.summary(self._results, (datetime.now(UTC) - began).total_seconds())

    async def _node(self, node: Node, place: str, *, blocked: bool) -> Result:
        started = datetime.now(UTC)
        if blocked:
            result = Result(node, "skipped", None, None, started, started)
        else:
            self._console.started(node, self._output.schema, place)
            status, message, failures = await self._outcome(node)
            result = Result(node, status, message, failures, started, datetime.now(UTC))
        self._results.append(result)
        self._console.ended(result, self._output.schema, place)
        return result

    async def _outcome(self, node: Node) -> tuple[str, str | None, int | None]:
        """Return the status, message and number of failures of a node: success unless trouble is requested."""
        trouble = trouble_of(node.name, self._state, self._id)
        await asyncio.sleep(trouble.seconds)
        if trouble.message:
            where = f"{node.resource_type} {node.name} ({node.path})"
            return "error", f"Runtime Error in {where}\n  Invalid Input Error: {trouble.message}", None
        if node.resource_type != "test":
            return "success", "OK", None
        if trouble.failures:
            rows = f"{trouble.failures} result{'' if trouble.failures == 1 else 's'}"
            return "fail", f"Got {rows}, configured to fail if != 0", trouble.failures
        return "pass", None, 0


def _previous_run(state: Path) -> PreviousRun:
    """Read the results that a retry resumes.

    :raises ProjectError: if there are no results
    """
    try:
        return read_previous_run(state)
    except OSError as error:
        raise ProjectError(f"Could not find previous run in '{state}' target directory") from error
