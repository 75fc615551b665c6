"""A dbt that builds nothing and takes milliseconds: it reads a project's files, and says what dbt would say.

It needs no dbt and no warehouse. What it knows of a project is in :mod:`.simulated_project`; what is to fail is
asked for in ``failures.json``, as in the example project.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from airflow_dbt_rerun.local.dbt.commands import SIMULATED_VERSION, subcommand_of
from airflow_dbt_rerun.local.dbt.project_copy import ProjectError, read_yaml
from airflow_dbt_rerun.local.simulated.output import (
    Console,
    Result,
    metadata_of,
    write_manifest,
    write_run_results,
)
from airflow_dbt_rerun.local.simulated.project import Node, SimulatedProject
from airflow_dbt_rerun.local.simulated.trouble import trouble_of

_RUNS = {
    "build": {"model", "seed", "test"},
    "run": {"model"},
    "seed": {"seed"},
    "snapshot": {"snapshot"},
    "test": {"test"},
}
"""The commands that run nodes, and which."""

_LEFT_UNDONE = ("error", "fail", "skipped")
_FAILED, _CANNOT = 1, 2


class SimulatedRunner:
    """Runs no dbt, and leaves the log and the artifacts that dbt would leave.

    :param seconds: how long each command takes before its first node; less than nothing is nothing
    """

    one_at_a_time: Final = False  # there is no warehouse

    def __init__(self, seconds: float = 0.0) -> None:
        self._seconds = seconds

    async def start(self) -> None:
        """Do nothing: it is ready."""

    async def run(self, args: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> int:
        """Pretend to run one command; when cancelled, ``run_results.json`` holds the nodes that were finished.

        That is what dbt leaves behind at SIGINT: a retry of it has nothing to do with the nodes that never ran.
        """
        with log.open("a") as file:
            console = Console(file, colours=env.get("DBT_USE_COLORS") == "true")
            console.say(f"Running with dbt={SIMULATED_VERSION}")
            try:
                return await self._command(args, cwd, env, console)
            except (ProjectError, argparse.ArgumentError) as error:
                console.say("Encountered an error:", f"Runtime Error\n  {error}")
                return _CANNOT

    async def close(self) -> None:
        """Do nothing: commands end when they are cancelled."""

    async def _command(self, args: Sequence[str], cwd: Path, env: Mapping[str, str], console: Console) -> int:
        which = subcommand_of(args)
        if which not in (*_RUNS, "retry", "deps"):
            console.say(f"Error: No such command '{which or ' '.join(args)}' in the simulated dbt.")
            return _CANNOT
        await asyncio.sleep(self._seconds)
        if which == "deps":
            console.say("Packages are not needed by the simulated dbt.")
            return 0
        return await _Invocation(_options(args), SimulatedProject(cwd), cwd, env, console).go(which, args)


@dataclass(frozen=True, slots=True)
class _Output:
    """The output of the profile that a command uses."""

    name: str
    adapter: str
    schema: str
    threads: str


class _Invocation:
    """One command that runs nodes."""

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
        self._output = _output(Path(env["DBT_PROFILES_DIR"]), options.target)
        self._id = str(uuid.uuid4())
        self._metadata = metadata_of(self._id, self._output.adapter, env)
        self._console = console
        self._results: list[Result] = []

    async def go(self, which: str, args: Sequence[str]) -> int:
        """Run what is to be run; return dbt's exit code."""
        before = _before(self._options.state or self._target) if which == "retry" else None
        which = before.which if before else which
        wanted = before.left_undone if before else self._wanted(which)
        self._target.mkdir(exist_ok=True)
        write_manifest(self._target, self._project, self._metadata)
        command = {"which": which, "invocation_command": " ".join(["dbt", *args])}
        asked = {"select": self._options.select, "exclude": self._options.exclude}
        try:
            await self._run(wanted, tests_block=which == "build")
        finally:
            write_run_results(self._target, self._results, self._metadata, {**command, **asked})
        return _FAILED if any(result.is_bad for result in self._results) else 0

    def _wanted(self, which: str) -> frozenset[str]:
        chosen = self._project.select(self._options.select, self._options.exclude)
        return frozenset(key for key in chosen if self._project.nodes[key].resource_type in _RUNS[which])

    async def _run(self, wanted: frozenset[str], *, tests_block: bool) -> None:
        began = datetime.now(UTC)
        todo = [key for key in self._project.order(tests_block=tests_block) if key in wanted]
        self._console.found(self._project)
        if not todo:
            self._console.say("Nothing to do. Try checking your model configs and model specification args")
            return
        threads = f"Concurrency: {self._output.threads} threads (target='{self._output.name}')"
        self._console.say("", threads, "")
        undone: set[str] = set()
        for place, key in enumerate(todo, 1):
            blocked = bool(undone & self._project.waits_for(key, tests_block=tests_block))
            result = await self._node(self._project.nodes[key], f"{place} of {len(todo)}", blocked=blocked)
            undone |= {key} if result.status in _LEFT_UNDONE else set()
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
        """Let a node succeed, unless trouble was asked for."""
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


@dataclass(frozen=True, slots=True)
class _Before:
    """What a retry takes up."""

    which: str
    left_undone: frozenset[str]


def _before(state: Path) -> _Before:
    """Read the results that a retry takes up.

    :raises ProjectError: if there are none
    """
    try:
        results: dict[str, Any] = json.loads((state / "run_results.json").read_text())
    except OSError as error:
        raise ProjectError(f"Could not find previous run in '{state}' target directory") from error
    undone = (result["unique_id"] for result in results["results"] if result["status"] in _LEFT_UNDONE)
    return _Before(results["args"]["which"], frozenset(undone))


def _options(args: Sequence[str]) -> argparse.Namespace:
    """Read the options that matter here; others are taken for granted."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--select", "--models", "-s", "-m", nargs="+", action="extend", default=[])
    parser.add_argument("--exclude", nargs="+", action="extend", default=[])
    parser.add_argument("--target", "-t")
    parser.add_argument("--state", type=Path)
    return parser.parse_known_args(args)[0]


def _output(profiles: Path, wanted: str | None) -> _Output:
    """Find the output of the one profile that the platform wrote for this run.

    :raises ProjectError: if it has no such output
    """
    [(name, profile)] = read_yaml(profiles / "profiles.yml").items()
    target = wanted or profile["target"]
    if target not in profile["outputs"]:
        raise ProjectError(f"The profile '{name}' does not have a target named '{target}'.")
    output = profile["outputs"][target]
    schema, threads = str(output.get("schema") or "main"), str(output.get("threads") or 1)
    return _Output(target, str(output.get("type")), schema, threads)
