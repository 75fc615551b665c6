"""Tell what failed in a command of dbt v2, from its node results and its log together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_dbt_rerun.core.dbt.results import NodeResult
from airflow_dbt_rerun.core.diagnosis.logs import LoggedError
from airflow_dbt_rerun.core.diagnosis.v2_report import (
    TESTS,
    Key,
    V2Report,
    is_placeholder,
    is_unjudged,
    key_of,
    same_name,
)

INTERRUPTED = "dbt was interrupted"
TEST_FAILED = "the test failed"


@dataclass(frozen=True, slots=True)
class V2Failures:
    """What failed, each with the best text about it."""

    nodes: tuple[NodeResult, ...]
    """Failed nodes of the results; the message of one that says nothing is replaced by the log's."""
    unrecorded: tuple[LoggedError, ...]
    """Failed nodes that only the log names."""
    hooks: tuple[LoggedError, ...]
    others: tuple[LoggedError, ...]
    """Errors outside any node."""
    not_done: tuple[str, ...]
    """Nodes that the results call failed, of which the log says nothing but that they did not do their work."""
    interrupted: bool = False
    covered: bool = True
    """Whether the results hold every node that the command had to do."""


def failures(nodes: Collection[NodeResult], report: V2Report) -> V2Failures:
    """Read the results and the log of one step together."""
    interrupted = report.was_interrupted or (report.is_cut_off and all(map(is_unjudged, nodes)))
    errors, lines = ((), frozenset[Key]()) if interrupted else (report.errors, report.failed)
    failed = [node for node in nodes if node.is_failed]
    told = tuple(_told(failed, lines, errors))
    named = {node.unique_id for node in told}
    free = tuple(error for error in errors if error.name is None)
    hooks = tuple(LoggedError(error.text, "operation", name) for name in report.failed_hooks for error in free)
    return V2Failures(
        nodes=told,
        unrecorded=tuple(_unrecorded(nodes, lines, errors)),
        hooks=hooks,
        others=(LoggedError(INTERRUPTED),) if interrupted else () if hooks else free,
        not_done=tuple(n.unique_id for n in failed if n.unique_id not in named and _node_key(n) not in report.done),
        interrupted=interrupted,
        covered=report.covers(nodes),
    )


def _told(
    failed: Sequence[NodeResult], lines: Collection[Key], errors: Sequence[LoggedError]
) -> Iterator[NodeResult]:
    """Yield the failed nodes of which anything says that they failed themselves, with what is known of it."""
    texts = _by_name(errors)
    for node in failed:
        key = _node_key(node)
        if not is_placeholder(node):
            yield node
        elif key in texts:
            yield replace(node, status="error", message="\n".join(texts[key]))
        elif node.resource_type in TESTS and (node.message == "Error" or key in lines):
            yield replace(node, status="fail", message=TEST_FAILED)
        elif key in lines:
            yield replace(node, message=None)


def _unrecorded(
    nodes: Collection[NodeResult], lines: frozenset[Key], errors: Sequence[LoggedError]
) -> Iterator[LoggedError]:
    """Yield the failed nodes that only the log names: by an error or, if a test failed, by its line."""
    known = set(map(_node_key, nodes))
    named = {key_of(error): error for error in errors if error.name}
    yield from (error for key, error in named.items() if key not in known)
    unnamed = sorted(lines - named.keys() - known)
    yield from (LoggedError(TEST_FAILED, kind, name) for kind, name in unnamed if kind in TESTS)


def _by_name(errors: Sequence[LoggedError]) -> Mapping[Key, Sequence[str]]:
    found: defaultdict[Key, list[str]] = defaultdict(list)
    for error in errors:
        if error.name:
            found[key_of(error)].append(error.text)
    return found


def _node_key(node: NodeResult) -> Key:
    return node.resource_type, same_name(node.name)
