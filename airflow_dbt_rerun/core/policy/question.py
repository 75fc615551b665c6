"""What a person is asked when a rule says ``ask``: the possible answers, and what happens without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.core.policy.actions import RerunAction
from airflow_dbt_rerun.core.policy.arguments import Listed, Number, OrNone, Text, Value, Word
from airflow_dbt_rerun.core.policy.value_class import Written, names_its_arguments

_ANSWER = Word(
    "answer",
    tuple(action for action in RerunAction if action is not RerunAction.ASK),
    refused={RerunAction.ASK: "a question cannot answer with a question"},
)

TAKES: Mapping[str, Value] = {
    "options": Listed(_ANSWER),
    "default": _ANSWER,
    "patience": OrNone(Number(unit="seconds", positive=True)),
    "assigned_users": Listed(Text()),
}
"""The fields of a question, and the values they take."""


@names_its_arguments
@dataclass(frozen=True, repr=False, eq=False, kw_only=True)
class Question(Written):
    """A question to a person.

    :param options: the possible answers, in the order of the buttons: kinds of rerun, and ``fail`` (give up).
    :param default: the answer if nobody gives one in time; one of the options.
    :param patience: seconds to wait for an answer; None waits as long as the policy's ``stop_after_delay`` allows,
        and never longer than the task's ``timeout``.
    :param assigned_users: who may answer, by the ids of Airflow's auth manager: nobody else may then, not even an
        administrator. Empty: everybody who may edit the task.
    :raises TypeError: if an argument has the wrong type.
    :raises ValueError: if a value is not allowed.
    """

    options: Sequence[RerunAction] = (
        RerunAction.RERUN_FROM_FAILURE,
        RerunAction.RERUN_FROM_START,
        RerunAction.FAIL,
    )
    default: RerunAction = RerunAction.FAIL
    patience: float | None = None
    assigned_users: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name, value in TAKES.items():
            given = getattr(self, name)
            if name != "assigned_users" or given:
                object.__setattr__(self, name, value.check(f"Question({name}=...)", given))
        object.__setattr__(self, "assigned_users", tuple(self.assigned_users))
        if len(set(self.options)) < len(self.options):
            raise ValueError(f"Question(options=...) names an answer twice: {', '.join(self.options)}")
        if self.default not in self.options:
            raise ValueError(
                f"Question(default=...) takes one of its options ({', '.join(self.options)}), not {self.default}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the question as plain data, without what has its default."""
        plain = {
            "options": [str(option) for option in self.options],
            "default": str(self.default),
            "patience": self.patience,
            "assigned_users": list(self.assigned_users),
        }
        return {name: value for name, value in plain.items() if value not in (None, [])}

    def _says(self, name: str, value: object) -> bool:
        return bool(value != getattr(type(self), name))
