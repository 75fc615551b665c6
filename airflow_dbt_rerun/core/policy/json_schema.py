"""The JSON Schema of a policy as plain data, built from the same tables as the reader."""

from __future__ import annotations

from typing import Any

from airflow_dbt_rerun.core.policy.actions import RerunAction
from airflow_dbt_rerun.core.policy.calls import closed_object
from airflow_dbt_rerun.core.policy.conditions import CONDITIONS
from airflow_dbt_rerun.core.policy.from_data import DEFAULT_RULES_WORD, JOINS
from airflow_dbt_rerun.core.policy.overrides import TAKES
from airflow_dbt_rerun.core.policy.question import TAKES as QUESTION
from airflow_dbt_rerun.core.policy.rules import ACTION, SETTINGS
from airflow_dbt_rerun.core.policy.strategies import STOP, WAIT, Kind
from airflow_dbt_rerun.core.policy.tenacity_table import ALIASES

Schema = dict[str, Any]


def policy_schema() -> Schema:
    """Return the schema (draft 2020-12). ``RerunPolicy.from_dict`` checks the same with clearer messages."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A rerun policy of airflow-dbt-rerun",
        **closed_object(
            {
                "rules": {"type": "array", "items": {"anyOf": [{"const": DEFAULT_RULES_WORD}, _ref("rule")]}},
                "stop": _ref("stop"),
                "wait": _ref("wait"),
                **{name: value.schema() for name, value in SETTINGS.items()},
            }
        ),
        "$defs": {
            "rule": _rule(),
            "condition": _condition(),
            "stop": _strategy(STOP),
            "wait": _strategy(WAIT),
        },
    }


def _rule() -> Schema:
    overrides = closed_object({name: value.schema() for name, value in TAKES.items()})
    starts_nothing = {"wait": False, "stop": False, "overrides": False}
    keeps_its_commands = {"overrides": {"properties": {"steps_override": False}}}
    return closed_object(
        {
            "when": _ref("condition"),
            "action": ACTION.schema(),
            "wait": _ref("wait"),
            "stop": _ref("stop"),
            "overrides": overrides,
            "question": closed_object({name: value.schema() for name, value in QUESTION.items()}),
        },
        required=["when"],
        allOf=[
            {"if": _action_is(RerunAction.FAIL), "then": {"properties": starts_nothing}},
            {"if": _action_is(RerunAction.RERUN_FROM_START), "else": {"properties": keeps_its_commands}},
            {
                "if": _action_is(RerunAction.ASK),
                "then": {"properties": {"wait": False}},
                "else": {"properties": {"question": False}},
            },
        ],
    )


def _action_is(action: RerunAction) -> Schema:
    return {"properties": {"action": {"const": str(action)}}, "required": ["action"]}


def _condition() -> Schema:
    joins = [_list_of("condition", name) for name in JOINS]
    opposite = closed_object({"not": _ref("condition")}, required=["not"])
    return {"anyOf": [*(question.call.schema() for question in CONDITIONS.values()), *joins, opposite]}


def _strategy(kind: Kind) -> Schema:
    calls = {strategy.call.name: strategy.call for strategy in kind.strategies}
    aliases = [calls[name].schema(alias) for alias, name in ALIASES.items() if name in calls]
    joins = [_list_of(kind.name, join.word) for join in kind.joins]
    return {"anyOf": [*(call.schema() for call in calls.values()), *aliases, *joins]}


def _list_of(what: str, key: str) -> Schema:
    return closed_object({key: {"type": "array", "items": _ref(what), "minItems": 1}}, required=[key])


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}
