"""Read what dbt v2 (Fusion) prints: a line for each node, the errors after them, and a summary.

Its node results say less than its log: whatever stops a command outside a node leaves ``Compilation Error`` on
every selected node, and a test that cannot run is only ``Error``. Shapes: dbt 2.0.0-preview.196 and 2.0.0-alpha.4,
from the console and from ``logs/dbt.log``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import starmap

from airflow_dbt_rerun.core.dbt.fields import printable
from airflow_dbt_rerun.core.dbt.results import NodeResult, short_name
from airflow_dbt_rerun.core.diagnosis.logs import LoggedError

_TIME = r"(?:(?:\d{4}-\d\d-\d\d[ T])?\d\d:\d\d:\d\d(?:\.\d+)?Z? +)?"
_SHAPE = re.compile(
    rf"^=+ (?:Errors and Warnings|Execution Summary|Test Failures) =+$|^{_TIME}\[error\]:? |^Finished '[\w -]+' ",
    re.MULTILINE,
)
_SHAPE_HAS = ("= Errors and Warnings =", "= Execution Summary =", "= Test Failures =", "[error]", "Finished '")
"""One of these is in every text of the shape. A log has megabytes, and searching for a text is fast."""
_NODE = re.compile(
    rf"^{_TIME}(?:\[\w+ *\]:)?\s*(Succeeded|Passed|Warned|Reused|No-op|Failed|Skipped|Cancelled) +"
    r"\[\s*(?:[\d.]+m?s|-+)\] +(\w+) +(\S+)"
)
_DONE = frozenset({"Succeeded", "Passed", "Warned", "Reused", "No-op"})
_ERROR = re.compile(rf"^{_TIME}\[error\]:? *(\[\w+ \((dbt\d+)\)\]: *)?(.*)")
_CODE = re.compile(r"^\[\w+ \(dbt\d+\)\]: *")
_OTHER = re.compile(rf"^(?:{_TIME}\[\w+\]|=+ |\d\d:\d\d:\d\d)|^{_TIME}(?:Finished '|Processed: |Summary: )")
_BACKTRACE = re.compile(r"^\s*(?:\d+: (?:<unknown>|0x[0-9a-f]+|\w+$)|at \S+:\d+:\d+$|stack backtrace:)")

_OF_NODE = (
    re.compile(
        r"^.{0,80}?\b[A-Z]\w{0,30} Error in (?P<kind>model|seed|snapshot|test|unit[_ ]test|function) (?P<name>\S+)"
    ),
    re.compile(r"^Error materializing (?P<kind>test|unit_test) (?P<name>\S+)"),
    re.compile(r"^Error executing materialization macro '[^']*' for (?P<kind>\w+) (?P<name>[^\s:]+)"),
)
_PROCESSED = re.compile(rf"^{_TIME}Processed: (.*)$", re.MULTILINE)
_COUNT = re.compile(r"(\d+) ([a-z ]+?)(?= \||$)")
_FINISHED = re.compile(rf"^{_TIME}Finished '([\w -]+)' ", re.MULTILINE)
_STARTED = re.compile(rf"^(?P<time>{_TIME})(?:\[\w+ *\]:)?\s*Loading .*profiles\.yml$", re.MULTILINE)
_PROGRESS = re.compile(r"^(?:dbt(?:-fusion|-core)? 2\.\S+|\s.*|dbt command failed|)$")
"""What the console shows before any error: the version, and indented lines. The last words are the platform's."""
_WITHOUT_COUNT = frozenset({"retry", "show", "list", "deps", "clean", "debug", "parse"})

CANCELLED = frozenset({"dbt1404", "dbt8995"})
"""Codes of what was cancelled because something else stopped the command: a signal, or ``--fail-fast``."""

_CANCELLED_TEST = re.compile(
    r"^Error materializing test .*: Cancelled: SQL statement execution was cancelled$", re.MULTILINE
)
"""A test that was cancelled for that reason, which has no code."""


@dataclass(frozen=True, slots=True)
class NodeLine:
    """What a log line says of one node."""

    ended: str
    kind: str
    name: str

    @property
    def is_done(self) -> bool:
        """Whether the node did its work."""
        return self.ended in _DONE


def is_placeholder(node: NodeResult) -> bool:
    """Return whether a failed node's message says nothing: dbt v2 writes it without knowing the cause."""
    return is_unjudged(node) or (node.message == "Error" and node.resource_type in TESTS)


def is_unjudged(node: NodeResult) -> bool:
    """Return whether a node has the result that every selected node gets if a command stops outside a node."""
    return node.message == "Compilation Error"


TESTS = ("test", "unit_test")
Key = tuple[str, str]
"""Kind and name of a node."""


def same_name(name: str) -> str:
    """Return a node's name as both results and log lines can be compared: without schema, hash and dots."""
    return name.replace(".", "_")


class V2Report:
    """The report of one command. Nothing is parsed before it is needed."""

    def __init__(self, log: str) -> None:
        self._log = printable(log)

    @cached_property
    def is_present(self) -> bool:
        """Whether the log has the shape of dbt v2's."""
        has_shape = any(each in self._log for each in _SHAPE_HAS) and _SHAPE.search(self._log)
        return bool(has_shape) or self.is_cut_off

    @cached_property
    def lines(self) -> tuple[NodeLine, ...]:
        """The lines about nodes, in order."""
        found = map(_NODE.match, self._log.splitlines())
        return tuple(NodeLine(line[1], line[2], line[3]) for line in found if line)

    @cached_property
    def done(self) -> frozenset[Key]:
        """Kind and name of the nodes that did their work."""
        return frozenset(_key(line) for line in self.lines if line.is_done)

    @cached_property
    def failed(self) -> frozenset[Key]:
        """Kind and name of the nodes and hooks that failed."""
        return frozenset(_key(line) for line in self.lines if line.ended == "Failed")

    @property
    def failed_hooks(self) -> tuple[str, ...]:
        """The hooks that failed, for example ``shop-on-run-end-0``."""
        return tuple(line.name for line in self.lines if line.kind == "hook" and line.ended == "Failed")

    @cached_property
    def errors(self) -> tuple[LoggedError, ...]:
        """The errors, each with its node if it names one; cancellations only if nothing else is said."""
        found = list(self._errors())
        told = [error for code, error in found if not _is_cancelled(code, error)]
        return tuple(dict.fromkeys(told if told or self._silent_tests else [error for _, error in found]))

    @cached_property
    def was_interrupted(self) -> bool:
        """Whether everything that is said is that something was cancelled, as after a signal."""
        if self._silent_tests:
            return False
        found = list(self._errors())
        return any(code in CANCELLED for code, _ in found) and all(starmap(_is_cancelled, found))

    @cached_property
    def is_cut_off(self) -> bool:
        """Whether the output just stops: no error, no summary, in the console no other words, such as a panic's.

        A signal can end dbt before it prints them. ``dbt.log`` then still holds the cancellations.
        """
        started = _STARTED.search(self._log) if "profiles.yml" in self._log else None
        if started is None or self.errors or _FINISHED.search(self._log):
            return False
        return bool(started["time"]) or all(map(_PROGRESS.match, self._log.splitlines()))

    @cached_property
    def _silent_tests(self) -> frozenset[Key]:
        """The tests that failed without an error: they found rows, and with ``--fail-fast`` stop the command."""
        said = {key_of(error) for _, error in self._errors()}
        return frozenset(key for key in self.failed - said if key[0] in TESTS)

    def covers(self, nodes: Collection[NodeResult]) -> bool:
        """Return whether node results hold every node that the command had to do.

        Those of a microbatch model that fails are missing, and a parse error records only the nodes that have it.
        """
        known = {(node.resource_type, same_name(node.name)) for node in nodes}
        if any(key not in known for key in self.failed if key[0] != "hook"):
            return False
        finished = _FINISHED.search(self._log)
        command = finished[1].split()[0] if finished else None
        if command == "run-operation":
            return False  # it records the project's models, which were not its work
        if command is None or command in _WITHOUT_COUNT:
            return True
        processed = _PROCESSED.search(self._log)
        return processed is not None and _number(processed[1]) <= len(nodes)

    def _errors(self) -> Iterator[tuple[str | None, LoggedError]]:
        """Yield each error with its code, if it has one."""
        for code, lines in self._blocks():
            yield code, _named("\n".join(lines).strip())

    def _blocks(self) -> Iterator[tuple[str | None, list[str]]]:
        block: list[str] | None = None
        code: str | None = None
        for line in self._log.splitlines():
            found = _ERROR.match(line)
            if block and (found or _OTHER.match(line)):
                yield code, block
                block = None
            if found:
                code, block = found[2], [f"{found[1] or ''}{found[3]}"]
            elif block and not _BACKTRACE.match(line):
                block.append(line)
        if block:
            yield code, block


def key_of(error: LoggedError) -> Key:
    """Return kind and name of the node that an error names; some are named by their unique id."""
    kind, name = error.resource_type or "", error.name or ""
    return kind, same_name(short_name(name) if name.startswith(f"{kind}.") else name)


def _is_cancelled(code: str | None, error: LoggedError) -> bool:
    return code in CANCELLED or bool(_CANCELLED_TEST.match(error.text))


def _named(text: str) -> LoggedError:
    words = _CODE.sub("", text)
    for pattern in _OF_NODE:
        if found := pattern.match(words):
            return LoggedError(text, found["kind"].replace(" ", "_"), found["name"].rstrip(":"))
    return LoggedError(text)


def _key(line: NodeLine) -> Key:
    name = line.name if line.kind in ("test", "hook") else line.name.rpartition(".")[2]
    return line.kind, same_name(name)


def _number(processed: str) -> int:
    """Return how many nodes ``4 models | 3 tests | 1 seed`` are; hooks are none."""
    return sum(int(number) for number, kind in _COUNT.findall(processed) if not kind.startswith("hook"))
