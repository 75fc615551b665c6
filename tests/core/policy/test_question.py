"""A question to a person: what it takes, in Python, as data and in words."""

from __future__ import annotations

from typing import Any

import pytest
from tenacity import stop_after_attempt, stop_after_delay, stop_all, wait_fixed

from airflow_dbt_rerun.core.policy.conditions import every
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule
from airflow_dbt_rerun.core.policy.question import Question

FAILURE, START, FAIL = RerunAction.RERUN_FROM_FAILURE, RerunAction.RERUN_FROM_START, RerunAction.FAIL
ASKS = RerunRule(every("code"), "ask", question=Question(options=[START, FAIL], patience=60, assigned_users=["op"]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"options": []}, "takes a list that is not empty"),
        ({"options": ["rerun_from_failure", "rerun_from_failure", "fail"]}, "names an answer twice"),
        ({"options": ["ask", "fail"]}, "a question cannot answer with a question"),
        ({"options": ["rerun_from_failur"]}, "did you mean 'rerun_from_failure'"),
        ({"options": ["rerun_from_failure"]}, "takes one of its options"),
        ({"default": "rebuild_tested"}, "takes one of its options"),
        ({"patience": 0}, "a number of seconds above zero"),
        ({"patience": "1h"}, "a number of seconds above zero"),
        ({"assigned_users": "op"}, "takes a list"),
        ({"assigned_users": [7]}, "takes a text"),
        ({"patient": 7}, "did you mean 'patience'"),
    ],
)
def test_wrong_questions_are_refused(arguments: dict[str, Any], says: str) -> None:
    """In code and in data alike, by the name of the argument."""
    with pytest.raises((TypeError, ValueError), match=says):
        Question(**arguments)
    rules = [{"when": {"every": "code"}, "action": "ask", "question": arguments}]
    with pytest.raises((TypeError, ValueError), match=says) as caught:
        RerunPolicy.from_dict({"rules": rules})
    assert "policy.rules[0]" in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"action": "fail", "question": Question()}, "asks nobody, so it takes no question"),
        ({"action": "ask", "question": "which?"}, "takes a Question"),
        ({"action": "ask", "wait": wait_fixed(1)}, "asks at once, so it takes no wait"),
    ],
)
def test_only_a_rule_that_asks_takes_a_question(arguments: dict[str, Any], says: str) -> None:
    """And it takes no wait: the person decides when."""
    with pytest.raises((TypeError, ValueError), match=says):
        RerunRule(every("code"), **arguments)


@pytest.mark.parametrize("name", ["fallback", "on_unknown_cancel"])
def test_settings_do_not_ask(name: str) -> None:
    """They are for runs that a rule has already decided about."""
    with pytest.raises(ValueError, match="only a rule can ask a person"):
        RerunPolicy(**{name: "ask"})  # type: ignore[arg-type]


def test_question_survives_data() -> None:
    """As YAML or JSON it means the same; a rule without a question asks the usual one."""
    for rule in (ASKS, RerunRule(every("code"), RerunAction.ASK)):
        policy = RerunPolicy(rules=[rule])
        assert RerunPolicy.from_dict(policy.to_dict()) == policy
        assert policy.asks
    assert RerunRule(every("code"), RerunAction.ASK).question == Question()
    assert not RerunPolicy().asks


def test_question_in_words() -> None:
    """``explain-policy`` names the answers, the patience and who may answer."""
    assert RerunPolicy(rules=[ASKS]).words()[0] == (
        "1. If every failure is code: ask a person; rerun from start, give up; without an answer within 1 minute: "
        "give up; only op may answer."
    )


@pytest.mark.parametrize(
    ("stop", "seconds"),
    [
        (stop_after_delay(60), 60.0),
        (stop_after_attempt(3) | stop_after_delay(60), 60.0),
        (stop_after_delay(90) | stop_after_delay(60), 60.0),
        (stop_all(stop_after_delay(90), stop_after_delay(60)), 90.0),
        (stop_all(stop_after_attempt(3), stop_after_delay(60)), None),
        (stop_after_attempt(3), None),
    ],
)
def test_longest(stop: Any, seconds: float | None) -> None:
    """A question without a patience of its own waits as long as the policy's stop allows."""
    assert RerunPolicy(stop=stop).longest == seconds
