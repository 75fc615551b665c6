"""The output of the simulated dbt v2: lines and results in the shapes that dbt 2.0.0-preview.196 left.

``tests/data/v2`` has the recordings, and ``tests/local/simulated/test_v2.py`` compares. dbt's own ``dbt.log`` is
not simulated.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.simulated.output import moment
from airflow_dbt_rerun.local.simulated.project import Node
from airflow_dbt_rerun.local.simulated.versions import SIMULATED_VERSIONS

_HEADLINE = 60
"""The width of a headline between equals signs."""

_WORDS = {"success": "Succeeded", "pass": "Passed", "error": "Failed", "fail": "Failed", "skipped": "Skipped"}
_MESSAGES = {
    "success": "Succeeded",
    "pass": "Pass",
    "fail": "Error",
    "skipped": "Skipped due to upstream failure",
}
_SUMMARY = (("success", ("success", "pass")), ("error", ("error", "fail")), ("skipped", ("skipped",)))
_KINDS = ("model", "test", "seed")

NO_NODES = (
    "[NoNodesSelected (dbt1601)]: Nothing to do. Try checking your model configs and model specification args"
)
NOTHING_TO_RETRY = "[Generic (dbt1000)]: No failed nodes found in run_results.json - nothing to retry"
OPERATION_CANCELLED = "[OperationCanceled (dbt8995)]: Operation cancelled"


@dataclass(frozen=True, slots=True)
class V2Result:
    """The result of one node.

    :param message: of an error; other statuses have the same message each time
    :param started_at: with time zone
    """

    node: Node
    status: str
    started_at: datetime
    finished_at: datetime
    message: str | None = None
    failures: int = 0
    thread: str = "Thread-1"

    @property
    def is_failure(self) -> bool:
        """Whether it fails the command."""
        return self.status in ("error", "fail")

    @property
    def is_recorded(self) -> bool:
        """Whether ``run_results.json`` names it: a microbatch model that fails is in no result."""
        return not (self.node.is_microbatch and self.status == "error")

    @property
    def seconds(self) -> float:
        """Its duration."""
        return (self.finished_at - self.started_at).total_seconds()

    def to_artifact(self) -> dict[str, Any]:
        """Return the element of ``results`` in ``run_results.json``."""
        times = {"started_at": moment(self.started_at), "completed_at": moment(self.finished_at)}
        is_test = self.node.resource_type == "test"
        counted = {"failures": self.failures} if self.status in ("pass", "fail") else {}
        return {
            "status": self.status,
            "timing": [{"name": phase, **times} for phase in ("compile", "execute")],
            "thread_id": self.thread,
            "execution_time": self.seconds,
            "adapter_response": {},
            "message": self.message or _MESSAGES[self.status],
            **counted,
            "unique_id": self.node.unique_id,
            **({} if is_test else {"relation_name": f'"warehouse"."main"."{self.node.name}"'}),
        }


def placeholder(node: Node, at: datetime) -> V2Result:
    """Return what each selected node gets if something stops the command outside a node, even if it succeeded."""
    return V2Result(node, "error", at, at, "Compilation Error", thread="main")


class V2Console:
    """Prints as dbt v2 does: nodes first, then the errors, then a summary."""

    def __init__(self, log: TextIO) -> None:
        self._log = log

    def write(self, *lines: str) -> None:
        """Write lines."""
        self._log.writelines(f"{line}\n" for line in lines)
        self._log.flush()

    def version(self) -> None:
        """Report the version, as the first line does."""
        self.write(f"dbt-fusion {SIMULATED_VERSIONS[Engine.V2]}")

    def loading(self) -> None:
        """Report that the command has its profile to read."""
        self.write("   Loading profiles.yml")

    def retrying(self, count: int, which: str) -> None:
        """Report what is resumed."""
        self.write(f"  Retrying {count} failed nodes from previous {which} command")

    def ended(self, result: V2Result, schema: str) -> None:
        """Report the end of a node."""
        took = "-------" if result.status == "skipped" else f"{result.seconds:6.2f}s"
        node = result.node
        self.write(f"{_WORDS[result.status]:>10} [{took}] {node.resource_type:<5} {_label(result, schema)}")

    def problems(self, errors: Sequence[str], warnings: Sequence[str] = ()) -> None:
        """Report errors and warnings, if there are any."""
        if errors or warnings:
            self._headline("Errors and Warnings")
            self.write(*(f"[warning] {text}" for text in warnings), *map(_marked, errors))

    def finished(self, which: str, found: tuple[int, int], target: str | None, seconds: float) -> None:
        """Report the end of the command, with its errors and warnings."""
        self._headline("Execution Summary")
        counts = [_count(number, what) for number, what in zip(found, ("error", "warning"), strict=True) if number]
        outcome = f"with {' and '.join(reversed(counts))}" if counts else "successfully"
        where = f" for target '{target}'" if target else ""
        self.write(f"Finished '{which}' {outcome}{where} [{_duration(seconds)}]")

    def counts(self, selected: Iterable[Node], ended: Sequence[V2Result]) -> None:
        """Report how many nodes the command had to do, and how those ended that did."""
        kinds = Counter(node.resource_type for node in selected)
        self.write(f"Processed: {' | '.join(_count(kinds[kind], kind) for kind in _KINDS if kinds[kind])}")
        if ended:
            statuses = Counter(result.status for result in ended)
            found = ((sum(statuses[each] for each in those), word) for word, those in _SUMMARY)
            parts = [f"{len(ended)} total", *(f"{number} {word}" for number, word in found if number)]
            self.write(f"Summary: {' | '.join(parts)}")

    def _headline(self, text: str) -> None:
        self.write("", f" {text} ".center(_HEADLINE, "="))


def node_error(node: Node, message: str) -> str:
    """Return the message of a node that the warehouse refused, as the console and the results have it."""
    where = f"Database Error in {node.resource_type} {node.name} (target/run/{_compiled(node)})"
    return f"{where}\n  Invalid Input Error: {message}\n  (in run/{_compiled(node)}:1:11)"


def test_error(node: Node, message: str) -> str:
    """Return the console's error of a test that could not run; the results say only ``Error``."""
    where = f"Error materializing test {node.unique_id} (target/run/{_compiled(node)})"
    return f"{where}\n  Invalid Input Error: {message}\n  (in run/{_compiled(node)}:1:1). Treating as failing test."


def connection_error(node: Node, schema: str, message: str) -> str:
    """Return the console's error of a command that cannot connect: the schema of its first node is not created."""
    failed = f"Failed to create schema '{schema}' in database 'warehouse' in remote for {node.unique_id}"
    return f"[DbDriverFailed (dbt1308)]: {failed}: {message}"


def cancelled_error(node: Node) -> str:
    """Return the console's error of a node that was in progress when a signal came."""
    words = "Cancelled: SQL statement execution was cancelled"
    if node.resource_type == "test":
        where = f"Error materializing test {node.unique_id}: Error running test {node.unique_id}"
        return f"{where}: {words}\n(in run/{_compiled(node)}:1:1). Treating as failing test."
    macro = "dbt_duckdb.materialization_table_duckdb"
    where = f"Error executing materialization macro '{macro}' for {node.resource_type} {node.unique_id}"
    place = f"run/{_compiled(node)}:1:11"
    return f"[TaskCancelled (dbt1404)]: {where}: {words}\n(in {place})\n  --> {place}"


def parse_error(node: Node, message: str) -> str:
    """Return the console's error of a node that cannot be parsed."""
    return f"[DependencyNotFound (dbt1048)]: {message}\n  --> {node.path}:1:15"


def unknown_target(profile: str, target: str) -> str:
    """Return the console's error of a target that the profile does not have."""
    return f"[InvalidConfig (dbt1005)]: target '{target}' not found in profile '{profile}'"


def unreadable(file: Path) -> str:
    """Return the console's error of a retry without results; the words for the reason come twice."""
    reason = "No such file or directory (os error 2)"
    return f"[IoError (dbt1001)]: Failed to read file: {file}: {reason}: {reason}"


def _marked(error: str) -> str:
    """Put the mark before an error: without a code, it ends in a colon."""
    return f"[error] {error}" if error.startswith("[") else f"[error]: {error}"


def _label(result: V2Result, schema: str) -> str:
    """Return a node's name: a test that did not pass has its file, others their schema and materialization."""
    node = result.node
    if node.resource_type == "test":
        return node.name if result.status == "pass" else f"{node.name} ({node.path})"
    return f"{schema}.{node.name} ({node.materialized})"


def _compiled(node: Node) -> str:
    return f"{node.fqn[0]}/{node.path.rpartition('.')[0]}.sql"


def _count(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _duration(seconds: float) -> str:
    return f"{seconds:.1f}s" if seconds >= 1 else f"{seconds * 1000:.0f}ms"
