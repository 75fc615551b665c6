"""What happened, for people and for XCom."""

from __future__ import annotations

import json

from tenacity import wait_fixed

from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import Fail, Succeed
from airflow_dbt_rerun.core.heal.observations import NoRun, Observation, RunSeen
from airflow_dbt_rerun.core.heal.report import report, tell
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from tests.core.builders import SYNTAX, node, results, run

NOW = 1_000.0


def play(*seen: Observation) -> tuple[list[str], RerunSession, Succeed | Fail]:
    """Feed observations to the loop; return all log lines, the session and the end."""
    session, policy = RerunSession(NOW), RerunPolicy(wait=wait_fixed(0))
    lines: list[str] = []
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
    why = "rule 2 (any_node('transient', 'timed_out')) matches 1 model (transient); 1 node skipped"
    lines, _, _ = play(NoRun(), RunSeen(run(101, 1)), FAILED, RunSeen(run(102, 3)), HEALED)
    assert lines == [
        "Attempt 1: dbt run 101 is Queued (https://dbt.example/runs/101/)",
        "Attempt 1: dbt run 101 is Error (https://dbt.example/runs/101/)",
        "Diagnosis from the results of step 5: verdict transient, 1 finding",
        "  model.shop.orders: transient, connection reset: Invalid Input Error: Connection reset by peer",
        "  1 downstream node skipped",
        f"Decision: rerun_from_failure: {why}",
        "Rerunning run 101 from failure",
        "Run 102 resumed run 101 from its failed step",
        "Attempt 2: dbt run 102 is Running (https://dbt.example/runs/102/)",
        "Attempt 2: dbt run 102 is Success (https://dbt.example/runs/102/)",
        "Run 102 verified: all 2 nodes that had failed or been skipped are done now",
        "Done: healed in 2 attempts",
    ]


def test_log_tells_why_nothing_is_rerun() -> None:
    """P4: a failure that is left to a person says so, and the exception's text names the node and its error."""
    lines, _, end = play(RunSeen(run(101), results(node(message=SYNTAX))))
    assert lines[-2] == "Decision: fail: no rule covers 1 model (code)"
    assert lines[-1].startswith(
        "Giving up (1 attempt): dbt run 101 ended in Error: no rule covers 1 model (code). model"
    )
    assert "syntax error" in end.reason


def test_report_holds_every_attempt_as_plain_json() -> None:
    """The report names each run, its kind, verdict, decision, findings and what was verified."""
    _, session, end = play(RunSeen(run(101, 1)), FAILED, HEALED)
    told = report(session, end, NOW + 60)
    assert json.loads(json.dumps(told)) == told
    assert (told["version"], told["outcome"], told["job_run_id"]) == (2, "healed", 102)
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
