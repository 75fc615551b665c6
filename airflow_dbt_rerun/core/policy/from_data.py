"""Policies as plain data, with the same names as in Python, so that all DAGs can share one policy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from airflow_dbt_rerun.core.messages import shown, unknown
from airflow_dbt_rerun.core.plain_data import check_limits
from airflow_dbt_rerun.core.policy.arguments import Word
from airflow_dbt_rerun.core.policy.condition import AllOf, AnyOf, Condition, JoinedCondition, Not
from airflow_dbt_rerun.core.policy.conditions import CONDITIONS
from airflow_dbt_rerun.core.policy.overrides import Overrides, plain
from airflow_dbt_rerun.core.policy.question import TAKES, Question
from airflow_dbt_rerun.core.policy.rules import (
    ACTION,
    DEFAULT_RULES,
    SETTINGS,
    RerunRule,
    StopStrategy,
    WaitStrategy,
)
from airflow_dbt_rerun.core.policy.strategies import STOP, WAIT, form, strategy_from_data

POLICY_KEYS = ("rules", "stop", "wait", *SETTINGS)
RULE_KEYS = ("when", "action", "wait", "stop", "overrides", "question")
DEFAULT_RULES_WORD = "default_rules"
"""An entry in the list of rules that stands for the default rules."""

JOINS: Mapping[str, type[JoinedCondition]] = {AllOf.key: AllOf, AnyOf.key: AnyOf}


# --- reading


def policy_arguments(data: object, where: str) -> dict[str, Any]:
    """Read the arguments of a policy.

    :raises TypeError: if something has the wrong type; the message names the place and what it takes.
    :raises ValueError: if a name or value is not allowed; the message is of the same form.
    """
    check_limits(data, where)
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
        "question": _question,
    }
    arguments = {name: readers[name](value, f"{where}.{name}") for name, value in given.items()}
    with _placed(where):
        return RerunRule(**arguments)


def _question(data: object, where: str) -> Question:
    given = _mapping(data, tuple(TAKES), where)
    arguments = {name: TAKES[name].check(f"{where}.{name}", value) for name, value in given.items()}
    with _placed(where):
        return Question(**arguments)


def condition_from_data(data: object, where: str) -> Condition:
    """Build a condition from plain data: ``{all: [{any_node: transient}, {not: {message: deadlock}}]}``.

    :raises TypeError: if something has the wrong type; the message names the place and what it takes.
    :raises ValueError: if a name or value is not allowed; the message is of the same form.
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
    if name not in CONDITIONS:
        raise ValueError(f"{where}: {unknown('condition', name, [*CONDITIONS, *JOINS, 'not'])}")
    arguments = CONDITIONS[name].call.read(value, place)
    with _placed(where):
        return CONDITIONS[name].from_arguments(arguments)


def _mapping(data: object, keys: tuple[str, ...], where: str) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise TypeError(f"{where} takes a mapping of {', '.join(keys)}, not {shown(data)}")
    for name in data:
        if name not in keys:
            raise ValueError(f"{where}: {unknown('key', name, keys)}")
    return data


@contextmanager
def _placed(where: str) -> Iterator[None]:
    """Prefix errors that a constructor raises with the place."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where}: {error}") from error


# --- writing


def policy_data(
    rules: Sequence[RerunRule], stop: StopStrategy, wait: WaitStrategy, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a whole policy as plain data.

    :param settings: the policy's other arguments, by the names in ``SETTINGS``.
    :raises TypeError: if the policy contains a Python function; the message names the place.
    """
    with _placed("stop"):
        stop_data = form(stop).data()
    with _placed("wait"):
        wait_data = form(wait).data()
    return {
        "rules": [_written(rule, number) for number, rule in enumerate(rules, 1)],
        "stop": stop_data,
        "wait": wait_data,
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
        if rule.question:
            data["question"] = rule.question.to_dict()
        return data
