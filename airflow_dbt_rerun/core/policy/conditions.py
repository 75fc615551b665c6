"""The conditions of rules: facts about a failed run, each condition defined once.

Combine them with ``&``, ``|`` and ``~``; any function that takes a :class:`RerunState` and returns a bool can be
combined with them, too. As in tenacity, the classes have lower-case names, so that rules read like sentences.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from typing_extensions import override

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.cause_categories import CAUSE_CATEGORIES
from airflow_dbt_rerun.core.dbt.models import RunStep
from airflow_dbt_rerun.core.diagnosis.diagnosis import Finding
from airflow_dbt_rerun.core.policy.arguments import Number, Pattern, Several, Text, Word
from airflow_dbt_rerun.core.policy.calls import Call
from airflow_dbt_rerun.core.policy.condition import AnyCondition, Condition, NamedCondition, RerunState
from airflow_dbt_rerun.core.policy.strategies import describe
from airflow_dbt_rerun.core.regexes import found_in, user_pattern

__all__ = [
    "CONDITIONS",
    "AnyCondition",
    "Condition",
    "RerunState",
    "any_node",
    "attempt_number",
    "describe",
    "every",
    "message",
    "node",
    "run",
    "step",
]

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
"""dbt's own names of what can fail (``dbt.artifacts.resources.types.NodeType``)."""

NOT_RESOURCE_TYPES = {
    "hook": "a hook is an 'operation'",
    "data_test": "dbt's artifacts call a data test 'test'",
}

OneOrMore = str | Iterable[str]

_CATEGORIES = Several(Word("category", Category))
_TEXTS = Several(Text())
_CAUSES = Several(Word("cause category", CAUSE_CATEGORIES))
_IDS = Several(Number(least=1, whole=True))
_ATTEMPT = Number(least=1, whole=True)


@dataclass(frozen=True, repr=False, init=False)
class any_node(NamedCondition):
    """Match when at least one finding has one of these categories.

    :raises ValueError: if a category does not exist or none is given.
    """

    categories: tuple[Category, ...]
    call = Call("any_node", {"categories": _CATEGORIES}, ("categories",), spread=True)

    def __init__(self, *categories: Category | str) -> None:
        self._keep(categories=categories)

    @override
    def holds(self, state: RerunState) -> bool:
        return any(finding.category in self.categories for finding in state.diagnosis.findings)

    @property
    @override
    def words(self) -> str:
        return f"at least one failure is {_or(self.categories)}"

    @property
    @override
    def denied(self) -> str:
        return f"no failure is {_or(self.categories)}"


@dataclass(frozen=True, repr=False, init=False)
class every(NamedCondition):
    """Match when all findings have one of these categories, and there is at least one finding.

    :raises ValueError: if a category does not exist or none is given.
    """

    categories: tuple[Category, ...]
    call = Call("every", {"categories": _CATEGORIES}, ("categories",), spread=True)

    def __init__(self, *categories: Category | str) -> None:
        self._keep(categories=categories)

    @override
    def holds(self, state: RerunState) -> bool:
        found = state.diagnosis.findings
        return bool(found) and all(finding.category in self.categories for finding in found)

    @property
    @override
    def words(self) -> str:
        return f"every failure is {_or(self.categories)}"

    @property
    @override
    def denied(self) -> str:
        return f"not {self.words}"


@dataclass(frozen=True, repr=False, init=False)
class message(NamedCondition):
    """Match when a finding's message contains this regular expression.

    :raises ValueError: if the pattern is not a valid regular expression, or can make a search very slow.
    """

    pattern: str
    call = Call("message", {"pattern": Pattern()}, ("pattern",))

    def __init__(self, pattern: str) -> None:
        self._keep(pattern=pattern)

    @override
    def holds(self, state: RerunState) -> bool:
        pattern = user_pattern(self.pattern)
        return any(found_in(pattern, finding.message) for finding in state.diagnosis.findings)

    @property
    @override
    def words(self) -> str:
        return f"a failure's message matches {self.pattern!r}"

    @property
    @override
    def denied(self) -> str:
        return f"no failure's message matches {self.pattern!r}"


@dataclass(frozen=True, repr=False, init=False)
class node(NamedCondition):
    """Match when one failed node fits all arguments. Each takes one value, or several of which one has to fit.

    ``name``, ``tag`` and ``path`` may contain dbt's wildcards ``*``, ``?`` and ``[..]``; they are case-sensitive.

    :param resource_type: ``model``, ``test``, ``unit_test``, ``seed``, ``snapshot``, ``operation`` (a hook), ...
    :param name: the node's name, for example ``stg_*``.
    :param tag: one of the node's tags; known only with the run's ``manifest.json``.
    :param path: the node's file or a folder above it, for example ``models/staging``.
    :raises ValueError: if no argument is given, or a resource type does not exist.
    """

    resource_type: tuple[str, ...] | None
    name: tuple[str, ...] | None
    tag: tuple[str, ...] | None
    path: tuple[str, ...] | None
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

    def __init__(
        self,
        resource_type: OneOrMore | None = None,
        *,
        name: OneOrMore | None = None,
        tag: OneOrMore | None = None,
        path: OneOrMore | None = None,
    ) -> None:
        self._keep(resource_type=resource_type, name=name, tag=tag, path=path)

    @override
    def holds(self, state: RerunState) -> bool:
        return any(self._fits(finding) for finding in state.diagnosis.findings if finding.is_node)

    def _fits(self, finding: Finding) -> bool:
        return (
            (self.resource_type is None or finding.resource_type in self.resource_type)
            and (self.name is None or _like(self.name, finding.name))
            and (self.tag is None or _like(self.tag, *finding.tags))
            and (self.path is None or _like(self.path, *_folders(finding.path), without="/"))
        )

    @property
    @override
    def needs_manifest(self) -> bool:
        return self.tag is not None or self.path is not None

    @property
    @override
    def words(self) -> str:
        return f"a failed {self._kind} {self._facts}" if self._facts else f"at least one {self._kind} failed"

    @property
    @override
    def denied(self) -> str:
        return f"no failed {self._kind} {self._facts}" if self._facts else f"no {self._kind} failed"

    @property
    def _kind(self) -> str:
        return _or(self.resource_type or ("node",)).replace("_", " ")

    @property
    def _facts(self) -> str:
        facts = (("is named", self.name), ("is tagged", self.tag), ("is in", self.path))
        return " and ".join(f"{fact} {_or(values)}" for fact, values in facts if values is not None)


@dataclass(frozen=True, repr=False, init=False)
class step(NamedCondition):
    """Match the step that stopped the run, by its whole name or its dbt command.

    :param patterns: with wildcards, for example ``dbt test*``; one of them has to fit.
    """

    patterns: tuple[str, ...]
    call = Call("step", {"patterns": _TEXTS}, ("patterns",), spread=True)

    def __init__(self, *patterns: str) -> None:
        self._keep(patterns=patterns)

    @override
    def holds(self, state: RerunState) -> bool:
        stopping = state.run.stopping_step
        name = state.diagnosis.step or (stopping.name if stopping else None)
        if name is None:
            return False
        return _like(self.patterns, name, RunStep(0, 0, name, 0).command or name)

    @property
    @override
    def words(self) -> str:
        return f"the failed step matches {_or(map(repr, self.patterns))}"

    @property
    @override
    def denied(self) -> str:
        return f"the failed step does not match {_or(map(repr, self.patterns))}"


@dataclass(frozen=True, repr=False, init=False)
class run(NamedCondition):
    """Match when the failed run fits all arguments. Each takes one value, or several of which one has to fit.

    :param cause_category: what started the run, in dbt's own term: ``api``, ``scheduled``, ``ui``, ``ci``,
        ``merge``, ``rerun``, ``job completion``, ...
    :raises ValueError: if no argument is given, or a cause category does not exist.
    """

    job_id: tuple[int, ...] | None
    environment_id: tuple[int, ...] | None
    project_id: tuple[int, ...] | None
    cause_category: tuple[str, ...] | None
    call = Call(
        "run",
        {"job_id": _IDS, "environment_id": _IDS, "project_id": _IDS, "cause_category": _CAUSES},
        needs=1,
    )

    def __init__(
        self,
        *,
        job_id: int | Iterable[int] | None = None,
        environment_id: int | Iterable[int] | None = None,
        project_id: int | Iterable[int] | None = None,
        cause_category: OneOrMore | None = None,
    ) -> None:
        self._keep(
            job_id=job_id,
            environment_id=environment_id,
            project_id=project_id,
            cause_category=cause_category,
        )

    @override
    def holds(self, state: RerunState) -> bool:
        failed = state.run
        facts = {
            "job_id": failed.job_id,
            "environment_id": failed.environment_id,
            "project_id": failed.project_id,
            "cause_category": failed.trigger.cause_category if failed.trigger else None,
        }
        return all(facts[name] in values for name, values in self.arguments.items())

    @property
    @override
    def words(self) -> str:
        return f"the run has {self._facts}"

    @property
    @override
    def denied(self) -> str:
        return f"the run does not have {self._facts}"

    @property
    def _facts(self) -> str:
        return " and ".join(f"{name.replace('_', ' ')} {_or(values)}" for name, values in self.arguments.items())


@dataclass(frozen=True, repr=False, init=False)
class attempt_number(NamedCondition):
    """Match by the number of the attempt that just failed; the first run is attempt 1.

    :raises ValueError: if no argument is given, or no attempt could match.
    """

    exactly: int | None
    at_least: int | None
    at_most: int | None
    call = Call(
        "attempt_number",
        {"exactly": _ATTEMPT, "at_least": _ATTEMPT, "at_most": _ATTEMPT},
        ("exactly",),
        named=("at_least", "at_most"),
        needs=1,
    )

    def __init__(
        self, exactly: int | None = None, /, *, at_least: int | None = None, at_most: int | None = None
    ) -> None:
        self._keep(exactly=exactly, at_least=at_least, at_most=at_most)

    @override
    def _keep(self, **given: Any) -> None:
        super()._keep(**given)
        if self.exactly is not None and len(self.arguments) > 1:
            raise ValueError("attempt_number() takes either one number or at_least and at_most")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"{self!r} matches no attempt: at_least is above at_most")

    @override
    def holds(self, state: RerunState) -> bool:
        number = state.attempt_number
        return (
            (self.exactly is None or number == self.exactly)
            and (self.at_least is None or number >= self.at_least)
            and (self.at_most is None or number <= self.at_most)
        )

    @property
    @override
    def words(self) -> str:
        return f"it is attempt {self._attempts}"

    @property
    @override
    def denied(self) -> str:
        return f"it is not attempt {self._attempts}"

    @property
    def _attempts(self) -> str:
        if self.at_least is None:
            return str(self.exactly) if self.at_most is None else f"{self.at_most} or earlier"
        return f"{self.at_least} or later" if self.at_most is None else f"{self.at_least} to {self.at_most}"


CONDITIONS: dict[str, type[NamedCondition]] = {
    kind.__name__: kind for kind in (any_node, every, message, node, step, run, attempt_number)
}
"""The conditions by name."""


def _like(patterns: tuple[str, ...], *names: str, without: str = "") -> bool:
    matchers = _matchers(patterns, without)
    return any(matches(name) is not None for matches in matchers for name in names)


@lru_cache(maxsize=256)
def _matchers(patterns: tuple[str, ...], without: str) -> tuple[Callable[[str], object], ...]:
    """Compile wildcards once for all nodes: fnmatch itself remembers only a few hundred patterns."""
    texts = (pattern.rstrip(without) if without else pattern for pattern in patterns)
    return tuple(re.compile(translate(text)).match for text in texts)


def _folders(path: str | None) -> list[str]:
    """Return a file's path and the folders above it; dbt writes backslashes on Windows."""
    if path is None:
        return []
    file = PurePosixPath(path.replace("\\", "/"))
    return [str(place) for place in (file, *file.parents)]


def _or(values: Iterable[object]) -> str:
    *most, last = [str(value) for value in ((values,) if isinstance(values, str) else values)]
    return f"{', '.join(most)} or {last}" if most else last
