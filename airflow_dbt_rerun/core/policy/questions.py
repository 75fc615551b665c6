"""The questions themselves: what each takes, when the answer is yes, and how it is told to people.

They are written by the functions of :mod:`airflow_dbt_rerun.core.policy.conditions`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import RunStep
from airflow_dbt_rerun.core.diagnosis.diagnosis import Finding
from airflow_dbt_rerun.core.policy.arguments import Number, Pattern, Several, Text, Word
from airflow_dbt_rerun.core.policy.calls import Call
from airflow_dbt_rerun.core.policy.condition import Condition, Question, RerunState

RESOURCE_TYPES = (
    "model",
    "test",
    "unit_test",
    "seed",
    "snapshot",
    "source",
    "operation",
    "sql_operation",
    "analysis",
    "function",
    "saved_query",
    "semantic_model",
    "metric",
    "exposure",
)
"""dbt's own words for what can fail (``dbt.artifacts.resources.types.NodeType``)."""

NOT_RESOURCE_TYPES = {
    "hook": "a hook is an 'operation'",
    "data_test": "dbt's artifacts call a data test 'test'",
}

_CATEGORIES = Several(Word("category", Category))
_TEXTS = Several(Text())
_IDS = Several(Number(least=1, whole=True))
_ATTEMPT = Number(least=1, whole=True)


@dataclass(frozen=True, repr=False)
class AnyNode(Question):
    """See :func:`~airflow_dbt_rerun.core.policy.conditions.any_node`."""

    categories: tuple[Category, ...]
    call = Call("any_node", {"categories": _CATEGORIES}, ("categories",), spread=True)

    def holds(self, state: RerunState) -> bool:
        """Look for one finding."""
        return any(finding.category in self.categories for finding in state.diagnosis.findings)

    @property
    def words(self) -> str:
        """At least one."""
        return f"at least one failure is {_or(self.categories)}"

    @property
    def denied(self) -> str:
        """None."""
        return f"no failure is {_or(self.categories)}"


@dataclass(frozen=True, repr=False)
class Every(Question):
    """See :func:`~airflow_dbt_rerun.core.policy.conditions.every`."""

    categories: tuple[Category, ...]
    call = Call("every", {"categories": _CATEGORIES}, ("categories",), spread=True)

    def holds(self, state: RerunState) -> bool:
        """Look at all findings; without any there is nothing that a rule could rest on."""
        found = state.diagnosis.findings
        return bool(found) and all(finding.category in self.categories for finding in found)

    @property
    def words(self) -> str:
        """All."""
        return f"every failure is {_or(self.categories)}"

    @property
    def denied(self) -> str:
        """Not all."""
        return f"not {self.words}"


@dataclass(frozen=True, repr=False)
class Message(Question):
    """See :func:`~airflow_dbt_rerun.core.policy.conditions.message`."""

    pattern: str
    call = Call("message", {"pattern": Pattern()}, ("pattern",))

    def holds(self, state: RerunState) -> bool:
        """Search all messages."""
        search = re.compile(self.pattern).search  # from re's own cache
        return any(search(finding.message) for finding in state.diagnosis.findings)

    @property
    def words(self) -> str:
        """A message."""
        return f"a failure's message matches {self.pattern!r}"

    @property
    def denied(self) -> str:
        """No message."""
        return f"no failure's message matches {self.pattern!r}"


@dataclass(frozen=True, repr=False)
class Node(Question):
    """See :func:`~airflow_dbt_rerun.core.policy.conditions.node`."""

    resource_type: tuple[str, ...] | None = None
    name: tuple[str, ...] | None = None
    tag: tuple[str, ...] | None = None
    path: tuple[str, ...] | None = None
    call = Call(
        "node",
        {
            "resource_type": Several(Word("resource type", RESOURCE_TYPES, NOT_RESOURCE_TYPES)),
            "name": _TEXTS,
            "tag": _TEXTS,
            "path": _TEXTS,
        },
        ("resource_type",),
        needs=1,
    )

    def holds(self, state: RerunState) -> bool:
        """Look for one finding that fits."""
        return any(self._fits(finding) for finding in state.diagnosis.findings if finding.is_node)

    def _fits(self, finding: Finding) -> bool:
        return (
            (self.resource_type is None or finding.resource_type in self.resource_type)
            and (self.name is None or _like(self.name, finding.name))
            and (self.tag is None or _like(self.tag, *finding.tags))
            and (self.path is None or _like(self.path, *_folders(finding.path), without="/"))
        )

    @property
    def needs_manifest(self) -> bool:
        """Only the manifest knows tags, and the paths of all nodes."""
        return self.tag is not None or self.path is not None

    @property
    def words(self) -> str:
        """A failed node."""
        return f"a failed {self._kind} {self._facts}" if self._facts else f"at least one {self._kind} failed"

    @property
    def denied(self) -> str:
        """No failed node."""
        return f"no failed {self._kind} {self._facts}" if self._facts else f"no {self._kind} failed"

    @property
    def _kind(self) -> str:
        return _or(self.resource_type or ("node",)).replace("_", " ")

    @property
    def _facts(self) -> str:
        facts = (("is named", self.name), ("is tagged", self.tag), ("lies in", self.path))
        return " and ".join(f"{fact} {_or(values)}" for fact, values in facts if values is not None)


@dataclass(frozen=True, repr=False)
class Step(Question):
    """See :func:`~airflow_dbt_rerun.core.policy.conditions.step`."""

    patterns: tuple[str, ...]
    call = Call("step", {"patterns": _TEXTS}, ("patterns",), spread=True)

    def holds(self, state: RerunState) -> bool:
        """Compare the name of the step that stopped the run, and the command in it."""
        stopping = state.run.stopping_step
        name = state.diagnosis.step or (stopping.name if stopping else None)
        if name is None:
            return False
        return _like(self.patterns, name, RunStep(0, 0, name, 0).command or name)

    @property
    def words(self) -> str:
        """The step."""
        return f"the step that failed is like {_or(map(repr, self.patterns))}"

    @property
    def denied(self) -> str:
        """Another step."""
        return f"the step that failed is not like {_or(map(repr, self.patterns))}"


@dataclass(frozen=True, repr=False)
class OfRun(Question):
    """See :func:`~airflow_dbt_rerun.core.policy.conditions.run`."""

    job_id: tuple[int, ...] | None = None
    environment_id: tuple[int, ...] | None = None
    project_id: tuple[int, ...] | None = None
    cause_category: tuple[str, ...] | None = None
    call = Call(
        "run",
        {"job_id": _IDS, "environment_id": _IDS, "project_id": _IDS, "cause_category": _TEXTS},
        needs=1,
    )

    def holds(self, state: RerunState) -> bool:
        """Compare the run's own facts."""
        failed = state.run
        facts = {
            "job_id": failed.job_id,
            "environment_id": failed.environment_id,
            "project_id": failed.project_id,
            "cause_category": failed.trigger.cause_category if failed.trigger else None,
        }
        return all(facts[name] in values for name, values in self.arguments.items())

    @property
    def words(self) -> str:
        """The run."""
        told = [f"its {name.replace('_', ' ')} is {_or(values)}" for name, values in self.arguments.items()]
        return "the run fits: " + " and ".join(told)

    @property
    def denied(self) -> str:
        """Another run."""
        return self.words.replace("the run fits: ", "the run does not fit: ")


@dataclass(frozen=True, repr=False)
class AttemptNumber(Question):
    """See :func:`~airflow_dbt_rerun.core.policy.conditions.attempt_number`."""

    exactly: int | None = None
    at_least: int | None = None
    at_most: int | None = None
    call = Call(
        "attempt_number",
        {"exactly": _ATTEMPT, "at_least": _ATTEMPT, "at_most": _ATTEMPT},
        ("exactly",),
        named=("at_least", "at_most"),
        needs=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.exactly is not None and len(self.arguments) > 1:
            raise ValueError("attempt_number() takes either one number or at_least and at_most")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"{self!r} matches no attempt: at_least is above at_most")

    def holds(self, state: RerunState) -> bool:
        """Compare the number."""
        number = state.attempt_number
        return (
            (self.exactly is None or number == self.exactly)
            and (self.at_least is None or number >= self.at_least)
            and (self.at_most is None or number <= self.at_most)
        )

    @property
    def words(self) -> str:
        """The attempts."""
        return f"it is attempt {self._attempts}"

    @property
    def denied(self) -> str:
        """Other attempts."""
        return f"it is not attempt {self._attempts}"

    @property
    def _attempts(self) -> str:
        if self.at_least is None:
            return str(self.exactly) if self.at_most is None else f"{self.at_most} or earlier"
        return f"{self.at_least} or later" if self.at_most is None else f"{self.at_least} to {self.at_most}"


QUESTIONS: dict[str, type[Question]] = {
    kind.call.name: kind for kind in (AnyNode, Every, Message, Node, Step, OfRun, AttemptNumber)
}
"""The conditions by the names that people write."""


def ask(name: str, /, **arguments: Any) -> Condition:
    """Make a condition by its name.

    :raises TypeError: if an argument is not of its kind.
    :raises ValueError: if a value is not one of those allowed.
    """
    make: Callable[..., Condition] = QUESTIONS[name]
    return make(**arguments)


def _like(patterns: Iterable[str], *names: str, without: str = "") -> bool:
    return any(
        fnmatchcase(name, pattern.rstrip(without) if without else pattern) for pattern in patterns for name in names
    )


def _folders(path: str | None) -> list[str]:
    """Give a file's path and the folders above it; dbt writes back-slashes on Windows."""
    if path is None:
        return []
    file = PurePosixPath(path.replace("\\", "/"))
    return [str(place) for place in (file, *file.parents)]


def _or(values: Iterable[object]) -> str:
    *most, last = [str(value) for value in ((values,) if isinstance(values, str) else values)]
    return f"{', '.join(most)} or {last}" if most else last
