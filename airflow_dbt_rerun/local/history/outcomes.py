"""Which nodes of a command run, fail and are skipped."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from airflow_dbt_rerun.local.simulated.project import SimulatedProject

SKIPPED, RAN, FAILED = "skipped", "ran", "failed"


class Blocking:
    """The nodes that a failure keeps from running, as in dbt: those that depend on it, directly or not."""

    def __init__(self, project: SimulatedProject, *, tests_block: bool) -> None:
        self._project = project
        self._tests_block = tests_block
        self._blocking: set[str] = set()

    def blocks(self, node: str) -> bool:
        """Return whether a node is skipped; what is skipped blocks others in turn."""
        if not self._blocking:
            return False
        if self._blocking & self._project.waits_for(node, tests_block=self._tests_block):
            self._blocking.add(node)
            return True
        return False

    def fail(self, node: str) -> None:
        """Record a failure."""
        self._blocking.add(node)


def outcomes(
    project: SimulatedProject, nodes: Sequence[str], failed: Collection[str], *, tests_block: bool
) -> Iterator[tuple[str, str]]:
    """Yield each node with what became of it."""
    blocking = Blocking(project, tests_block=tests_block)
    for node in nodes:
        if blocking.blocks(node):
            yield node, SKIPPED
        elif node in failed:
            blocking.fail(node)
            yield node, FAILED
        else:
            yield node, RAN
