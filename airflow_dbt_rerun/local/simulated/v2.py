"""A simulation of dbt v2 that takes milliseconds, with what sets it apart from dbt-core.

Whatever stops a command outside a node leaves placeholders on all selected nodes, and the cause only in the log; a
microbatch model that fails is in no result; a parse error records only the nodes that have it; ``dbt retry`` knows
no option of the command that it resumes. All of it was seen on dbt 2.0.0-preview.196 (``tests/data/v2``). What
happens is requested in ``failures.json``.
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
from airflow_dbt_rerun.local.simulated.output import metadata_without_adapter, write_manifest, write_run_results
from airflow_dbt_rerun.local.simulated.project import SimulatedProject
from airflow_dbt_rerun.local.simulated.request import (
    RUNS,
    Output,
    PreviousRun,
    UnknownTargetError,
    read_options,
    read_output,
    read_previous_run,
    selected_nodes,
)
from airflow_dbt_rerun.local.simulated.v2_output import NOTHING_TO_RETRY, V2Console, unknown_target, unreadable
from airflow_dbt_rerun.local.simulated.v2_work import V2Work

_FAILED, _INVALID = 1, 2
"""dbt's exit codes; the second is for a command line that it cannot read."""


class SimulatedV2Runner:
    """Simulates commands of dbt v2: writes the log and the artifacts that dbt would write.

    :param seconds: the time that each command takes before its first node
    """

    one_at_a_time: Final = False  # there is no warehouse to share

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    async def start(self) -> None:
        """Do nothing: no preparation is needed."""

    async def run(self, args: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> int:
        """Simulate one command; if cancelled, ``run_results.json`` has a placeholder for each selected node."""
        which = subcommand_of(args)
        with log.open("a") as file:
            console = V2Console(file)
            try:
                options = read_options(args)
            except argparse.ArgumentError as error:
                console.write(f"error: {error}")
                return _INVALID
            if which not in (*RUNS, "retry", "deps"):
                console.write(f"error: unrecognized subcommand '{which or ' '.join(args)}' in the simulated dbt")
                return _INVALID
            console.version()
            await asyncio.sleep(self._seconds)
            return await _Command(which, options, cwd, env, console).run()

    async def close(self) -> None:
        """Do nothing: cancelling a command ends it."""


class _NotStartedError(Exception):
    """Nothing was read yet: no results are written, and older ones stay."""


class _Command:
    """One command."""

    def __init__(
        self, called: str, options: argparse.Namespace, cwd: Path, env: Mapping[str, str], console: V2Console
    ) -> None:
        self._called = called
        self._options = options
        self._cwd = cwd
        self._target = cwd / "target"
        self._profiles, self._state = Path(env["DBT_PROFILES_DIR"]), Path(env["DBT_LOCAL_STATE"])
        self._id = str(uuid.uuid4())
        self._metadata = metadata_without_adapter(Engine.V2, self._id, env)
        self._console = console
        self._began = datetime.now(UTC)

    async def run(self) -> int:
        """Run the command and return dbt's exit code."""
        if self._called == "deps":
            return self._finish(None)
        try:
            previous = self._previous_run() if self._called == "retry" else None
            self._console.loading()
            output, project = self._output(), SimulatedProject(self._cwd)
        except (_NotStartedError, ProjectError) as error:
            return self._finish(self._options.target, errors=[str(error)])
        return await self._run(self._work(project, output, previous), output, previous)

    async def _run(self, work: V2Work, output: Output, previous: PreviousRun | None) -> int:
        self._target.mkdir(exist_ok=True)
        write_manifest(self._target, work.project, {**self._metadata, "adapter_type": output.adapter})
        try:
            await work.run()
        finally:
            which = previous.which if previous else self._called
            args = {"command": which, "which": which}
            args_of_v2 = {**args, "__other__": {**args, "static_analysis": None}}  # no other option is recorded
            write_run_results(self._target, work.results, self._metadata, args_of_v2)
            code = self._finish(output.name, work.errors, work.warnings, work)
        return code

    def _work(self, project: SimulatedProject, output: Output, previous: PreviousRun | None) -> V2Work:
        which = previous.which if previous else self._called
        selected = _resumed(project, previous) if previous else selected_nodes(project, which, self._options)
        order = project.order(tests_block=which == "build")
        return V2Work(
            project,
            [project.nodes[key] for key in order if key in selected],
            output.schema,
            tests_block=which == "build",
            fail_fast=self._options.fail_fast,
            state=self._state,
            invocation=self._id,
            console=self._console,
        )

    def _previous_run(self) -> PreviousRun:
        """Read what a retry resumes. It fails if there is nothing to resume, where dbt-core succeeds."""
        state = self._options.state or self._target
        try:
            previous = read_previous_run(state)
        except OSError as error:
            raise _NotStartedError(unreadable(state / "run_results.json")) from error
        if not previous.unfinished:
            raise _NotStartedError(NOTHING_TO_RETRY)
        self._console.retrying(len(previous.unfinished), previous.which)
        return previous

    def _output(self) -> Output:
        try:
            return read_output(self._profiles, self._options.target)
        except UnknownTargetError as error:
            raise _NotStartedError(unknown_target(error.profile, error.target)) from error

    def _finish(
        self,
        target: str | None,
        errors: Sequence[str] = (),
        warnings: Sequence[str] = (),
        work: V2Work | None = None,
    ) -> int:
        """Print the end of the output and return the exit code."""
        count = work.error_count if work else len(errors)
        seconds = (datetime.now(UTC) - self._began).total_seconds()
        self._console.problems(errors, warnings)
        self._console.finished(self._called, (count, len(warnings)), target, seconds)
        if work and work.nodes and work.is_parsed and self._called != "retry":
            self._console.counts(work.nodes, work.ended)
        return _FAILED if count else 0


def _resumed(project: SimulatedProject, previous: PreviousRun) -> frozenset[str]:
    """Return what a retry runs: the unfinished nodes that still exist, and all tests of them."""
    left = previous.unfinished & project.nodes.keys()
    tests = (key for key, node in project.nodes.items() if node.resource_type == "test")
    return left | {test for test in tests if project.parents(test) & left}
