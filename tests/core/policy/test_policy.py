"""Rules, limits and the refusal of wrong arguments."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from tenacity import stop_after_attempt, stop_after_delay, stop_before_delay, wait_fixed, wait_random

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import OVERRIDE_FIELDS
from airflow_dbt_rerun.core.policy.conditions import any_node, attempt_number, every, message, node
from airflow_dbt_rerun.core.policy.overrides import TAKES
from airflow_dbt_rerun.core.policy.policy import (
    DEFAULT_RULES,
    RerunAction,
    RerunPolicy,
    RerunRule,
    Superseded,
)
from tests.core.builders import state

CODE = any_node(Category.CODE)
START = RerunAction.RERUN_FROM_START
HEALABLE = {Category.TRANSIENT, Category.THROTTLED, Category.TIMED_OUT}


@pytest.mark.parametrize("category", list(Category))
def test_default_rules_rerun_what_can_heal_and_nothing_else(category: Category) -> None:
    """P4, design part 5: transient, throttled, timed out and (once) unknown are rerun, all else fails at once."""
    decision = RerunPolicy().decide(state(category))
    reruns = category in HEALABLE | {Category.UNKNOWN}
    assert (decision.action is RerunAction.RERUN_FROM_FAILURE) == reruns
    assert decision.reason


@pytest.mark.parametrize("other", [Category.CODE, Category.TEST_FAILED, Category.ACCESS])
def test_default_rules_heal_what_can_be_healed_beside_other_errors(other: Category) -> None:
    """One transient node is reason enough: the next diagnosis then sees the rest."""
    assert RerunPolicy().decide(state(other, Category.TRANSIENT)).action is RerunAction.RERUN_FROM_FAILURE


def test_unknown_beside_a_known_permanent_error_is_not_rerun() -> None:
    """The rule for unknown errors asks that every finding is unknown."""
    assert RerunPolicy().decide(state(Category.UNKNOWN, Category.CODE)).action is RerunAction.FAIL


@pytest.mark.parametrize(
    ("category", "attempt", "reruns"),
    [
        (Category.TRANSIENT, 1, True),
        (Category.TRANSIENT, 2, True),
        (Category.TRANSIENT, 3, False),
        (Category.UNKNOWN, 1, True),
        (Category.UNKNOWN, 2, False),
    ],
)
def test_default_attempts_are_bounded(category: Category, attempt: int, reruns: bool) -> None:  # noqa: FBT001
    """P5: three attempts in all; an unknown failure is rerun only once."""
    decision = RerunPolicy().decide(state(category, attempt=attempt))
    assert (decision.action is not RerunAction.FAIL) == reruns
    assert decision.exhausted == (not reruns)


def test_default_time_is_bounded() -> None:
    """P5: after two hours no further attempt is started, and the reason says which limit it was."""
    decision = RerunPolicy().decide(state(Category.TRANSIENT, seconds=7200.0))
    assert decision.exhausted
    assert "once 2 hours have passed" in decision.reason


def test_throttled_waits_at_least_two_minutes() -> None:
    """A warehouse that pushes back is given time."""
    waits = [RerunPolicy().decide(state(Category.THROTTLED, attempt=n)).wait_seconds for n in (1, 2)]
    assert min(waits) >= 120.0


def test_default_wait_doubles_with_jitter() -> None:
    """30 s, then 60 s, each with up to 15 s of jitter, so that many tasks do not come back at once."""
    policy = RerunPolicy()
    first = {policy.decide(state(Category.TRANSIENT)).wait_seconds for _ in range(20)}
    second = policy.decide(state(Category.TRANSIENT, attempt=2)).wait_seconds
    assert all(30.0 <= seconds <= 45.0 for seconds in first)
    assert len(first) > 1
    assert 60.0 <= second <= 75.0


def test_first_rule_that_matches_decides() -> None:
    """Rules are read top-down, like Airflow's own retry rules."""
    policy = RerunPolicy(
        rules=[
            RerunRule(message("relation .* does not exist"), RerunAction.RERUN_FROM_START),
            RerunRule(any_node(Category.CODE)),
        ]
    )
    seen = state(Category.CODE, message='relation "x" does not exist')
    assert policy.decide(seen).action is RerunAction.RERUN_FROM_START
    assert policy.decide(state(Category.CODE)).action is RerunAction.RERUN_FROM_FAILURE


def test_rule_has_its_own_wait_and_stop() -> None:
    """A rule's wait replaces the policy's; a rule's stop comes on top of it."""
    rule = RerunRule(any_node(Category.CODE), wait=wait_fixed(300), stop=stop_after_attempt(2))
    policy = RerunPolicy(rules=[rule], stop=stop_after_attempt(9))
    assert policy.decide(state(Category.CODE)).wait_seconds == 300.0
    assert policy.decide(state(Category.CODE, attempt=2)).exhausted


def test_stop_sees_the_coming_wait() -> None:
    """tenacity's stop_before_delay works: the wait is known before the stop is asked."""
    policy = RerunPolicy(stop=stop_before_delay(100), wait=wait_fixed(60))
    assert policy.decide(state(Category.TRANSIENT, seconds=50.0)).exhausted
    assert not policy.decide(state(Category.TRANSIENT, seconds=30.0)).exhausted


def test_plain_callables_will_do() -> None:
    """Conditions, stops and waits may be any function of the state."""
    policy = RerunPolicy(
        rules=[RerunRule(lambda seen: seen.attempt_number == 1)],
        stop=lambda seen: seen.attempt_number > 5,
        wait=lambda _: 7.0,
    )
    assert policy.decide(state(Category.CODE)).wait_seconds == 7.0


def test_no_rule_means_fail_with_a_reason() -> None:
    """P4: an uncovered failure is not rerun, and the reason names it."""
    decision = RerunPolicy(rules=[]).decide(state(Category.TRANSIENT))
    assert decision.action is RerunAction.FAIL
    assert not decision.exhausted
    assert "transient" in decision.reason


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"atempts": 3}, "RerunPolicy(): there is no argument 'atempts'; there are rules, stop, wait"),
        ({"rule": []}, "there is no argument 'rule'; did you mean 'rules'?"),
        ({"rules": None}, "rules=...) takes a list of RerunRule, not None"),
        ({"rules": RerunRule(any_node("code"))}, "takes a list of RerunRule, not a single one: write [RerunRule("),
        ({"rules": ["code"]}, "rules=...) takes RerunRule objects only, not 'code'"),
        ({"rules": [any_node("code")]}, "not any_node('code'): wrap it, RerunRule(any_node('code'))"),
        ({"rules": [RerunRule]}, "the class, not an object"),
        ({"rules": [DEFAULT_RULES]}, "at index 0: write * before a list to include its rules"),
        ({"rules": [{"when": 1}]}, "RerunPolicy.from_dict reads plain data"),
        ({"stop": 3}, "stop=...) takes a tenacity stop such as stop_after_attempt(3), not 3"),
        ({"wait": 60}, "wait=...) takes a tenacity wait such as wait_fixed(60), not 60"),
        ({"stop": None}, "needs both stop and wait"),
        ({"stop": stop_after_attempt}, "not the class stop_after_attempt: write stop_after_attempt(3)"),
        ({"stop": wait_fixed(3)}, "RerunPolicy(stop=...) takes a tenacity stop"),
        ({"wait": wait_random(5, 1)}, "RerunPolicy(wait=...): wait_random(5, 1) has a min above its max"),
        (
            {"superseded": "ignore"},
            "superseded=...): there is no action 'ignore'; there are adopt, adopt_and_rerun, fa",
        ),
        ({"superseded": "adapt"}, "there is no action 'adapt'; did you mean 'adopt'?"),
        ({"fallback": "rerun_from_failure"}, "fallback=...): this is for runs that cannot be resumed"),
        ({"fallback": "rerun_from_stp"}, "did you mean 'rerun_from_step'?"),
        (
            {"on_unknown_cancel": RerunAction.RERUN_FROM_FAILURE},
            "on_unknown_cancel=...): this is for runs that cannot",
        ),
        ({"give_up_after_failed_runs": 1}, "takes a whole number, at least 2, not 1"),
        ({"give_up_after_failed_runs": True}, "takes a whole number, at least 2, not True"),
        ({"give_up_after_failed_runs": 2.5}, "takes a whole number, at least 2, not 2.5"),
    ],
)
def test_wrong_policy_is_refused_at_once(arguments: dict[str, Any], words: str) -> None:
    """A wrong argument is answered where the DAG is parsed, by name, with what is allowed."""
    with pytest.raises((TypeError, ValueError)) as caught:
        RerunPolicy(**arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"when": "code"}, "takes a condition such as any_node('transient'), not 'code': write any_node('code')"),
        ({"when": Category.CODE}, "write any_node('code')"),
        ({"when": ["transient", Category.CODE]}, "write any_node('transient', 'code')"),
        ({"when": {"any_node": "code"}}, "RerunPolicy.from_dict reads plain data"),
        ({"when": any_node}, "any_node is not called yet: write any_node(...)"),
        ({"when": None}, "takes a condition such as any_node('transient'), not None"),
        (
            {"when": CODE, "action": "restart"},
            "RerunRule(action=...): there is no action 'restart'; did you mean",
        ),
        ({"when": CODE, "wait": 5}, "RerunRule(wait=...) takes a tenacity wait such as wait_fixed(5), not 5"),
        (
            {"when": CODE, "wait": False},
            "RerunRule(wait=...) takes a tenacity wait such as wait_fixed(60), not False",
        ),
        ({"when": CODE, "stop": wait_fixed(5)}, "wait_fixed(5) is a wait"),
        ({"when": CODE, "action": "fail", "wait": wait_fixed(1)}, "starts nothing, so it takes no wait, stop or"),
        (
            {"when": CODE, "action": "fail", "overrides": {"threads_override": 1}},
            "it takes no wait, stop or overri",
        ),
        ({"when": CODE, "overide": {}}, "RerunRule(): there is no argument 'overide'; did you mean 'overrides'?"),
        (
            {"when": CODE, "overrides": "x"},
            "overrides=...) takes a mapping such as {'threads_override': 2}, not 'x'",
        ),
        ({"when": CODE, "overrides": {"threads": 2}}, "did you mean 'threads_override'? There are git_sha"),
        (
            {"when": CODE, "overrides": {"threads_override": 0}},
            "overrides=...)['threads_override'] takes a whole num",
        ),
        ({"when": CODE, "overrides": {"threads_override": True}}, "takes a whole number, at least 1, not True"),
        ({"when": CODE, "overrides": {"generate_docs_override": "no"}}, "takes True or False, not 'no'"),
        ({"when": CODE, "overrides": {"git_branch": ""}}, "takes a text that is not empty"),
        ({"when": CODE, "overrides": {"schema_override": None}}, "takes a text, not None"),
        (
            {"when": CODE, "action": START, "overrides": {"steps_override": "dbt run"}},
            "takes a list, not 'dbt run'",
        ),
        ({"when": CODE, "action": START, "overrides": {"steps_override": []}}, "takes a list that is not empty"),
        (
            {"when": CODE, "action": START, "overrides": {"steps_override": ["dbt run", 3]}},
            "['steps_override'][1] takes a",
        ),
        ({"when": CODE, "overrides": {"steps_override": ["dbt run"]}}, "need action='rerun_from_start'"),
    ],
)
def test_wrong_rule_is_refused_at_once(arguments: dict[str, Any], words: str) -> None:
    """The same for rules."""
    with pytest.raises((TypeError, ValueError)) as caught:
        RerunRule(**arguments)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_words_do_for_actions() -> None:
    """Plain strings are accepted wherever an enum member is."""
    policy = RerunPolicy(superseded="fail", fallback="rerun_from_start")  # type: ignore[arg-type]
    assert policy.superseded is Superseded.FAIL
    assert policy.fallback is RerunAction.RERUN_FROM_START


REPR_PROGRAM = """
from tenacity import *
from airflow_dbt_rerun.core.policy.policy import *
from airflow_dbt_rerun.core.policy.conditions import *
print(repr(RerunPolicy(
    rules=[RerunRule(any_node("transient") & ~message("x") | every("code"), wait=wait_fixed(3)), *DEFAULT_RULES],
    stop=stop_after_attempt(2) | stop_after_delay(10) & stop_never, wait=wait_fixed(1) + wait_random(0, 2))))
"""


def test_repr_is_the_same_in_every_process() -> None:
    """Airflow hashes the repr: no memory address, no set order, in two processes with different hash seeds."""
    seen = {
        subprocess.run(
            [sys.executable, "-c", REPR_PROGRAM],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1
    assert "0x" not in seen.pop()


def test_repr_reads_like_the_policy() -> None:
    """What was written can be read back from the repr."""
    rule = RerunRule(every(Category.UNKNOWN), stop=stop_after_attempt(2))
    words = repr(RerunPolicy(rules=[rule], stop=stop_after_delay(60), wait=wait_random(1, 2)))
    assert words == (
        "RerunPolicy(rules=[RerunRule(when=every('unknown'), action='rerun_from_failure',"
        " stop=stop_after_attempt(2))], stop=stop_after_delay(60), wait=wait_random(1, 2),"
        " superseded='adopt', fallback='rerun_from_step', on_unknown_cancel='fail', give_up_after_failed_runs=20)"
    )


def test_default_rules_are_values() -> None:
    """Users spread them into their own rules, so they are an immutable tuple."""
    assert isinstance(DEFAULT_RULES, tuple)
    assert RerunPolicy(rules=[*DEFAULT_RULES]) is not None


def test_overrides_are_handed_on() -> None:
    """A rule's overrides reach the decision as a trigger request takes them, and stay as they were written."""
    given = {"threads_override": 2, "steps_override": ["dbt run"]}
    rule = RerunRule(CODE, START, overrides=given)
    given["threads_override"] = 9
    decision = RerunPolicy(rules=[rule]).decide(state(Category.CODE))
    assert decision.overrides == {"threads_override": 2, "steps_override": ["dbt run"]}
    assert rule.overrides["threads_override"] == 2
    with pytest.raises(TypeError):
        rule.overrides["threads_override"] = 3  # type: ignore[index]
    assert "overrides={'threads_override': 2, 'steps_override': ['dbt run']})" in repr(rule)
    assert RerunPolicy().decide(state(Category.TRANSIENT)).overrides == {}


def test_all_overrides_are_known() -> None:
    """Whatever a trigger request can change about how a run runs can be written in a rule."""
    assert set(TAKES) == set(OVERRIDE_FIELDS)


@pytest.mark.parametrize(
    ("failed_runs", "limit", "gives_up"), [(19, 20, False), (20, 20, True), (None, 20, False), (99, None, False)]
)
def test_hopeless_jobs_are_left_alone(failed_runs: int | None, limit: int | None, gives_up: bool) -> None:  # noqa: FBT001
    """P5: a job that has failed so often is not rerun, and not by Airflow's retries either (not exhausted)."""
    policy = RerunPolicy(give_up_after_failed_runs=limit, stop=stop_after_attempt(1))
    decision = policy.decide(replace(state(Category.TRANSIENT), failed_runs=failed_runs))
    assert decision.exhausted != gives_up
    assert ("the job has failed 20 times in a row and the policy gives up after 20" in decision.reason) == gives_up


def test_reason_numbers_the_rule() -> None:
    """P4: the reason says which rule it was, by its number and as it is written."""
    reason = RerunPolicy().decide(state(Category.TRANSIENT)).reason
    assert reason == "rule 2 (at least one failure is transient or timed_out) matches 1 model (transient)"


def breaks(_: object) -> Any:
    """Be a function of the user's own with a mistake in it."""
    raise ZeroDivisionError("division\nby zero")


def gives(value: object) -> Callable[[object], Any]:
    """Be one that answers nonsense."""

    def answer(_: object) -> Any:
        return value

    return answer


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rules": [RerunRule(breaks)]}, "rule 1 (breaks) is broken: ZeroDivisionError: division by zero; it was"),
        ({"rules": [RerunRule(CODE & breaks)]}, "rule 1 (any_node('code') & breaks) is broken"),
        ({"rules": [RerunRule(CODE, wait=breaks)]}, "rule 1 (any_node('code')) is broken: ZeroDivisionError"),
        ({"rules": [RerunRule(CODE)], "stop": breaks}, "rule 1 (any_node('code')) is broken: ZeroDivisionError"),
        ({"rules": [RerunRule(CODE, wait=gives(-1))]}, "returned -1 as the seconds to wait"),
        ({"rules": [RerunRule(CODE, wait=gives(float("nan")))]}, "returned nan as the seconds to wait"),
        ({"rules": [RerunRule(CODE, wait=gives(float("inf")))]}, "returned inf as the seconds to wait"),
        ({"rules": [RerunRule(CODE, wait=gives(True))]}, "returned True as the seconds to wait"),
        ({"rules": [RerunRule(CODE, wait=gives("60"))]}, "returned '60' as the seconds to wait"),
        ({"rules": [RerunRule(CODE, stop=gives(None))]}, "returned None, not True or False"),
    ],
)
def test_broken_rules_never_rerun(arguments: dict[str, Any], words: str) -> None:
    """P4, P5: a mistake in a rule fails the run with the rule, the error and the diagnosis in the reason."""
    decision = RerunPolicy(**arguments).decide(state(Category.CODE))
    assert decision.action is RerunAction.FAIL
    assert not decision.exhausted
    assert words in decision.reason
    assert "1 model (code)" in decision.reason
    assert "\n" not in decision.reason


def test_policies_are_values() -> None:
    """Written alike is equal, although tenacity's objects are not; and Airflow can copy and pickle them."""
    first, second = (
        RerunPolicy(
            rules=[RerunRule(node(tag="x"), START, wait_fixed(1), overrides={"steps_override": ["dbt run"]})]
        )
        for _ in range(2)
    )
    assert first == second
    assert len({first, second}) == 1
    assert copy.deepcopy(first) == first
    assert pickle.loads(pickle.dumps(first)) == first  # noqa: S301 - made a moment ago
    assert first != RerunPolicy()
    assert replace(first, wait=wait_fixed(2)) != first
    assert first.rules[0] != RerunRule(
        node(tag="x"), START, wait_fixed(2), overrides={"steps_override": ["dbt run"]}
    )
    assert RerunPolicy() != object()


def test_needs_manifest() -> None:
    """The manifest is fetched only if a rule needs it."""
    assert not RerunPolicy(rules=[*DEFAULT_RULES, RerunRule(lambda _: True)]).needs_manifest
    assert RerunPolicy(rules=[*DEFAULT_RULES, RerunRule(CODE & ~node(path="models/staging"))]).needs_manifest


def test_words() -> None:
    """P4: a policy describes itself: the numbered rules, the limits, and what happens otherwise."""
    rules = [
        RerunRule(~CODE, wait=wait_fixed(300), overrides={"threads_override": 2}),
        RerunRule(attempt_number(2) | ~node(name="*"), START, stop=stop_after_attempt(2)),
        RerunRule(CODE, RerunAction.FAIL),
    ]
    policy = RerunPolicy(
        rules=rules, stop=stop_after_delay(7200), wait=wait_fixed(30), give_up_after_failed_runs=None
    )
    assert policy.words() == [
        "1. If no failure is code: rerun from failure; with threads_override = 2; wait 5 minutes.",
        "2. If it is attempt 2, or no failed node is named *: rerun from start; stop after 2 attempts in all.",
        "3. If at least one failure is code: do not rerun; a person is needed.",
        "Otherwise: do not rerun; a person is needed.",
        "Wait before a rerun, unless its rule says otherwise: 30 seconds.",
        "Stop once 2 hours have passed.",
        "There is no limit on how often the job may fail in a row.",
        "If a run cannot be resumed: rerun from the failed step.",
        "If the job has a newer run: wait for that one and take its result.",
        "If dbt records neither who cancelled a run nor why: do not rerun; a person is needed.",
    ]
    assert RerunPolicy(rules=[]).words()[0] == "Always: do not rerun; a person is needed."
    assert "Rerun nothing once the job has failed 20 times in a row (dbt deactivates a job at 100)." in (
        RerunPolicy().words()
    )
