"""What one step of a history left: its log and its artifacts, from its row, its ending and a seed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local.dbt.commands import dbt_arguments, subcommand, subcommand_of
from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.history.causes import causes
from airflow_dbt_rerun.local.history.jobs import CommandNodes
from airflow_dbt_rerun.local.history.messages import Message, Warehouse, node_message, start_message
from airflow_dbt_rerun.local.history.outcomes import FAILED, SKIPPED, outcomes
from airflow_dbt_rerun.local.history.plan import Plan
from airflow_dbt_rerun.local.history.runs import Ending
from airflow_dbt_rerun.local.runs.records import RunRecord, StepRecord
from airflow_dbt_rerun.local.simulated.output import Console, Result, manifest, moment, run_results
from airflow_dbt_rerun.local.simulated.project import Node, SimulatedProject
from airflow_dbt_rerun.local.simulated.request import read_options
from airflow_dbt_rerun.local.simulated.versions import SIMULATED_VERSIONS

_VERSION = SIMULATED_VERSIONS[Engine.CORE]
_COMMAND_FAILED = "dbt command failed\n"
_SCHEMA = "analytics"
_OVERHEAD = timedelta(seconds=4)
_DONE = {
    "snowflake": "SUCCESS 1",
    "bigquery": "CREATE TABLE ({rows} rows, {rows}.0 KiB processed)",
    "postgres": "SELECT {rows}",
    "redshift": "SUCCESS",
    "databricks": "OK",
}
"""What each adapter says of a node that it built."""


@dataclass(frozen=True, slots=True)
class StepOutput:
    """A log and artifacts by their names."""

    log: str
    artifacts: Mapping[str, bytes]


def write_step(plan: Plan, project: SimulatedProject, run: RunRecord, step: StepRecord) -> StepOutput:
    """Make the log and the artifacts of a step."""
    return _Writer(plan, project, run, step).write()


class _Writer:
    def __init__(self, plan: Plan, project: SimulatedProject, run: RunRecord, step: StepRecord) -> None:
        self._project, self._run, self._step = project, run, step
        self._ending: Ending = plan.ending(run.id, step.index)
        self._adapter = plan.adapters[run.job_id]
        self._rng = Random(f"{plan.seed}/{run.id}/{step.index}")  # noqa: S311 - a simulation
        self._warehouse = Warehouse(project.name, self._adapter, self._rng)
        self._invocation = str(UUID(int=self._rng.getrandbits(128), version=4))
        self._now = datetime.fromisoformat(step.started_at or step.created_at)
        self._ends = datetime.fromisoformat(step.finished_at or step.created_at)
        self._log = io.StringIO()
        self._console = Console(self._log, colours=True, clock=lambda: self._now)

    def write(self) -> StepOutput:
        artifacts = self._command(self._step.command) if self._step.command else self._built_in()
        if self._step.status == RunStatus.ERROR:
            self._log.write(_COMMAND_FAILED)
        return StepOutput(
            self._log.getvalue(), {name: json.dumps(each).encode() for name, each in artifacts.items()}
        )

    # --- steps without a command

    def _built_in(self) -> dict[str, Any]:
        cause = self._ending.cause
        if self._step.index == 1:
            cloned = f"Successfully cloned the repository.\nChecked out to {self._run.git_sha}."
            self._log.write(f"{self._start_message(cause) if cause else cloned}\n")
        elif "dbt deps" not in self._step.name:
            self._log.write(f"{self._step.name}: target prod, {self._adapter}\n")
        else:
            self._console.write(f"Running with dbt={_VERSION}")
            found = ("Encountered an error:", self._start_message(cause)) if cause else ("Installed 1 package",)
            self._console.write(*found)
        return {}

    # --- commands

    def _command(self, command: str) -> dict[str, Any]:
        self._console.write(f"Running with dbt={_VERSION}", f"Registered adapter: {self._adapter}=1.9.0")
        if self._step.place is None:
            return self._checkbox(command)
        cause = self._ending.cause
        if cause is not None:
            self._now = self._ends
            self._console.write("Encountered an error:", self._start_message(cause))
            return {} if causes()[cause].sort == "parsing" else {"manifest.json": self._manifest()}
        return self._run_nodes(command)

    def _checkbox(self, command: str) -> dict[str, Any]:
        self._now = self._ends
        self._console.write("Done.")
        if subcommand(command) == "docs":
            return {"catalog.json": {"metadata": self._metadata(), "nodes": {}, "sources": {}, "errors": None}}
        return {"sources.json": {"metadata": self._metadata(), "results": [], "elapsed_time": 0.0}}

    def _run_nodes(self, command: str) -> dict[str, Any]:
        self._console.found(self._project)
        results = list(self._results(command))
        self._now = self._ends
        if self._ending.done is not None:
            self._console.write("", "Exited because of keyboard interrupt", "")
        elif results:
            self._console.summary(results, (self._ends - _moment(self._step.started_at)).total_seconds())
        else:
            self._console.write("Nothing to do. Try checking your model configs and model specification args")
        return {
            "run_results.json": run_results(results, self._metadata(), self._args(command)),
            "manifest.json": self._manifest(),
        }

    def _results(self, command: str) -> Iterator[Result]:
        """Yield the results of the nodes, which share the duration of the step by their weights."""
        nodes, total, blocks = self._nodes(command)
        came = list(outcomes(self._project, nodes, self._ending.failures, tests_block=blocks))
        weight = CommandNodes(self._project).weight
        whole = sum(weight(node) for node, how in came if how != SKIPPED) or 1
        overhead = min(_OVERHEAD, (self._ends - self._now) / 2)
        self._now += overhead
        seconds = (self._ends - self._now).total_seconds()
        for position, (node, how) in enumerate(came, 1):
            took = 0.0 if how == SKIPPED else seconds * weight(node) / whole
            yield self._result(self._project.nodes[node], how, took, f"{position} of {total}")

    def _nodes(self, command: str) -> tuple[Sequence[str], int, bool]:
        """Return the nodes that ended, how many there were to be, and whether failed tests block others."""
        selected = CommandNodes(self._project)
        nodes = self._ending.nodes if self._ending.nodes is not None else selected(command)
        return nodes[: self._ending.done], len(nodes), subcommand(command) == "build"

    def _result(self, node: Node, how: str, took: float, place: str) -> Result:
        began = self._now
        if how == SKIPPED:
            result = Result(node, "skipped", None, None, began, began)
        else:
            self._console.started(node, _SCHEMA, place)
            self._now = began + timedelta(seconds=took)
            result = Result(node, *self._outcome(node, how), began, self._now)
        self._console.ended(result, _SCHEMA, place)
        return result

    def _outcome(self, node: Node, how: str) -> tuple[str, str | None, int | None]:
        if how == FAILED:
            cause = causes()[self._ending.failures[node.unique_id]]
            said: Message = node_message(cause, node, self._warehouse)
            return ("fail" if cause.is_test_failure else "error"), said.text, said.rows
        if node.resource_type == "test":
            return "pass", None, 0
        rows = self._rng.randint(3, 90_000)
        return "success", _DONE.get(self._adapter, "OK").format(rows=rows), None

    # --- artifacts

    def _manifest(self) -> dict[str, Any]:
        return manifest(self._project, self._metadata())

    def _metadata(self) -> dict[str, Any]:
        return {
            "dbt_version": _VERSION,
            "generated_at": moment(self._ends),
            "invocation_id": self._invocation,
            "env": {"DBT_CLOUD_RUN_ID": str(self._run.id), "DBT_CLOUD_JOB_ID": str(self._run.job_id)},
            "adapter_type": self._adapter,
        }

    def _args(self, command: str) -> dict[str, Any]:
        arguments = dbt_arguments(command)
        options = read_options(arguments)
        invoked = "dbt retry" if self._ending.nodes is not None else command
        selection = {"select": options.select, "exclude": options.exclude}
        return {"which": subcommand_of(arguments), "invocation_command": invoked, **selection}

    def _start_message(self, cause: str) -> str:
        models = [node.name for node in self._project.nodes.values() if node.resource_type == "model"]
        name = self._rng.choice(models) if models else self._project.name
        return start_message(causes()[cause], name, self._warehouse)


def _moment(text: str | None) -> datetime:
    assert text is not None
    return datetime.fromisoformat(text)
