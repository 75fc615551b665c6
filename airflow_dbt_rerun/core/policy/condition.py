"""The base of all conditions: tests of a failed run, joined by ``&``, ``|`` and ``~``.

The conditions themselves are in :mod:`airflow_dbt_rerun.core.policy.conditions`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from typing_extensions import override

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.progress import Progress
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.messages import shown
from airflow_dbt_rerun.core.policy.calls import Call
from airflow_dbt_rerun.core.policy.functions import check_function
from airflow_dbt_rerun.core.policy.naming import name_of


@dataclass(frozen=True, slots=True)
class RerunState:
    """The facts that conditions, stops and waits can use. tenacity's own ``stop_*`` and ``wait_*`` read it too."""

    run: Run
    diagnosis: Diagnosis
    attempt_number: int
    """The attempt that just failed; the first run is attempt 1."""
    seconds_since_start: float
    """Wall-clock seconds since attempt 1 was first seen."""
    upcoming_sleep: float = 0.0
    """Seconds to wait before the next attempt, once known."""
    idle_for: float = 0.0
    outcome: Any = None
    failed_runs: int | None = None
    """Failed runs of this job in a row, this one included; None if unknown."""
    progress: Progress | None = None
    """What this attempt healed of what the previous one left undone; None for the first attempt or if unknown."""


AnyCondition = Callable[[RerunState], bool]


class Condition(ABC):
    """A test of a failed run: a value that can be evaluated, compared, shown and described.

    ``repr`` is the Python code of the condition, the same in every process: Airflow hashes it when a policy is
    passed through ``partial()`` or ``default_args``, and a changing hash would mean a new DAG version each time.
    """

    @abstractmethod
    def holds(self, state: RerunState) -> bool:
        """Return whether the condition is met."""

    @property
    @abstractmethod
    def words(self) -> str:
        """The condition in words."""

    @property
    def denied(self) -> str:
        """The opposite of the condition in words."""
        return f"not ({self.words})"

    @property
    def needs_manifest(self) -> bool:
        """Whether it needs what only dbt's ``manifest.json`` contains: tags and paths."""
        return False

    @abstractmethod
    def to_data(self) -> Any:
        """Return the condition as plain data.

        :raises TypeError: if the condition contains a Python function.
        """

    def __call__(self, state: RerunState) -> bool:
        """Return whether the condition is met."""
        return self.holds(state)

    def __and__(self, other: AnyCondition) -> Condition:
        return AllOf.of(self, as_condition("condition & ...", other))

    def __rand__(self, other: AnyCondition) -> Condition:
        return AllOf.of(as_condition("... & condition", other), self)

    def __or__(self, other: AnyCondition) -> Condition:
        return AnyOf.of(self, as_condition("condition | ...", other))

    def __ror__(self, other: AnyCondition) -> Condition:
        return AnyOf.of(as_condition("... | condition", other), self)

    def __invert__(self) -> Condition:
        return Not(self)

    def __bool__(self) -> bool:
        """Refuse ``and``, ``or`` and ``not``, which would silently drop one of their conditions.

        :raises TypeError: always.
        """
        raise TypeError(
            f"{self!r} is true or false only once a run has failed: "
            "join conditions with &, | and ~ instead of and, or and not"
        )


class NamedCondition(Condition):
    """A condition with a name and arguments, which determine its ``repr``, its words and its data."""

    call: ClassVar[Call]

    def _keep(self, **given: Any) -> None:
        """Check the arguments and store them; None means not given."""
        given = {name: value for name, value in given.items() if value is not None}
        for name, value in {**dict.fromkeys(self.call.takes), **self.call.check(given)}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_arguments(cls, arguments: Mapping[str, Any]) -> Self:
        """Build the condition from named arguments, as plain data has them.

        :raises TypeError: if an argument has the wrong type.
        :raises ValueError: if a value is not allowed.
        """
        made = cls.__new__(cls)
        made._keep(**arguments)  # noqa: SLF001 - a second constructor
        return made

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments that were given, by name."""
        found = {name: getattr(self, name) for name in self.call.takes}
        return {name: value for name, value in found.items() if value is not None}

    @override
    def to_data(self) -> Any:
        return self.call.data(self.arguments)

    def __repr__(self) -> str:
        return self.call.written(self.arguments)


@dataclass(frozen=True, repr=False)
class CustomCondition(Condition):
    """A user's function. If it needs tags or paths, it has an attribute ``needs_manifest = True``."""

    function: AnyCondition

    @override
    def holds(self, state: RerunState) -> bool:
        return bool(self.function(state))

    @property
    @override
    def words(self) -> str:
        return f"{name_of(self.function)} is true"

    @property
    @override
    def denied(self) -> str:
        return f"{name_of(self.function)} is false"

    @property
    @override
    def needs_manifest(self) -> bool:
        return bool(getattr(self.function, "needs_manifest", False))

    @override
    def to_data(self) -> Any:
        raise TypeError(f"{name_of(self.function)} is Python code, which cannot be written as data")

    def __repr__(self) -> str:
        return name_of(self.function)


@dataclass(frozen=True, repr=False)
class JoinedCondition(Condition):
    """Several conditions in one."""

    parts: tuple[Condition, ...]
    key: ClassVar[str]
    sign: ClassVar[str]
    joint: ClassVar[str]

    @classmethod
    def of(cls, *parts: Condition) -> Condition:
        """Join conditions: nested joins of the same kind are flattened, a single condition is returned as is."""
        flat: list[Condition] = []
        for part in parts:
            flat += part.parts if isinstance(part, cls) else [part]
        return flat[0] if len(flat) == 1 else cls(tuple(flat))

    @property
    @override
    def words(self) -> str:
        return self.joint.join(f"({p.words})" if isinstance(p, JoinedCondition) else p.words for p in self.parts)

    @property
    @override
    def needs_manifest(self) -> bool:
        return any(part.needs_manifest for part in self.parts)

    @override
    def to_data(self) -> Any:
        return {self.key: [part.to_data() for part in self.parts]}

    def __repr__(self) -> str:
        return self.sign.join(f"({part!r})" if isinstance(part, AnyOf) else repr(part) for part in self.parts)


class AllOf(JoinedCondition):
    """``a & b``."""

    key, sign, joint = "all", " & ", ", and "

    @override
    def holds(self, state: RerunState) -> bool:
        return all(part.holds(state) for part in self.parts)


class AnyOf(JoinedCondition):
    """``a | b``."""

    key, sign, joint = "any", " | ", ", or "

    @override
    def holds(self, state: RerunState) -> bool:
        return any(part.holds(state) for part in self.parts)


@dataclass(frozen=True, repr=False)
class Not(Condition):
    """``~a``."""

    part: Condition

    @override
    def holds(self, state: RerunState) -> bool:
        return not self.part.holds(state)

    @property
    @override
    def words(self) -> str:
        return self.part.denied

    @property
    @override
    def denied(self) -> str:
        return self.part.words

    @property
    @override
    def needs_manifest(self) -> bool:
        return self.part.needs_manifest

    @override
    def to_data(self) -> Any:
        return {"not": self.part.to_data()}

    def __repr__(self) -> str:
        return f"~({self.part!r})" if isinstance(self.part, JoinedCondition) else f"~{self.part!r}"


def as_condition(where: str, thing: object) -> Condition:
    """Return a condition unchanged, and wrap any other callable in one.

    :param where: the place that an error names.
    :raises TypeError: if it cannot be used as a condition.
    """
    if isinstance(thing, Condition):
        return thing
    takes = f"{where} takes a condition such as any_node('transient')"
    if not callable(thing):
        raise TypeError(f"{takes}, not {shown(thing)}{_meant(thing)}")
    if isinstance(thing, type) and issubclass(thing, Condition):
        raise TypeError(f"{takes}; {thing.__name__} is not called yet: write {thing.__name__}(...)")
    if isinstance(thing, type):
        raise TypeError(f"{takes}, not the class {thing.__name__}")
    check_function(takes, thing, "the RerunState")
    return CustomCondition(thing)


def _meant(given: object) -> str:
    """Return how to write what was probably meant: categories by bare words need ``any_node``."""
    listed = list(given) if isinstance(given, (list, tuple, set, frozenset)) else [given]
    if listed and all(isinstance(each, str) and each in set(Category) for each in listed):
        return f": write any_node({', '.join(repr(str(each)) for each in listed)})"
    return ": RerunPolicy.from_dict reads plain data" if isinstance(given, dict) else ""
