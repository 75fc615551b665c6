"""Policies as plain data, with the same names as in Python, so that one policy can be kept for all DAGs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_dbt_rerun.core.policy.arguments import Number, OrNone, Value, Word, shown, unknown
from airflow_dbt_rerun.core.policy.condition import AllOf, AnyOf, Condition, Joined, Not
from airflow_dbt_rerun.core.policy.overrides import Overrides, plain
from airflow_dbt_rerun.core.policy.questions import QUESTIONS, ask
from airflow_dbt_rerun.core.policy.rules import ACTION, DEFAULT_RULES, RerunAction, RerunRule
from airflow_dbt_rerun.core.policy.strategies import STOP, WAIT, form, strategy_from_data

if TYPE_CHECKING:
    from airflow_dbt_rerun.core.policy.policy import RerunPolicy


class Superseded(StrEnum):
    """What to do when the job has a newer run, so that the failed one can no longer be resumed."""

    ADOPT = "adopt"
    """Watch the newer run: if it succeeds, the work is done; if it fails, so does the task."""
    ADOPT_AND_RERUN = "adopt_and_rerun"
    """The same, but a newer run that fails is rerun by the rules like one's own."""
    FAIL = "fail"
    RERUN_FROM_START = "rerun_from_start"


_NOT_RESUMABLE = Word(
    "action",
    tuple(action for action in RerunAction if action is not RerunAction.RERUN_FROM_FAILURE),
    refused={RerunAction.RERUN_FROM_FAILURE: "this is for runs that cannot be resumed from their failure"},
)

SETTINGS: Mapping[str, Value] = {
    "superseded": Word("action", Superseded),
    "fallback": _NOT_RESUMABLE,
    "on_unknown_cancel": _NOT_RESUMABLE,
    "give_up_after_failed_runs": OrNone(Number(least=2, whole=True)),
}
"""The arguments of a policy that are plain values anyway."""

POLICY_KEYS = ("rules", "stop", "wait", *SETTINGS)
RULE_KEYS = ("when", "action", "wait", "stop", "overrides")
DEFAULT_RULES_WORD = "default_rules"
"""Stands among the rules for those there are by default."""

JOINS: Mapping[str, type[Joined]] = {AllOf.key: AllOf, AnyOf.key: AnyOf}


# --- reading


def read_policy(data: object, where: str) -> dict[str, Any]:
    """Give the arguments of a policy.

    :raises TypeError: naming the place and what may stand there.
    :raises ValueError: the same.
    """
    found: dict[str, Any] = {}
    for name, value in _mapping(data, POLICY_KEYS, where).items():
        place = f"{where}.{name}"
        if name == "rules":
            found[name] = _rules(value, place)
        elif name in SETTINGS:
            found[name] = SETTINGS[name].check(place, value)
        else:
            found[name] = strategy_from_data(value, STOP if name == "stop" else WAIT, place)
    return found


def _rules(data: object, where: str) -> list[RerunRule]:
    if not isinstance(data, list):
        raise TypeError(f"{where} takes a list of rules, not {shown(data)}")
    rules: list[RerunRule] = []
    for place, each in enumerate(data):
        if isinstance(each, str):
            Word("rule", [DEFAULT_RULES_WORD]).check(f"{where}[{place}]", each)
            rules += DEFAULT_RULES
        else:
            rules.append(_rule(each, f"{where}[{place}]"))
    return rules


def _rule(data: object, where: str) -> RerunRule:
    given = _mapping(data, RULE_KEYS, where)
    if "when" not in given:
        raise ValueError(f"{where} needs 'when': the condition of the rule")
    readers: Mapping[str, Callable[[object, str], Any]] = {
        "when": condition_from_data,
        "action": lambda value, place: ACTION.check(place, value),
        "wait": lambda value, place: strategy_from_data(value, WAIT, place),
        "stop": lambda value, place: strategy_from_data(value, STOP, place),
        "overrides": lambda value, place: Overrides.checked(place, value),
    }
    arguments = {name: readers[name](value, f"{where}.{name}") for name, value in given.items()}
    with _placed(where):
        return RerunRule(**arguments)


def condition_from_data(data: object, where: str) -> Condition:
    """Make a condition from plain data: ``{all: [{any_node: transient}, {not: {message: deadlock}}]}``.

    :raises TypeError: naming the place and what may stand there.
    :raises ValueError: the same.
    """
    if not isinstance(data, Mapping) or len(data) != 1:
        raise TypeError(f"{where} takes one condition such as {{any_node: [transient]}}, not {shown(data)}")
    ((name, value),) = data.items()
    place = f"{where}.{name}"
    if name == "not":
        return Not(condition_from_data(value, place))
    if name in JOINS:
        if not isinstance(value, list) or not value:
            raise TypeError(f"{place} takes a list of conditions, not {shown(value)}")
        return JOINS[name].of(*(condition_from_data(v, f"{place}[{n}]") for n, v in enumerate(value)))
    if name not in QUESTIONS:
        raise ValueError(f"{where}: {unknown('condition', name, [*QUESTIONS, *JOINS, 'not'])}")
    arguments = QUESTIONS[name].call.read(value, place)
    with _placed(where):
        return ask(name, **arguments)


def _mapping(data: object, keys: tuple[str, ...], where: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise TypeError(f"{where} takes a mapping of {', '.join(keys)}, not {shown(data)}")
    for name in data:
        if name not in keys:
            raise ValueError(f"{where}: {unknown('key', name, keys)}")
    return data


@contextmanager
def _placed(where: str) -> Iterator[None]:
    """Put the place before what a constructor says."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from error


# --- writing


def write_policy(policy: RerunPolicy) -> dict[str, Any]:
    """Write all of a policy.

    :raises TypeError: if a function of one's own is part of it, naming the place.
    """
    with _placed("stop"):
        stop = form(policy.stop).data()
    with _placed("wait"):
        wait = form(policy.wait).data()
    settings = {name: getattr(policy, name) for name in SETTINGS}
    return {
        "rules": [_written(rule, number) for number, rule in enumerate(policy.rules, 1)],
        "stop": stop,
        "wait": wait,
        **{name: str(value) if isinstance(value, str) else value for name, value in settings.items()},
    }


def _written(rule: RerunRule, number: int) -> dict[str, Any]:
    with _placed(f"rule {number} ({rule.condition!r})"):
        data: dict[str, Any] = {"when": rule.condition.to_data(), "action": str(rule.action)}
        for name, strategy in (("wait", rule.wait), ("stop", rule.stop)):
            if strategy is not None:
                data[name] = form(strategy).data()
        if rule.overrides:
            data["overrides"] = plain(rule.overrides)
        return data
