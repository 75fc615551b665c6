"""The output of the simulated dbt-core: lines as dbt prints them, and artifacts as dbt writes them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, TextIO

from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.simulated.project import Node, SimulatedProject
from airflow_dbt_rerun.local.simulated.versions import SIMULATED_VERSIONS

_SCHEMAS = "https://schemas.getdbt.com/dbt"
_CUSTOM = "DBT_ENV_CUSTOM_ENV_"
_WIDTH = 80
_RED, _GREEN, _YELLOW = 31, 32, 33
_COLOURS = {"success": _GREEN, "pass": _GREEN, "skipped": _YELLOW}
_WORDS = {"success": "OK", "pass": "PASS", "skipped": "SKIP", "error": "ERROR", "fail": "FAIL"}
_VERBS = {"model": ("sql table model", "created", "creating"), "seed": ("seed file", "loaded", "loading")}


class WrittenResult(Protocol):
    """What ``run_results.json`` needs of a result."""

    @property
    def seconds(self) -> float:
        """Its duration."""
        ...

    def to_artifact(self) -> dict[str, Any]:
        """Return the element of ``results``."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one node.

    :param started_at: with time zone; equal to ``finished_at`` if the node did not run
    """

    node: Node
    status: str
    message: str | None
    failures: int | None
    started_at: datetime
    finished_at: datetime

    @property
    def is_failure(self) -> bool:
        """Whether it fails the command."""
        return self.status in ("error", "fail")

    @property
    def seconds(self) -> float:
        """Its duration."""
        return (self.finished_at - self.started_at).total_seconds()

    def to_artifact(self) -> dict[str, Any]:
        """Return the element of ``results`` in ``run_results.json``."""
        times = {"started_at": moment(self.started_at), "completed_at": moment(self.finished_at)}
        phases = () if self.status == "skipped" else ("compile", "execute")
        return {
            "status": self.status,
            "timing": [{"name": phase, **times} for phase in phases],
            "thread_id": "Thread-1 (worker)",
            "execution_time": self.seconds,
            "adapter_response": {},
            "message": self.message,
            "failures": self.failures,
            "unique_id": self.node.unique_id,
            "compiled": None if self.node.resource_type == "seed" else self.status != "skipped",
            "compiled_code": None,
            "relation_name": None,
            "batch_results": None,
        }


def _now() -> datetime:
    return datetime.now(UTC)


class Console:
    """Prints as dbt does: each line after the time, in colours on request.

    :param clock: returns the time
    """

    def __init__(self, log: TextIO, *, colours: bool, clock: Callable[[], datetime] = _now) -> None:
        self._log = log
        self._colours = colours
        self._clock = clock

    def write(self, *lines: str) -> None:
        """Write lines, each after the current time."""
        for line in lines:
            self._log.write(f"{self._clock():%H:%M:%S}  {line}\n")
        self._log.flush()

    def found(self, project: SimulatedProject) -> None:
        """Report the nodes of the project."""
        counts = Counter(node.resource_type for node in project.nodes.values())
        self.write(f"Found {', '.join(_count(count, kind) for kind, count in counts.items())}")

    def started(self, node: Node, schema: str, place: str) -> None:
        """Report the start of a node."""
        self._line(f"{place} START {_start_label(node, schema)}", "RUN")

    def ended(self, result: Result, schema: str, place: str) -> None:
        """Report the end of a node."""
        word = _WORDS[result.status]
        mark = self._painted(word, _COLOURS.get(result.status, _RED))
        took = "" if result.status == "skipped" else f" in {result.seconds:.2f}s"
        self._line(f"{place} {word} {_end_label(result, schema)}", f"{mark}{took}")

    def summary(self, results: Sequence[Result], seconds: float) -> None:
        """Report the end of the command, with the message of each failure."""
        kinds = Counter(result.node.resource_type for result in results)
        finished = ", ".join(_count(count, kind) for kind, count in kinds.items())
        took = f"0 hours 0 minutes and {seconds:.2f} seconds ({seconds:.2f}s)"
        self.write("", f"Finished running {finished} in {took}.", "")
        failures = [result for result in results if result.is_failure]
        if failures:
            headline = f"Completed with {_count(len(failures), 'error')}, 0 partial successes, and 0 warnings:"
            self.write(self._painted(headline, _RED), "")
        else:
            self.write(self._painted("Completed successfully", _GREEN), "")
        for result in failures:
            self._failure(result)
        self.write(_totals(results))

    def _failure(self, result: Result) -> None:
        node = result.node
        self.write(self._painted(f"Failure in {node.resource_type} {node.name} ({node.path})", _RED))
        self.write(f"  {result.message}", "")
        if node.resource_type != "seed":
            self.write(f"  compiled code at target/compiled/{node.fqn[0]}/{node.path}", "")

    def _line(self, text: str, mark: str) -> None:
        self.write(f"{f'{text} '.ljust(_WIDTH, '.')} [{mark}]")

    def _painted(self, text: str, colour: int) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colours else text


def write_run_results(
    target: Path, results: Sequence[WrittenResult], metadata: Mapping[str, Any], args: Mapping[str, Any]
) -> None:
    """Write ``run_results.json``."""
    (target / "run_results.json").write_text(json.dumps(run_results(results, metadata, args)))


def run_results(
    results: Sequence[WrittenResult], metadata: Mapping[str, Any], args: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the content of ``run_results.json``, schema version 6."""
    return {
        "metadata": {"dbt_schema_version": f"{_SCHEMAS}/run-results/v6.json", **metadata},
        "results": [result.to_artifact() for result in results],
        "elapsed_time": sum(result.seconds for result in results),
        "args": args,
    }


def write_manifest(target: Path, project: SimulatedProject, metadata: Mapping[str, Any]) -> None:
    """Write ``manifest.json``."""
    (target / "manifest.json").write_text(json.dumps(manifest(project, metadata)))


def manifest(project: SimulatedProject, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of ``manifest.json``, schema version 12, with the parts that the simulated dbt knows."""
    parents = {key: sorted(project.parents(key)) for key in project.nodes}
    return {
        "metadata": {
            "dbt_schema_version": f"{_SCHEMAS}/manifest/v12.json",
            **metadata,
            "project_name": project.name,
        },
        "nodes": {key: _described(project, node) for key, node in project.nodes.items()},
        "sources": {},
        "unit_tests": {},
        "parent_map": parents,
        "child_map": _reversed(parents),
    }


def metadata_of(invocation: str, adapter: str, env: Mapping[str, str]) -> dict[str, Any]:
    """Return the metadata of an artifact, with the adapter, which dbt v2 names in the manifest only."""
    return {**metadata_without_adapter(Engine.CORE, invocation, env), "adapter_type": adapter}


def metadata_without_adapter(engine: Engine, invocation: str, env: Mapping[str, str]) -> dict[str, Any]:
    """Return the metadata of an artifact, with the ``DBT_ENV_CUSTOM_ENV_`` variables, as both engines do."""
    return {
        "dbt_version": SIMULATED_VERSIONS[engine],
        "generated_at": moment(datetime.now(UTC)),
        "invocation_id": invocation,
        "env": {name.removeprefix(_CUSTOM): value for name, value in env.items() if name.startswith(_CUSTOM)},
    }


def _reversed(parents: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {key: [] for key in parents}
    for key, each in parents.items():
        for parent in each:
            children[parent].append(key)
    return children


def _described(project: SimulatedProject, node: Node) -> dict[str, Any]:
    return {
        "unique_id": node.unique_id,
        "resource_type": node.resource_type,
        "name": node.name,
        "package_name": project.name,
        "original_file_path": node.path,
        "fqn": node.fqn,
        "tags": node.tags,
        "config": {"enabled": True, "tags": node.tags},
        "depends_on": {"macros": [], "nodes": sorted(project.parents(node.unique_id))},
    }


def _start_label(node: Node, schema: str) -> str:
    if node.resource_type not in _VERBS:
        return f"{node.resource_type} {node.name}"
    return f"{_VERBS[node.resource_type][0]} {schema}.{node.name}"


def _end_label(result: Result, schema: str) -> str:
    node = result.node
    if node.resource_type not in _VERBS:
        return f"test {node.name}" if result.status == "skipped" else f"{result.failures or ''} {node.name}".strip()
    what, done, doing = _VERBS[node.resource_type]
    if result.status == "skipped":
        return f"relation {schema}.{node.name}"
    return f"{doing if result.is_failure else done} {what} {schema}.{node.name}"


def _totals(results: Sequence[Result]) -> str:
    counts = Counter(_WORDS[result.status] for result in results)
    passed, failed = counts["OK"] + counts["PASS"], counts["ERROR"] + counts["FAIL"]
    return f"Done. PASS={passed} WARN=0 ERROR={failed} SKIP={counts['SKIP']} NO-OP=0 TOTAL={len(results)}"


def _count(count: int, what: str) -> str:
    name = "data test" if what == "test" else what
    return f"{count} {name}{'' if count == 1 else 's'}"


def moment(at: datetime) -> str:
    """Return a time as artifacts have it."""
    return at.isoformat().replace("+00:00", "Z")
