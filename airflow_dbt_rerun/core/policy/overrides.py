"""What a rule may change about a rerun: the fields of dbt's trigger request that change how a run runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from airflow_dbt_rerun.core.messages import shown, unknown
from airflow_dbt_rerun.core.policy.arguments import Flag, Listed, Number, Value
from airflow_dbt_rerun.core.policy.override_texts import Command, GivenText

TAKES: Mapping[str, Value] = {
    "git_sha": GivenText(),
    "git_branch": GivenText(),
    "azure_pull_request_id": Number(least=1, whole=True),
    "github_pull_request_id": Number(least=1, whole=True),
    "gitlab_merge_request_id": Number(least=1, whole=True),
    "non_native_pull_request_id": Number(least=1, whole=True),
    "schema_override": GivenText(),
    "dbt_version_override": GivenText(),
    "threads_override": Number(least=1, whole=True),
    "target_name_override": GivenText(),
    "generate_docs_override": Flag(),
    "timeout_seconds_override": Number(least=1, whole=True, unit="seconds"),
    "steps_override": Listed(Command()),
}
"""Each field (spec: ``TriggerRunRequest``) and the values it takes."""


class Overrides(Mapping[str, Any]):
    """An immutable mapping that can be hashed, copied and pickled."""

    __slots__ = ("_pairs",)

    def __init__(self, given: Mapping[str, Any] | None = None) -> None:
        self._pairs: tuple[tuple[str, Any], ...] = tuple((given or {}).items())

    @classmethod
    def checked(cls, where: str, given: object) -> Overrides:
        """Check each field and return the overrides.

        :raises TypeError: if a value has the wrong type; the message names the field and what it takes.
        :raises ValueError: if a value is not allowed, or a field does not exist.
        """
        if not isinstance(given, Mapping):
            raise TypeError(f"{where} takes a mapping such as {{'threads_override': 2}}, not {shown(given)}")
        for name in given:
            if name not in TAKES:
                raise ValueError(f"{where}: {unknown('override', name, TAKES)}")
        return cls({name: TAKES[name].check(f"{where}[{name!r}]", value) for name, value in given.items()})

    def __getitem__(self, name: str) -> Any:
        return dict(self._pairs)[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict(self._pairs))

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return hash(frozenset(self._pairs))

    def __repr__(self) -> str:
        return repr(plain(self))


def plain(overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields in the form of a trigger request."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in overrides.items()}
