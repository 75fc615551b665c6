"""Policies as plain data: reading, writing, and the JSON Schema that says the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
import tenacity
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from tenacity import (
    stop_after_attempt,
    stop_after_delay,
    stop_never,
    wait_chain,
    wait_fixed,
    wait_none,
    wait_random,
)

from airflow_dbt_rerun.core.policy.conditions import (
    CONDITIONS,
    any_node,
    attempt_number,
    every,
    message,
    node,
    run,
    step,
)
from airflow_dbt_rerun.core.policy.from_data import DEFAULT_RULES_WORD
from airflow_dbt_rerun.core.policy.json_schema import policy_schema
from airflow_dbt_rerun.core.policy.policy import DEFAULT_RULES, RerunAction, RerunPolicy, RerunRule, Superseded
from airflow_dbt_rerun.core.policy.strategies import STOP, WAIT, describe

SCHEMA = Draft202012Validator(policy_schema())

WHOLE = {
    "rules": [
        {"when": {"any_node": ["throttled"]}, "wait": {"wait_fixed": 300}},
        {
            "when": {"all": [{"message": "(?i)deadlock"}, {"not": {"node": {"resource_type": "test"}}}]},
            "action": "rerun_from_start",
            "stop": {"stop_after_attempt": 2},
            "overrides": {"threads_override": 2, "steps_override": ["dbt build"]},
        },
        "default_rules",
        {"when": {"every": "code"}, "action": "fail"},
    ],
    "stop": {"any": [{"stop_after_attempt": 5}, {"stop_after_delay": 7200}]},
    "wait": {"sum": [{"wait_exponential": {"multiplier": 30, "max": 600}}, {"wait_random": {"min": 0, "max": 15}}]},
    "superseded": "fail",
    "fallback": "rerun_from_start",
    "on_unknown_cancel": "rerun_from_step",
    "give_up_after_failed_runs": None,
}


def test_whole_policy() -> None:
    """Every key of a policy, and the policy that one would write in Python instead."""
    assert RerunPolicy.from_dict(WHOLE) == RerunPolicy(
        rules=[
            RerunRule(any_node("throttled"), wait=wait_fixed(300)),
            RerunRule(
                message("(?i)deadlock") & ~node("test"),
                RerunAction.RERUN_FROM_START,
                stop=stop_after_attempt(2),
                overrides={"threads_override": 2, "steps_override": ["dbt build"]},
            ),
            *DEFAULT_RULES,
            RerunRule(every("code"), RerunAction.FAIL),
        ],
        stop=stop_after_attempt(5) | stop_after_delay(7200),
        wait=tenacity.wait_exponential(multiplier=30, max=600) + wait_random(0, 15),
        superseded=Superseded.FAIL,
        fallback=RerunAction.RERUN_FROM_START,
        on_unknown_cancel=RerunAction.RERUN_FROM_STEP,
        give_up_after_failed_runs=None,
    )
    SCHEMA.validate(WHOLE)


def test_what_is_not_given_is_as_by_default() -> None:
    """An empty mapping is the default policy."""
    assert RerunPolicy.from_dict({}) == RerunPolicy()
    assert RerunPolicy.from_dict({"rules": ["default_rules"]}) == RerunPolicy()
    assert RerunPolicy.from_dict({"rules": [], "superseded": "fail"}) == RerunPolicy(
        rules=[], superseded=Superseded.FAIL
    )


WRITTEN = [
    any_node("transient"),
    any_node("transient", "throttled") & ~message("x"),
    any_node("transient") & ~message("x") | every("code", "access"),
    ~(any_node("transient") | every("code")) & node("model"),
    node(["model", "seed"], name="stg_*", tag=["nightly", "hourly"], path="models/staging"),
    node(tag="nightly"),
    step("dbt test*"),
    step("dbt test*", "dbt build"),
    run(job_id=[1, 2], environment_id=3, project_id=4, cause_category="job completion"),
    attempt_number(2),
    attempt_number(at_least=2, at_most=3),
]
STOPS = [stop_never, (stop_after_attempt(3) | stop_after_delay(60)) & tenacity.stop_before_delay(90.5)]
WAITS = [
    wait_none(),
    wait_chain(wait_fixed(1), wait_fixed(2) + wait_random(1, 2)),
    tenacity.wait_incrementing(1, 2, 3),
    tenacity.wait_random_exponential(multiplier=2, max=60),
    tenacity.wait_exponential_jitter(max=60, jitter=5),
]


@pytest.mark.parametrize("condition", WRITTEN, ids=repr)
def test_conditions_round_trip(condition: Any) -> None:
    """Each condition: through JSON and back to an equal one, and the schema allows it."""
    check_round_trip(RerunPolicy(rules=[RerunRule(condition)]))


@pytest.mark.parametrize("stop", STOPS, ids=describe)
def test_stops_round_trip(stop: Any) -> None:
    """Each stop, of a policy and of a rule."""
    check_round_trip(RerunPolicy(rules=[RerunRule(every("code"), stop=stop)], stop=stop))


@pytest.mark.parametrize("wait", WAITS, ids=describe)
def test_waits_round_trip(wait: Any) -> None:
    """Each wait, of a policy and of a rule."""
    check_round_trip(RerunPolicy(rules=[RerunRule(every("code"), wait=wait)], wait=wait))


@pytest.mark.parametrize("policy", [RerunPolicy(), RerunPolicy(rules=[]), RerunPolicy.from_dict(WHOLE)])
def test_policies_round_trip(policy: RerunPolicy) -> None:
    """The default, one without rules, and one with everything."""
    check_round_trip(policy)


def check_round_trip(policy: RerunPolicy) -> None:
    """Through JSON and back."""
    data = json.loads(json.dumps(policy.to_dict()))
    assert RerunPolicy.from_dict(data) == policy
    assert RerunPolicy.from_dict(data).to_dict() == data
    SCHEMA.validate(data)


def own(_: object) -> bool:
    """Be a function of the user's own."""
    return True


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (
            RerunPolicy(rules=[*DEFAULT_RULES, RerunRule(any_node("code") & own)]),
            "rule 4 (any_node('code') & own): own is Python code, which cannot be written as data",
        ),
        (RerunPolicy(rules=[RerunRule(own)]), "rule 1 (own): own is Python code"),
        (RerunPolicy(rules=[RerunRule(any_node("code"), wait=own)]), "rule 1 (any_node('code')): own is Python"),
        (RerunPolicy(stop=stop_after_attempt(2) | own), "stop: own is Python code"),  # type: ignore[operator]
        (RerunPolicy(wait=own), "wait: own is Python code"),
    ],
)
def test_python_code_cannot_be_written(policy: RerunPolicy, words: str) -> None:
    """What is not data is refused by name."""
    with pytest.raises(TypeError) as caught:
        policy.to_dict()
    assert words in str(caught.value)


def rule(**changes: Any) -> dict[str, Any]:
    """Return a policy with one rule that matches code; None leaves a key out."""
    whole = {"when": {"any_node": "code"}, **changes}
    return {"rules": [{name: value for name, value in whole.items() if value is not None}]}


def when(**condition: Any) -> dict[str, Any]:
    """Write a policy with one rule with this condition."""
    return rule(when=condition)


STRUCTURE: list[tuple[Any, str]] = [
    (None, "policy takes a mapping of rules, stop, wait, superseded"),
    ([], "policy takes a mapping of rules, stop, wait, superseded"),
    ("default_rules", "policy takes a mapping"),
    ({"rule": []}, "policy: there is no key 'rule'; did you mean 'rules'? There are rules, stop, wait"),
    ({"rules": None}, "policy.rules takes a list of rules, not None"),
    ({"rules": {"when": 3}}, "policy.rules takes a list of rules, not {'when': 3}"),
    (
        {"rules": ["default_rule"]},
        "policy.rules[0]: there is no rule 'default_rule'; did you mean 'default_rules'?",
    ),
    (
        {"rules": ["default_rules", 3]},
        "policy.rules[1] takes a mapping of when, action, wait, stop, overrides, question, not 3",
    ),
    ({"rules": [{}]}, "policy.rules[0] needs 'when'"),
    (rule(acton="fail"), "policy.rules[0]: there is no key 'acton'; did you mean 'action'?"),
    (rule(action="restart"), "policy.rules[0].action: there is no action 'restart'"),
    (rule(wait=300), "policy.rules[0].wait takes one wait such as {wait_fixed: 300}, not 300"),
    (
        rule(wait={"wait_fixed": -1}),
        "policy.rules[0].wait.wait_fixed takes a number of seconds, at least 0, not -1",
    ),
    (rule(wait={"wait_fixed": "5m"}), "policy.rules[0].wait.wait_fixed takes a number of seconds"),
    (rule(wait={"sum": []}), "policy.rules[0].wait.sum takes a list of waits"),
    (rule(wait={"stop_after_attempt": 1}), "policy.rules[0].wait: there is no wait 'stop_after_attempt'"),
    (rule(stop={"stop_after_attempt": 0}), "policy.rules[0].stop.stop_after_attempt takes a whole number of attem"),
    (rule(stop={"stop_after_attempt": True}), "takes a whole number of attempts, at least 1, not True"),
    (
        rule(stop="stop_after_attempt"),
        "policy.rules[0].stop takes one stop such as {stop_after_attempt: 3}, not 's",
    ),
    (rule(stop={"stop_never": None}), "policy.rules[0].stop: write stop_never alone"),
    (rule(overrides=[]), "policy.rules[0].overrides takes a mapping such as"),
    (rule(overrides={"threads": 1}), "policy.rules[0].overrides: there is no override 'threads'; did you mean"),
    (
        rule(overrides={"threads_override": "2"}),
        "policy.rules[0].overrides['threads_override'] takes a whole number",
    ),
    (rule(overrides={"git_branch": ""}), "takes a text that is not empty"),
    (rule(action="rerun_from_start", overrides={"steps_override": []}), "takes a list that is not empty"),
    (rule(action="rerun_from_start", overrides={"generate_docs_override": 1}), "takes True or False, not 1"),
    (rule(action="fail", wait={"wait_fixed": 1}), "policy.rules[0]: RerunRule(action='fail') starts nothing"),
    (rule(action="fail", stop="stop_never"), "policy.rules[0]: RerunRule(action='fail') starts nothing"),
    (rule(action="fail", overrides={"threads_override": 1}), "policy.rules[0]: RerunRule(action='fail') starts"),
    (
        rule(overrides={"steps_override": ["dbt run"]}),
        "policy.rules[0]: RerunRule(action='rerun_from_failure') determines itself what runs",
    ),
    (rule(when="code"), "policy.rules[0].when takes one condition such as {any_node: [transient]}, not 'code'"),
    (rule(when=["code"]), "policy.rules[0].when takes one condition"),
    (when(), "policy.rules[0].when takes one condition"),
    (when(any_node="code", every="code"), "policy.rules[0].when takes one condition"),
    (
        when(any_nod=["code"]),
        "policy.rules[0].when: there is no condition 'any_nod'; did you mean 'any_node'? There are any_node, every",
    ),
    (when(any_node=[]), "policy.rules[0].when.any_node needs at least one category"),
    (when(any_node=["cod"]), "policy.rules[0].when.any_node: there is no category 'cod'; did you mean 'code'?"),
    (when(any_node={"categories": ["code"]}), "policy.rules[0].when.any_node takes one value or a list"),
    (when(every=None), "policy.rules[0].when.every: there is no category None"),
    (when(message=3), "policy.rules[0].when.message takes one regular expression, not 3"),
    (when(message=""), "policy.rules[0].when.message: an empty regular expression would match every message"),
    (when(node={}), "policy.rules[0].when.node needs at least one of resource_type, name, tag, path"),
    (when(node={"tags": "x"}), "policy.rules[0].when.node: there is no argument 'tags'; did you mean 'tag'?"),
    (when(node={"resource_type": "models"}), "policy.rules[0].when.node.resource_type: there is no resource type"),
    (when(node={"tag": ["x", 3]}), "policy.rules[0].when.node.tag takes a text, not 3"),
    (when(step=[]), "policy.rules[0].when.step needs at least one value"),
    (when(run=5), "policy.rules[0].when.run takes a mapping of job_id, environment_id, project_id, cause_category"),
    (when(run={"job_id": "5"}), "policy.rules[0].when.run.job_id takes a whole number, at least 1, not '5'"),
    (when(attempt_number=0), "policy.rules[0].when.attempt_number takes a whole number, at least 1, not 0"),
    (
        when(attempt_number={}),
        "policy.rules[0].when.attempt_number needs at least one of exactly, at_least, at_most",
    ),
    (
        when(attempt_number={"exactly": 2}),
        "attempt_number: there is no argument 'exactly'; there are at_least, at_m",
    ),
    (when(all=[]), "policy.rules[0].when.all takes a list of conditions, not []"),
    (when(any={"any_node": "code"}), "policy.rules[0].when.any takes a list of conditions"),
    (
        when(all=[{"any_node": "code"}, {"not": {"mesage": "x"}}]),
        "policy.rules[0].when.all[1].not: there is no cond",
    ),
    (when(**{"not": [{"any_node": "code"}]}), "policy.rules[0].when.not takes one condition"),
    ({"stop": None}, "policy.stop takes one stop such as {stop_after_attempt: 3}, not None"),
    ({"stop": 3}, "policy.stop takes one stop such as {stop_after_attempt: 3}, not 3"),
    ({"stop": {"any": [3]}}, "policy.stop.any[0] takes one stop"),
    (
        {"wait": {"wait_exponential": {"maximum": 3}}},
        "policy.wait.wait_exponential: there is no argument 'maximum'",
    ),
    ({"superseded": "adapt"}, "policy.superseded: there is no action 'adapt'; did you mean 'adopt'?"),
    ({"superseded": None}, "policy.superseded: there is no action None; there are adopt, adopt_and_rerun, fail"),
    ({"fallback": "rerun_from_failure"}, "policy.fallback: this is for runs that cannot be resumed from their"),
    (
        {"on_unknown_cancel": "rerun_from_failure"},
        "policy.on_unknown_cancel: this is for runs that cannot be resumed",
    ),
    ({"give_up_after_failed_runs": 1}, "policy.give_up_after_failed_runs takes a whole number, at least 2, not 1"),
    ({"give_up_after_failed_runs": 2.5}, "takes a whole number, at least 2, not 2.5"),
]


@pytest.mark.parametrize(("data", "words"), STRUCTURE)
def test_wrong_data_is_refused_with_its_place(data: object, words: str) -> None:
    """One line that names the place, what is wrong there, and what may stand there; the schema refuses it too."""
    with pytest.raises((TypeError, ValueError)) as caught:
        RerunPolicy.from_dict(data)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not SCHEMA.is_valid(data)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (when(message="("), "policy.rules[0].when.message: '(' is not a valid regular expression"),
        (when(attempt_number={"at_least": 3, "at_most": 2}), "policy.rules[0].when: attempt_number(at_least=3"),
        (rule(wait={"wait_random": {"min": 5}}), "policy.rules[0].wait: wait_random(5, 1) has a min above its max"),
        (when(node={"resource_type": "hook"}), "policy.rules[0].when.node.resource_type: a hook is an 'operation'"),
        ({True: 3}, "policy: there is no key True; there are rules"),
        ({"rules": [{"when": {3: 4}}]}, "policy.rules[0].when: there is no condition 3"),
    ],
)
def test_what_only_reading_sees(data: object, words: str) -> None:
    """What a schema cannot say: patterns, two numbers that contradict each other, keys that are no text."""
    with pytest.raises((TypeError, ValueError)) as caught:
        RerunPolicy.from_dict(data)
    assert words in str(caught.value)


def test_the_place_is_called_as_the_caller_says() -> None:
    """A file or an Airflow Variable can give its own name to the whole."""
    with pytest.raises(ValueError, match=r"^Variable dbt_policy\.fallback: there is no action 'x'"):
        RerunPolicy.from_dict({"fallback": "x"}, where="Variable dbt_policy")


def test_schema_is_made_from_the_tables() -> None:
    """Every condition, stop, wait and override that can be read is in the schema, which is a valid one."""
    Draft202012Validator.check_schema(policy_schema())
    assert names_in_schema("condition") == {*CONDITIONS, "all", "any", "not"}
    assert names_in_schema("stop") == set(STOP.known)
    assert names_in_schema("wait") == {*WAIT.known, "wait_full_jitter"}
    assert DEFAULT_RULES_WORD in json.dumps(policy_schema())


def names_in_schema(kind: str) -> set[str]:
    """Name what the schema allows for a kind of value."""
    forms = policy_schema()["$defs"][kind]["anyOf"]
    return {name for form in forms for name in form.get("properties", [form.get("const")])}
