"""Read a step's log: the errors at its end, node by node, and the errors of microbatch batches.

Needed if node results do not state the error: a run that failed before its first node, a microbatch model (its
result is only ``PARTIAL SUCCESS (3/4)``), a run-operation without a message. Formats: dbt-core 1.6 to 1.12 and
dbt v2 (Fusion), from the console and from ``logs/dbt.log``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from airflow_dbt_rerun.core.dbt.fields import printable
from airflow_dbt_rerun.core.diagnosis.cleaning import DBT_OBJECT, plain_line

LONGEST_BLOCK = 400_000
"""Characters of the error block that are read: about a thousand failed nodes."""

LONGEST_TAIL = 4_000
"""Characters that are read from the end of a log without an error mark."""

_LAST_WORDS = "dbt command failed"
_INTERRUPTED = re.compile(r"Exited because of keyboard interrupt\b")

_MARKS = ("Completed with", "Encountered an error:", "Encountered an error while running operation:")
_FUSION_REPORT = re.compile(
    r"^=+ Errors and Warnings =+$(.*?)(?:^=+ Execution Summary =+$|\Z)", re.MULTILINE | re.DOTALL
)
_FUSION_ERROR = re.compile(r"^(?:\[error\]|error:) ", re.MULTILINE)

_HEADLINE = re.compile(
    rf"^(?:Failure in|(?:\[error\] |error: )?.{{0,80}}?\b[A-Z]\w{{0,30}} Error in) "
    rf"({DBT_OBJECT}) (\S+)(?: \(([^)\n]*)\))?"
)
_ASIDE = re.compile(r"^(?:Warning in \w+ |Done\. PASS=|\[warning\]|warning: |=+ Execution Summary)")

_SAYS_NOTHING = re.compile(r"(?:PARTIAL SUCCESS \(\d+/\d+\)|ERROR)\s*")

_BATCH_FAILED = re.compile(r"^Batch \d+ of \d+ ERROR creating batch \S+ of (\S+)")
_BATCH_SAYS = re.compile(r"^(?:Exception on worker thread\. |Unhandled error while executing )(.*)")
_TIMED = re.compile(r"^(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d")


@dataclass(frozen=True, slots=True)
class LoggedError:
    """One error in a log, with its node if the log names one."""

    text: str
    resource_type: str | None = None
    name: str | None = None
    path: str | None = None


def error_block(log: str) -> str:
    """Return the error in a step's log: what follows dbt's own mark, or else the log's end.

    The uninformative closing line "dbt command failed" is removed.
    """
    text = printable(log).strip().removesuffix(_LAST_WORDS).strip()
    if "= Errors and Warnings =" in text and (report := _FUSION_REPORT.search(text)):
        return report[1].strip()[:LONGEST_BLOCK]
    for mark in _MARKS:
        _, found, after = text.rpartition(mark)
        if found:
            return after.strip()[:LONGEST_BLOCK]
    if "error" in text and (first := _FUSION_ERROR.search(text)):
        return text[first.start() :][:LONGEST_BLOCK]
    return text[-LONGEST_TAIL:]


def logged_errors(log: str, batches: Iterable[LoggedError] | None = None) -> tuple[LoggedError, ...]:
    """Return the errors in a log: one for each named node, or else the whole block at the end.

    A microbatch model with some successful batches is not named at the end; the errors of its batches are used.

    :param batches: the result of :func:`failed_batches` for this log, if it is known.
    """
    block = error_block(log)
    named = tuple(_sections(block))
    names = {error.name for error in named}
    batches = failed_batches(log) if batches is None else batches
    others = tuple(dict.fromkeys(error for error in batches if error.name not in names))
    if named or others:
        return named + others
    return (LoggedError(block),) if block else ()


def says_why(message: str | None) -> bool:
    """Return whether a result's message states the cause. A microbatch model's does not, and it may be null."""
    return bool(message and message.strip()) and not _SAYS_NOTHING.fullmatch(message or "")


def was_interrupted(log: str) -> bool:
    """Return whether dbt was stopped by a signal (SIGINT): its unfinished nodes are then in no artifact."""
    return bool(_INTERRUPTED.search(log))


def failed_batches(log: str) -> Iterator[LoggedError]:
    """Yield each failed batch of a microbatch model, in the order of the log.

    dbt reports them only while they run, neither in the results nor at the log's end: the error of a worker thread,
    up to the next timed line, then the model that it is of.
    """
    if "ERROR creating batch" not in log:
        return
    spoken: list[str] = []
    listening = False
    for line in printable(log).splitlines():
        words = plain_line(line)
        if says := _BATCH_SAYS.match(words):
            spoken, listening = [says[1]], True
        elif failed := _BATCH_FAILED.match(words):
            if spoken:
                yield LoggedError("\n".join(spoken).strip(), "model", failed[1].split(".")[-1])
            spoken, listening = [], False
        elif listening and _TIMED.match(line):
            listening = False
        elif listening:
            spoken.append(words)


def _sections(block: str) -> Iterator[LoggedError]:
    """Split a block at the lines that name a node. A repeated headline of a node belongs to its section."""
    section: LoggedError | None = None
    lines: list[str] = []
    for line in block.splitlines():
        words = plain_line(line)
        headline = _HEADLINE.match(words)
        if headline and section and headline[2] == section.name:
            headline = None
        if (headline or _ASIDE.match(words)) and section:
            yield _closed(section, lines)
            section = None
        if headline:
            section, lines = LoggedError("", headline[1], headline[2], headline[3]), []
        lines.append(line)
    if section:
        yield _closed(section, lines)


def _closed(section: LoggedError, lines: list[str]) -> LoggedError:
    return LoggedError("\n".join(lines), section.resource_type, section.name, section.path)
