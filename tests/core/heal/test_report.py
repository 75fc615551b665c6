"""What happened, for people and for XCom."""

from __future__ import annotations

import json
from logging import ERROR, INFO, WARNING

from tenacity import wait_fixed

from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import Fail, Succeed
from airflow_dbt_rerun.core.heal.observations import NoRun, Observation, RunSeen
from airflow_dbt_rerun.core.heal.report import Line, report, tell
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from tests.core.builders import SYNTAX, node, results, run

NOW = 1_000.0
AT_ONCE = RerunPolicy(wait=wait_fixed(0))


def play(
    *seen: Observation, policy: RerunPolicy | None = AT_ONCE
) -> tuple[list[Line], RerunSession, Succeed | Fail]:
    """Feed observations to the loop; return all log lines, the session and the end."""
    session = RerunSession(NOW)
    lines: list[Line] = []
    for each in seen:
        before = session
        session, answer = next_step(before, each, policy, NOW)
        lines += tell(before, session, answer)
    assert isinstance(answer, (Succeed, Fail))
    return lines, session, answer


FAILED = RunSeen(run(101), results(node(), node("model.shop.customers", "skipped")))
HEALED = RunSeen(
    run(102, 10),
    results(node("model.shop.orders", "success"), node("model.shop.customers", "success")),
    before=FAILED.results,
)


def test_log_tells_the_story_of_a_heal() -> None:
    """P4: run, error, node with category and message, decision with reason, rerun, verification and outcome."""
    why = "rule 2 (at least one failure is transient or timed_out) matches 1 model (transient); 1 node skipped"
    ended = "Attempt 1: dbt run 101 ended in Error (transient, by the results of step 5)"
    what = "model orders: Invalid Input Error: Connection reset by peer"
    lines, _, _ = play(NoRun(), RunSeen(run(101, 1)), FAILED, RunSeen(run(102, 3)), HEALED)
    assert [(line.level, line.text) for line in lines] == [
        (INFO, "Attempt 1: dbt run 101 is Queued: https://dbt.example/runs/101/"),
        (WARNING, f"{what} (transient, connection reset; models/orders.sql)"),
        (WARNING, "1 downstream node skipped"),
        (WARNING, f"{ended}: https://dbt.example/runs/101/"),
        (WARNING, f"Decision: rerun from failure: {why}"),
        (INFO, "Rerunning run 101 from failure"),
        (INFO, "Run 102 resumed run 101 from its failed step"),
        (INFO, "Attempt 2: dbt run 102 is Running: https://dbt.example/runs/102/"),
        (INFO, "Attempt 2: dbt run 102 is Success: https://dbt.example/runs/102/"),
        (
            INFO,
            "Run 102 is verified: all 2 nodes that had failed or been skipped are done now, by the node results",
        ),
        (INFO, "Done: healed in 2 attempts"),
    ]


def test_log_of_a_failure_begins_with_the_error() -> None:
    """P4: at night the first words count, in the log and in the exception: node, error, kind and file."""
    lines, _, end = play(RunSeen(run(101), results(node(message=SYNTAX))))
    what = 'model orders: Parser Error: syntax error at or near "selec" (code, syntax error; models/orders.sql)'
    assert lines[0] == (ERROR, what)
    assert [line.level for line in lines] == [ERROR] * len(lines)
    why = "dbt run 101, which ended in Error, is not rerun: no rule covers 1 model (code)"
    assert end.reason == f"{what}. {why}"
    assert lines[-1].text == "Giving up (1 attempt): model orders failed. Not rerun: no rule covers 1 model (code)"


def test_the_message_is_in_the_log_once() -> None:
    """Airflow prints the exception after these lines; so the last one names what failed, and repeats no message."""
    nodes = (node(f"model.shop.m{number}", message=SYNTAX) for number in range(12))
    lines, _, end = play(RunSeen(run(101), results(*nodes)))
    assert sum("model m0: Parser Error" in line.text for line in lines) == 1
    named = ", ".join(f"model m{number}" for number in range(10))
    assert lines[-1].text.startswith(f"Giving up (1 attempt): {named} and 2 more failed. Not rerun: no rule covers")
    assert "; also failed: model m1, model m2" in end.reason


def test_exception_names_the_failure_that_decides() -> None:
    """Where several nodes failed, the message is that of the one that no rerun heals; the others are named."""
    nodes = results(node("model.shop.customers"), node(message=SYNTAX), node("model.shop.payments"))
    _, _, end = play(RunSeen(run(101), nodes), policy=None)
    assert end.reason.startswith("model orders: Parser Error")
    assert "; also failed: model customers, model payments. dbt run 101" in end.reason


def test_unverifiable_success_is_a_warning() -> None:
    """A green task whose work cannot be shown is not told in the tone of one that is."""
    lines, _, _ = play(FAILED, RunSeen(run(102, 10, retrying_run_id=101)))
    told = [line for line in lines if "not verifiable" in line.text]
    assert [line.level for line in told] == [WARNING]


def test_report_holds_every_attempt_as_plain_json() -> None:
    """The report names each run, its kind, verdict, decision, findings and what was verified."""
    _, session, end = play(RunSeen(run(101, 1)), FAILED, HEALED)
    told = report(session, end, NOW + 60)
    assert json.loads(json.dumps(told)) == told
    assert (told["version"], told["outcome"], told["job_run_id"]) == (4, "healed", 102)
    assert (told["reruns"], told["seconds"]) == (1, 60.0)
    first, second = told["attempts"]
    assert (first["run_id"], first["kind"], first["verdict"]) == (101, "trigger", "transient")
    assert [each["summary"] for each in told["attempts"]] == [
        "was triggered",
        "resumed run 101 from its failed step",
    ]
    assert first["findings"][0]["subject"] == "model.shop.orders"
    assert (second["kind"], second["of_run"], second["nodes_run"]) == ("rerun_from_failure", 101, 2)
    assert second["verification"].startswith("verified")


def test_report_of_a_failure_names_its_kind() -> None:
    """The outcome of a heal that was given up is the kind of its end."""
    _, session, end = play(RunSeen(run(101), results(node(message=SYNTAX))))
    assert report(session, end, NOW)["outcome"] == "failed"


def test_report_stays_small() -> None:
    """XCom is a table in a database: for a run with a thousand failed nodes it gets the first twenty."""
    many = results(*(node(f"model.shop.m{number}", message=SYNTAX) for number in range(1_000)))
    _, session, end = play(RunSeen(run(101), many))
    told = report(session, end, NOW)["attempts"][0]
    assert (len(told["findings"]), told["found"]) == (20, 1_000)
    assert len(json.dumps(session.to_dict())) < 20_000
