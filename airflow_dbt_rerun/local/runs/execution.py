"""Run the steps of one run."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol, TypeVar

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local import timestamps
from airflow_dbt_rerun.local.dbt.commands import dbt_arguments
from airflow_dbt_rerun.local.dbt.environment import dbt_environment
from airflow_dbt_rerun.local.dbt.paths import RESULT_FILES, StepFolder
from airflow_dbt_rerun.local.dbt.project_copy import ProjectError, copy_project, needs_deps, write_profile
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.records import JobRecord, RunRecord
from airflow_dbt_rerun.local.runs.retry_rules import DOCS, FRESHNESS

T = TypeVar("T")

FAILED = "dbt command failed"

SELECT_NOTHING = ("run", "--select", "no_node_has_this_name")
"""A command that succeeds without running a node, and writes empty results."""


class Runner(Protocol):
    """Runs dbt commands: :class:`~airflow_dbt_rerun.local.dbt.runner.DbtRunner`, or a simulation of it."""

    @property
    def one_at_a_time(self) -> bool:
        """Whether commands must take turns if the warehouse is a file."""
        ...

    async def start(self) -> None:
        """Prepare to run commands."""

    async def run(self, args: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> int:
        """Run one command and return its exit code; a cancellation ends the command before it propagates."""
        ...

    async def close(self) -> None:
        """End all commands and release all resources."""


class Execution:
    """The execution of one run.

    :param warehouse: held while a command runs if the warehouse admits one process only
    """

    def __init__(
        self, platform: Platform, runner: Runner, warehouse: asyncio.Lock, job: JobRecord, run: RunRecord
    ) -> None:
        self._platform = platform
        self._runner = runner
        self._job = job
        self._run = run
        self._work = platform.folders.work(job.id, run.id if job.runs_in_parallel else None)
        self._connect = f"Create profile from connection {platform.account.project_name}"
        self._warehouse = warehouse
        self._exclusive = True
        self._index = 0

    async def run(self) -> bool:
        """Run all steps and return whether the run succeeded."""
        try:
            return await self._steps()
        finally:
            if self._job.runs_in_parallel:
                await _in_thread(lambda: shutil.rmtree(self._work, ignore_errors=True))

    # --- the steps

    async def _steps(self) -> bool:
        if not await self._prepare():
            return False
        if self._run.freshness:
            await self._checkbox(FRESHNESS, "sources.json", "has_sources_generated")
        for place, command in enumerate(self._run.chain):
            if not await self._command(place, command):
                self._skip(place + 1)
                return False
        if self._run.docs:
            await self._checkbox(DOCS, "catalog.json", "has_docs_generated")
        return True

    async def _prepare(self) -> bool:
        schema = self._run.overridden.get("schema_override")
        override = f" (override schema to '{schema}')" if schema else ""
        return (
            await self._step("Clone git repository", self._clone)
            and await self._step(f"{self._connect}{override}", self._profile)
            and await self._step(invoke("dbt deps"), self._deps)
        )

    async def _command(self, place: int, command: str) -> bool:
        resumed = self._run.retried_step if place == 0 else None
        if resumed is None or self._run.retrying_run_id is None:
            return await self._step(invoke(command), self._dbt(dbt_arguments(command)), command, place)
        state = self._platform.step_files(self._run.retrying_run_id, resumed).artifacts
        arguments = {
            "unfinished": ["retry", "--state", str(state)],
            "everything": dbt_arguments(command),
            "nothing": SELECT_NOTHING,
        }[self._platform.behaviour.retry_runs]
        name = command if self._platform.behaviour.retry_step_name == "command" else "dbt retry"
        return await self._step(invoke(name), self._dbt(arguments), command, place)

    async def _checkbox(self, command: str, artifact: str, flag: str) -> None:
        """Run a step that can fail without failing the run."""
        await self._step(invoke(command), self._dbt(dbt_arguments(command)), command)
        if self._platform.folders.step(self._run.id, self._index).artifact(artifact) is not None:
            self._platform.store.change_run(self._run.id, **{flag: 1})

    def _skip(self, place: int) -> None:
        """Record the commands that are skipped, if the platform is set to show them."""
        status = self._platform.behaviour.skipped_step_status
        if status is not None:
            for command in self._run.chain[place:]:
                self._record_step(invoke(command), status, command)

    # --- the work of each step

    async def _clone(self, step: StepFolder) -> bool:
        project, root = self._platform.project, self._platform.folders.root
        step.log(f"Copying {project} ...")
        digest = await _in_thread(lambda: copy_project(project, self._work, exclude=root))
        overrides = self._run.overridden
        branch, sha = overrides.get("git_branch") or "main", overrides.get("git_sha") or digest
        self._platform.store.change_run(self._run.id, git_branch=branch, git_sha=sha)
        step.log(f"Successfully copied the project.\nChecked out to {sha}.")
        return True

    async def _profile(self, step: StepFolder) -> bool:
        try:
            connection = write_profile(self._work, self._profile_changes())
        except ProjectError as error:
            step.log(str(error))
            return False
        self._exclusive = self._runner.one_at_a_time and connection.adapter == "duckdb"
        step.log(f"{self._connect}: target {connection.name}, {connection.adapter}")
        return True

    async def _deps(self, step: StepFolder) -> bool:
        if needs_deps(self._work):
            return await self._dbt(["deps"])(step)
        step.log("Running dbt...\nWarning: No packages were found in packages.yml")
        return True

    def _dbt(self, arguments: Sequence[str]) -> Callable[[StepFolder], Awaitable[bool]]:
        async def run(step: StepFolder) -> bool:
            target = self._work / "target"
            if not self._platform.behaviour.results_outlive_steps:
                _delete_results(target)
            environment = dbt_environment(self._platform, self._run, self._work, step)
            async with self._warehouse_lock():
                try:
                    code = await self._runner.run(arguments, cwd=self._work, env=environment, log=step.stdout)
                finally:
                    step.save_artifacts(target)
            return code == 0

        return run

    # --- running a step

    async def _step(
        self,
        name: str,
        work: Callable[[StepFolder], Awaitable[bool]],
        command: str | None = None,
        place: int | None = None,
    ) -> bool:
        """Run one step and record its outcome."""
        step_id = self._record_step(name, RunStatus.RUNNING, command, place)
        folder = self._platform.folders.step(self._run.id, self._index)
        folder.make()
        status = RunStatus.ERROR
        try:
            if await work(folder):
                status = RunStatus.SUCCESS
            else:
                folder.log(FAILED)
        except asyncio.CancelledError:
            status = RunStatus.CANCELLED
            raise
        except Exception as error:
            folder.log(f"{error}\n{FAILED}")
            raise
        finally:
            self._platform.store.finish_step(step_id, status)
        return status == RunStatus.SUCCESS

    def _record_step(self, name: str, status: int, command: str | None = None, place: int | None = None) -> int:
        self._index += 1
        values: dict[str, Any] = {"run_id": self._run.id, "index": self._index, "name": name}
        started = timestamps.now() if status == RunStatus.RUNNING else None
        values |= {"command": command, "place": place, "status": status, "started_at": started}
        return self._platform.store.add_step(values).id

    def _warehouse_lock(self) -> AbstractAsyncContextManager[None]:
        """Return the lock of the warehouse: a DuckDB file admits one process, other warehouses admit many."""
        return self._warehouse if self._exclusive else nullcontext()

    def _profile_changes(self) -> dict[str, Any]:
        """Return what the job and the trigger change in the profile; the trigger takes precedence.

        A job from the command line has no settings, so the project's profile is used unchanged.
        """
        settings, overrides = self._job.settings.get("settings") or {}, self._run.overridden
        target = overrides.get("target_name_override") or settings.get("target_name")
        changes = {
            "target_name": None if target == "default" else target,
            "schema": overrides.get("schema_override"),
            "threads": overrides.get("threads_override") or settings.get("threads"),
        }
        return {name: value for name, value in changes.items() if value is not None}


def invoke(command: str) -> str:
    """Return the name of the step that runs a command."""
    return f"Invoke dbt with `{command}`"


def _delete_results(target: Path) -> None:
    for name in RESULT_FILES:
        (target / name).unlink(missing_ok=True)


async def _in_thread(work: Callable[[], T]) -> T:
    """Do blocking work in a thread. If cancelled, wait for its end, since it still uses its files until then."""
    future = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(future)
    finally:
        await asyncio.wait([future])
