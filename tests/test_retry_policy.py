"""DbtRetryPolicy on other people's tasks: what counts as evidence, and what Airflow is told to do."""

from __future__ import annotations

import pickle
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tests.system.airflow_stack import AIRFLOW_2

pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="Airflow asks a retry_policy from 3.3 on")

from airflow.sdk.definitions.retry_policy import RetryAction
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun import DbtConfigError, DbtRetryPolicy, DbtRunExhausted, RerunPolicy, RerunRule, every
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from tests.core.builders import node, results, run
from tests.support import Json, LocalPlatform

pytestmark = [
    pytest.mark.usefixtures("connected"),
    pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no retry policies"),
]

RESET = {"node": "raw_orders", "times": 1, "message": "Connection reset by peer"}
BUG = {"node": "raw_orders", "times": 1, "message": 'syntax error at or near "selec"'}
ERROR = RuntimeError("Job run failed")
OUTPUT = """02:00:03  Completed with 1 error, 0 partial successes, and 0 warnings:
02:00:03
02:00:03    Database Error in model orders (models/marts/orders.sql)
  could not connect to server: Connection timed out
02:00:03
02:00:03  Done. PASS=3 WARN=0 ERROR=1 SKIP=0 NO-OP=0 TOTAL=4"""


def context(xcom: Any = None, **task: Any) -> Any:
    """What Airflow passes: a task, and the XCom that it pushed."""
    operator = SimpleNamespace(dbt_cloud_conn_id="dbt_cloud_default", **task)
    instance = SimpleNamespace(task=operator, task_id="build", map_index=-1, xcom_pull=lambda **_: xcom)
    return {"ti": instance}


def failed(platform: LocalPlatform, trouble: Json) -> int:
    """Let a run fail."""
    platform.trouble(trouble)
    run_id: int = platform.run("seeds")["id"]
    return run_id


@pytest.mark.parametrize("by", ["attribute", "xcom"])
def test_run_of_the_task_is_diagnosed(simulated: LocalPlatform, by: str) -> None:
    """The official operator knows its run, or has pushed its id, as a deferred one has."""
    run_id = failed(simulated, RESET)
    given = context(run_id=run_id) if by == "attribute" else context(xcom=str(run_id))
    policy = DbtRetryPolicy(RerunPolicy(wait=wait_fixed(7)))
    decision = policy.evaluate(ERROR, 1, 3, given)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(seconds=7))
    assert decision.reason is not None
    assert "seed raw_orders: Invalid Input Error: Connection reset by peer" in decision.reason


def test_bug_fails_at_once(simulated: LocalPlatform) -> None:
    """No retry mends code; the reason names the node."""
    decision = DbtRetryPolicy().evaluate(ERROR, 1, 3, context(run_id=failed(simulated, BUG)))
    assert decision.action is RetryAction.FAIL
    assert decision.reason is not None
    assert "syntax error" in decision.reason


def test_policy_is_asked(simulated: LocalPlatform) -> None:
    """Its rules decide, and its limit of attempts; a rule that asks needs a person, so the task fails."""
    run_id = failed(simulated, BUG)
    always = RerunPolicy(rules=[RerunRule(every("code"))], stop=stop_after_attempt(2), wait=wait_fixed(0))
    decide = DbtRetryPolicy(always).evaluate
    assert decide(ERROR, 1, 9, context(run_id=run_id)).action is RetryAction.RETRY
    assert decide(ERROR, 2, 9, context(run_id=run_id)).action is RetryAction.FAIL
    asks = DbtRetryPolicy({"rules": [{"when": {"every": "code"}, "action": "ask"}]})
    assert asks.evaluate(ERROR, 1, 9, context(run_id=run_id)).action is RetryAction.FAIL


def test_what_is_not_known_is_left_to_airflow(simulated: LocalPlatform) -> None:
    """No run, no text of dbt, a run that did not fail, or a platform that does not answer."""
    default = RetryAction.DEFAULT
    assert DbtRetryPolicy().evaluate(ERROR, 1, 3, None).action is default
    assert DbtRetryPolicy().evaluate(KeyError("x"), 1, 3, context()).action is default
    assert DbtRetryPolicy().evaluate(ERROR, 1, 3, context(run_id=simulated.run("seeds")["id"])).action is default
    assert DbtRetryPolicy().evaluate(ERROR, 1, 3, context(run_id=1)).action is default


def test_texts_of_dbt_are_read() -> None:
    """An exception that quotes dbt's output or message, also as the cause of another."""
    decide = DbtRetryPolicy().evaluate
    assert decide(RuntimeError(OUTPUT), 1, 3).action is RetryAction.RETRY
    assert decide(RuntimeError("dbt invocation completed with errors: orders: deadlock detected"), 1, 3).action is (
        RetryAction.RETRY
    )
    wrapped = RuntimeError("the command failed")
    wrapped.__cause__ = RuntimeError('Database Error in model orders\n  relation "x" does not exist')
    assert decide(wrapped, 1, 3).action is RetryAction.FAIL


def test_own_error_is_not_read_again() -> None:
    """An error of this package brings its diagnosis along."""
    told = diagnose(run(), results(node()))
    decision = DbtRetryPolicy().evaluate(DbtRunExhausted("used up", run=run(), diagnosis=told), 1, 3, context())
    assert decision.action is RetryAction.RETRY


@pytest.mark.parametrize("wrong", [{"policy": {"rule": []}}, {"policy": 7}, {"signatures": ["x"]}])
def test_wrong_arguments_are_refused_at_parse(wrong: dict[str, Any]) -> None:
    """With the name of the class."""
    with pytest.raises(DbtConfigError, match="DbtRetryPolicy: "):
        DbtRetryPolicy(**wrong)


def test_policy_travels() -> None:
    """As JSON and as a pickle."""
    policy = DbtRetryPolicy({"rules": ["default_rules"]}, dbt_cloud_conn_id="x", account_id=7)
    assert DbtRetryPolicy.deserialize(policy.serialize()).policy == policy.policy
    assert pickle.loads(pickle.dumps(policy)).dbt_cloud_conn_id == "x"  # noqa: S301 - our own
