"""Tell what failed in a command of dbt v2, from its node results and its log together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_dbt_rerun.core.dbt.results import NodeResult, short_name
from airflow_dbt_rerun.core.diagnosis.logs import LoggedError
from airflow_dbt_rerun.core.diagnosis.v2_report import TESTS, V2Report, is_placeholder, same_name

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
    by_name = _by_name(report.errors)
    failed = [node for node in nodes if node.is_failed]
    told = tuple(each for node in failed if (each := _told(node, report, by_name)) is not None)
    known = {(node.resource_type, same_name(node.name)) for node in nodes}
    named = {node.unique_id for node in told}
    left = (node for node in failed if node.unique_id not in named)
    free = () if report.was_interrupted else tuple(error for error in report.errors if error.name is None)
    hooks = tuple(LoggedError(error.text, "operation", name) for name in report.failed_hooks for error in free)
    return V2Failures(
        nodes=told,
        unrecorded=tuple(_unrecorded(report, known)),
        hooks=hooks,
        others=_others(report, free if not hooks else (), has_told=bool(told)),
        not_done=tuple(node.unique_id for node in left if not _is_done(node, report)),
        interrupted=report.was_interrupted,
        covered=report.covers(nodes),
    )


def _unrecorded(report: V2Report, known: Collection[tuple[str, str]]) -> Iterator[LoggedError]:
    """Yield the failed nodes that only the log names: by an error or, if a test failed, by its line."""
    if report.was_interrupted:
        return
    named = {_key(error): error for error in report.errors if error.name}
    yield from (error for key, error in named.items() if key not in known)
    for kind, name in sorted(report.failed - named.keys() - set(known)):
        if kind in TESTS:
            yield LoggedError(TEST_FAILED, kind, name)


def _others(report: V2Report, free: tuple[LoggedError, ...], *, has_told: bool) -> tuple[LoggedError, ...]:
    if report.was_interrupted:
        return (LoggedError(INTERRUPTED),)
    return () if has_told and not free else free


Texts = Mapping[tuple[str, str], Sequence[str]]


def _told(node: NodeResult, report: V2Report, by_name: Texts) -> NodeResult | None:
    """Return a failed node with what is known of its failure; None if nothing says that it failed itself."""
    if not is_placeholder(node):
        return node
    key = (node.resource_type, same_name(node.name))
    if texts := by_name.get(key):
        return replace(node, status="error", message="\n".join(texts)) if not report.was_interrupted else None
    if node.resource_type in TESTS and node.message == "Error":
        return replace(node, status="fail", message=TEST_FAILED)
    has_failed = key in report.failed and not report.was_interrupted
    return replace(node, message=None) if has_failed else None


def _is_done(node: NodeResult, report: V2Report) -> bool:
    return (node.resource_type, same_name(node.name)) in report.done


def _by_name(errors: Sequence[LoggedError]) -> Texts:
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for error in errors:
        if error.name:
            found[_key(error)].append(error.text)
    return found


def _key(error: LoggedError) -> tuple[str, str]:
    """Return kind and name; the log names some nodes by their unique id."""
    kind, name = error.resource_type or "", error.name or ""
    return kind, same_name(short_name(name) if name.startswith(f"{kind}.") else name)
