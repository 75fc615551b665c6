"""Rules, limits and the refusal of wrong arguments."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from tenacity import stop_after_attempt, stop_after_delay, stop_before_delay, wait_fixed, wait_random

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.conditions import any_node, every, message
from airflow_dbt_rerun.core.policy import (
    DEFAULT_RULES,
    RerunAction,
    RerunPolicy,
    RerunRule,
    Superseded,
)
from tests.core.builders import state

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
    """P5: three attempts in all; an unknown failure is looked at once more only."""
    decision = RerunPolicy().decide(state(category, attempt=attempt))
    assert (decision.action is not RerunAction.FAIL) == reruns
    assert decision.exhausted == (not reruns)


def test_default_time_is_bounded() -> None:
    """P5: after two hours no further attempt is started, and the reason says which limit it was."""
    decision = RerunPolicy().decide(state(Category.TRANSIENT, seconds=7200.0))
    assert decision.exhausted
    assert "stop_after_delay" in decision.reason


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
        ({"atempts": 3}, "no argument 'atempts'; it takes rules, stop, wait"),
        ({"rules": RerunRule(any_node("code"))}, "rules=...) takes a list of RerunRule"),
        ({"rules": ["code"]}, "rules=...) takes RerunRule objects only, not 'code'"),
        ({"stop": 3}, "stop=...) takes a tenacity stop such as stop_after_attempt(3), not 3"),
        ({"wait": 60}, "wait=...) takes a tenacity wait such as wait_fixed(60), not 60"),
        ({"stop": None}, "needs both stop and wait"),
        ({"superseded": "ignore"}, "superseded='ignore'): choose one of adopt, fail, rerun_from_start"),
        ({"fallback": "rerun_from_failure"}, "is for runs that cannot be resumed"),
        ({"fallback": "other"}, "fallback='other'): choose one of"),
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
        ({"when": "code"}, "when=...) takes a condition such as any_node(Category.TRANSIENT), not 'code'"),
        ({"when": any_node("code"), "action": "restart"}, "action='restart'): choose one of"),
        ({"when": any_node("code"), "wait": 5}, "wait=...) takes a tenacity wait"),
        ({"when": any_node("code"), "action": "fail", "wait": wait_fixed(1)}, "takes neither wait nor stop"),
        ({"when": any_node("code"), "overide": {}}, "no argument 'overide'"),
    ],
)
def test_wrong_rule_is_refused_at_once(arguments: dict[str, Any], words: str) -> None:
    """The same for rules."""
    with pytest.raises((TypeError, ValueError)) as caught:
        RerunRule(**arguments)
    assert words in str(caught.value)


def test_words_do_for_actions() -> None:
    """Plain strings are accepted wherever an enum member is."""
    policy = RerunPolicy(superseded="fail", fallback="rerun_from_start")  # type: ignore[arg-type]
    assert policy.superseded is Superseded.FAIL
    assert policy.fallback is RerunAction.RERUN_FROM_START


REPR_PROGRAM = """
from tenacity import *
from airflow_dbt_rerun.core.policy import *
from airflow_dbt_rerun.core.conditions import *
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
    assert "RerunRule(when=every(unknown), action='rerun_from_failure', stop=stop_after_attempt(" in words
    assert "superseded='adopt'" in words


def test_default_rules_are_values() -> None:
    """Users spread them into their own rules, so they are a tuple that nobody can change."""
    assert isinstance(DEFAULT_RULES, tuple)
    assert RerunPolicy(rules=[*DEFAULT_RULES]) is not None
