"""What dbt has on record of a run, as far as an audit needs it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from airflow_dbt_rerun.core.dbt.models import Run, RunStep
from airflow_dbt_rerun.core.dbt.results import NodeResult

PLACE = (
    "schema_override",
    "target_name_override",
    "dbt_version_override",
    "git_branch",
    "git_sha",
    "github_pull_request_id",
    "gitlab_merge_request_id",
    "azure_pull_request_id",
    "non_native_pull_request_id",
)
"""The fields of a trigger request that decide where and from what a run builds."""

_MARKER = re.compile(r"^\[dbt-rerun (?P<key>\w+)(?:>(?P<of_run>\d+))?\]")
_COUNT = re.compile(r"\b\d+ of (\d+) ")
_INTERRUPTED = re.compile(
    r"KeyboardInterrupt|Exited because of keyboard interrupt|dbt was interrupted",
    re.IGNORECASE,
)
_V2_START = re.compile(r"^dbt(?:-fusion|-core)? 2\.", re.MULTILINE)
_V2_ERROR = re.compile(r"^\[error\].*", re.MULTILINE)
_V2_CANCELLED = re.compile(r"\(dbt(?:1404|8995)\)|: Cancelled: SQL statement execution was cancelled$")
_V2_END = re.compile(r"^Finished '([\w-]+)", re.MULTILINE)
_V2_PROCESSED = re.compile(r"^Processed: (.+)$", re.MULTILINE)
_V2_PART = re.compile(r"(\d+) (?!hook)[a-z]")
_V2_FAILED = re.compile(r"^ *Failed +\[[^\]]*\] +(?:model|seed|snapshot) +(?:\S*\.)?(\w+)", re.MULTILINE)
_DECIDES_WHAT_IS_BUILT = re.compile(
    r"(?<!\S)(?:-[ft]|--(?:vars|full-refresh|target|profile|warn-error-options|event-time-(?:start|end)|sample|empty"
    r"|state|defer|defer-state|favor-state))(?=[ =]|$)"
)
_SHORT = {"-f": "full_refresh", "-t": "target"}


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One command of a run and what its artifact says.

    ``nodes`` is None where the step wrote no artifact, or where it could not be read.
    """

    step: RunStep
    nodes: Mapping[str, NodeResult] | None = None
    kept_options: tuple[str, ...] | None = None
    """The options that its artifact holds; None if it holds all (dbt-core)."""

    @property
    def command(self) -> str:
        """The command as the platform names it."""
        return self.step.command or ""

    @property
    def is_complete(self) -> bool:
        """Whether the artifact names all nodes that the log counts: an interrupted command leaves some out."""
        if self.nodes is None or self._is_interrupted:
            return False
        counts = [int(count) for count in _COUNT.findall(self.step.logs)]
        return max(counts, default=0) <= len(self.nodes) and self._is_complete_v2(self.nodes)

    @property
    def _is_interrupted(self) -> bool:
        """Whether a signal stopped it; dbt v2 then reports cancellations only, or ends without a word.

        Beside another error, a cancellation is what ``--fail-fast`` makes of the nodes that are left.
        """
        log = self.step.logs
        errors = _V2_ERROR.findall(log)
        if errors:
            return all(map(_V2_CANCELLED.search, errors))
        return bool(_INTERRUPTED.search(log) or (_V2_START.search(log) and not _V2_END.search(log)))

    def _is_complete_v2(self, nodes: Mapping[str, NodeResult]) -> bool:
        """Compare with what dbt v2 prints: which nodes failed, and how many there were to do."""
        names = {node.name.replace(".", "_") for node in nodes.values()}
        if any(name not in names for name in _V2_FAILED.findall(self.step.logs)):
            return False
        end, processed = _V2_END.search(self.step.logs), _V2_PROCESSED.search(self.step.logs)
        if end is None or end[1] == "retry":
            return True
        return processed is not None and sum(map(int, _V2_PART.findall(processed[1]))) <= len(nodes)

    def forgets(self, command: str) -> bool:
        """Return whether a resumed run would not know an option of the command that decides what it builds."""
        if self.kept_options is None:
            return False
        given = _DECIDES_WHAT_IS_BUILT.findall(command)
        return any(_SHORT.get(each, each.lstrip("-").replace("-", "_")) not in self.kept_options for each in given)


@dataclass(frozen=True, slots=True)
class Record:
    """A run with the records of its commands."""

    run: Run
    steps: tuple[StepRecord, ...] = ()

    @property
    def place(self) -> Mapping[str, Any]:
        """The overrides of this run that decide where and from what it builds."""
        given = (self.run.trigger.overrides or {}) if self.run.trigger else {}
        return {name: given[name] for name in PLACE if name in given}

    @property
    def resumes(self) -> int | None:
        """The run that this one resumes, as far as the platform names it."""
        return self.run.retrying_run_id

    @property
    def is_resumed(self) -> bool:
        """Whether this run is a *rerun from failure*, whichever run it resumes."""
        category = self.run.trigger.cause_category if self.run.trigger else None
        return self.resumes is not None or category == "rerun"

    @property
    def is_unnamed_rerun(self) -> bool:
        """Whether nothing on record says which run this rerun repairs."""
        return self.is_resumed and self.resumes is None and self.repairs is None

    @property
    def repairs(self) -> int | None:
        """The run that this one repairs by new commands, as its cause says."""
        found = _MARKER.match(self.run.trigger.cause) if self.run.trigger else None
        return int(found["of_run"]) if found and found["of_run"] else None


@dataclass(slots=True)
class Debt:
    """What one command of the work still owes."""

    command: str
    whole: bool = True
    """Whether the command has to run as a whole."""
    nodes: set[str] = field(default_factory=set)
    """The nodes that are owed, where they are known."""
    has_run: bool = False
    """Whether a step has run it, however that ended."""
    builds_nothing: bool = False
    """Whether the command builds and tests nothing, so that compiling a node settles it."""
    unreadable: bool = False
    """Whether the newest step for it succeeded without leaving an artifact."""

    @property
    def is_settled(self) -> bool:
        """Whether nothing is owed any more."""
        return not self.whole and not self.nodes


def same_command(one: str, other: str) -> bool:
    """Return whether two commands do the same: the same words, however they are spaced or quoted."""
    return one == other or _words(one) == _words(other)


@lru_cache(maxsize=4096)
def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()
