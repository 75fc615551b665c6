"""The nodes that one simulated command of dbt v2 runs, and what it records of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from airflow_dbt_rerun.local.simulated.project import Node, SimulatedProject
from airflow_dbt_rerun.local.simulated.request import UNFINISHED
from airflow_dbt_rerun.local.simulated.trouble import Trouble, trouble_of
from airflow_dbt_rerun.local.simulated.v2_output import (
    NO_NODES,
    OPERATION_CANCELLED,
    V2Console,
    V2Result,
    cancelled_error,
    connection_error,
    node_error,
    parse_error,
    placeholder,
    test_error,
)

CONNECTION = "connection"
"""Stands for a node in ``failures.json``: its message stops a command before the first node."""


@dataclass(slots=True)
class V2Work:
    """The work of one command.

    :param nodes: those to run, each after those that it waits for
    :param tests_block: whether a node also waits for the tests of its ancestors
    :param state: where ``failures.json`` is
    :param invocation: the id of the command
    """

    project: SimulatedProject
    nodes: Sequence[Node]
    schema: str
    tests_block: bool
    fail_fast: bool
    state: Path
    invocation: str
    console: V2Console
    results: list[V2Result] = field(default_factory=list)
    """What is recorded: placeholders, until all nodes have ended."""
    ended: list[V2Result] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    is_parsed: bool = True

    def __post_init__(self) -> None:
        self.results = _placeholders(self.nodes)

    @property
    def error_count(self) -> int:
        """How many errors the summary counts: a test that fails is one, beside the error that it may have."""
        return len(self.errors) + sum(result.status == "fail" for result in self.ended)

    async def run(self) -> None:
        """Run the nodes; if that is cancelled, the record is complete before the cancellation propagates."""
        if not self._parse():
            return
        if not self.nodes:
            self.warnings.append(NO_NODES)
        elif message := self._trouble(CONNECTION).message:
            self.errors.append(connection_error(self.nodes[0], self.schema, message))
        else:
            await self._run_nodes()

    def _parse(self) -> bool:
        """Return whether the project can be parsed; if not, only the nodes with an error are recorded."""
        found = [(node, self._trouble(node.name, parsing=True).message) for node in self.project.nodes.values()]
        self.errors += [parse_error(node, message) for node, message in found if message]
        if self.errors:
            self.is_parsed = False
            self.results = _placeholders([node for node, message in found if message])
        return self.is_parsed

    async def _run_nodes(self) -> None:
        blocking: set[str] = set()
        for place, node in enumerate(self.nodes, 1):
            needed = self.project.waits_for(node.unique_id, tests_block=self.tests_block)
            result = await self._run_node(node, blocked=bool(blocking & needed))
            blocking |= {node.unique_id} if result.status in UNFINISHED else set()
            if result.is_failure and self.fail_fast and place < len(self.nodes):
                self.errors.append(OPERATION_CANCELLED)
                return
        self.results = [result for result in self.ended if result.is_recorded]

    async def _run_node(self, node: Node, *, blocked: bool) -> V2Result:
        began = datetime.now(UTC)
        if blocked:
            return self._end(V2Result(node, "skipped", began, began, thread="Thread-0"))
        trouble = self._trouble(node.name)
        try:
            await asyncio.sleep(trouble.seconds)
        except asyncio.CancelledError:
            self.errors += [cancelled_error(node), OPERATION_CANCELLED]
            self._end(V2Result(node, "error", began, datetime.now(UTC)))
            raise
        return self._end(self._outcome(node, trouble, began))

    def _outcome(self, node: Node, trouble: Trouble, began: datetime) -> V2Result:
        """Return how a node ends: a test that cannot run fails as one that finds rows, and only the log tells."""
        ended = datetime.now(UTC)
        if node.resource_type == "test":
            self.errors += [test_error(node, trouble.message)] if trouble.message else []
            failures = trouble.failures or int(trouble.message is not None)
            return V2Result(node, "fail" if failures else "pass", began, ended, failures=failures)
        if trouble.message:
            message = node_error(node, trouble.message)
            self.errors.append(f"[DbDriverFailed (dbt1308)]: {message}")
            return V2Result(node, "error", began, ended, message)
        return V2Result(node, "success", began, ended)

    def _end(self, result: V2Result) -> V2Result:
        self.ended.append(result)
        self.console.ended(result, self.schema)
        return result

    def _trouble(self, name: str, *, parsing: bool = False) -> Trouble:
        return trouble_of(name, self.state, self.invocation, while_parsing=parsing)


def _placeholders(nodes: Sequence[Node]) -> list[V2Result]:
    now = datetime.now(UTC)
    return [placeholder(node, now) for node in sorted(nodes, key=lambda node: node.unique_id)]
