"""Reports as tasks push them: each is checked against the published schema."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own

from airflow_dbt_rerun.core.policy.policy import RerunPolicy

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "report.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
HOST = "https://dbt.example/deploy/1/projects/2/runs"

Json = dict[str, Any]


def finding(subject: str, message: str, category: str = "code", **more: Any) -> Json:
    """Return one failed node."""
    kind = subject.split(".", maxsplit=1)[0]
    node = {"subject": subject, "resource_type": kind, "status": "error", "category": category, "message": message}
    return {**node, "signature": None, "signature_id": None, "path": None, **more}


def attempt(number: int, status: str, *findings: Json, **more: Any) -> Json:
    """Return one dbt run."""
    run_id = 70403104000000 + number
    return {
        "attempt": number,
        "run_id": run_id,
        "url": f"{HOST}/{run_id}/",
        "kind": "trigger" if number == 1 else "rerun_from_failure",
        "of_run": None if number == 1 else run_id - 1,
        "summary": "was triggered" if number == 1 else f"resumed run {run_id - 1} from its failed step",
        "status": status,
        "git_sha": "5b0a1f2c",
        "verdict": findings[0]["category"] if findings else None,
        "findings": list(findings),
        "found": len(findings) or None,
        "skipped": None,
        "fingerprint": None,
        "progress": None,
        "decision": None,
        "by_person": False,
        "would": None,
        "waited_seconds": 0.0,
        "seconds": 312.0,
        "verified": None,
        "verification": None,
        "warnings": [],
        "nodes_run": None,
        "nodes_saved": None,
        **more,
    }


def report(outcome: str, reason: str, *attempts: Json, **more: Any) -> Json:
    """Return a whole report."""
    told = {
        "version": 4,
        "outcome": outcome,
        "verified": None,
        "reason": reason,
        "job_id": 48617,
        "job_name": "nightly",
        "job_run_id": attempts[-1]["run_id"] if attempts else None,
        "reruns": max(len(attempts) - 1, 0),
        "waited_seconds": 0.0,
        "seconds": 420.0,
        "attempts": list(attempts),
        "now": None,
        "policy": RerunPolicy().words(),
        **more,
    }
    VALIDATOR.validate(told)
    return told


LOST = finding(
    "model.shop.stg_orders",
    "SSL SYSCALL error: Connection reset by peer",
    "transient",
    signature="connection reset",
    signature_id="postgres/connection-reset",
    path="models/staging/stg_orders.sql",
)
BROKEN = finding(
    "model.shop.daily_revenue",
    'Database Error in model daily_revenue: relation "raw_refunds" does not exist',
    path="models/marts/daily_revenue.sql",
)
NO_RULE = "fail: no rule covers 1 model (code); 3 nodes skipped"
RERUN = (
    "rerun_from_failure: rule 2 (at least one failure is transient or timed_out) matches 1 model (transient); "
    "4 nodes skipped"
)


def gave_up() -> Json:
    """Return a failure that a person has to mend."""
    failed = attempt(1, "Error", BROKEN, skipped=3, decision=NO_RULE)
    reason = f"dbt run {failed['run_id']} ended in Error: {NO_RULE.removeprefix('fail: ')}. {BROKEN['message']}"
    return report("failed", reason, failed)


def healed() -> Json:
    """Return a heal: a lost connection, a wait, a rerun that was verified."""
    failed = attempt(1, "Error", LOST, skipped=4, decision=RERUN)
    done = attempt(
        2,
        "Success",
        waited_seconds=37.2,
        seconds=48.0,
        nodes_run=5,
        nodes_saved=20,
        verified="verified",
        verification="verified: all 5 nodes that had failed or been skipped are done now, by the node results",
    )
    return report(
        "healed", "healed in 2 attempts", failed, done, verified="verified", waited_seconds=37.2, seconds=397.2
    )


def waiting(seconds: float = 1_800) -> Json:
    """Return a heal that waits for its next attempt."""
    failed = attempt(1, "Error", LOST, skipped=4, decision=RERUN)
    now = {"doing": "waiting", "since": time.time(), "until": time.time() + seconds, "step": None, "question": None}
    return report("in progress", f"waiting before rerunning run {failed['run_id']} from failure", failed, now=now)


def asking(seconds: float = 5_400) -> Json:
    """Return a heal that asks a person."""
    failed = attempt(
        1, "Error", BROKEN, skipped=3, decision="ask: rule 1 (every failure is code) matches 1 model (code)"
    )
    question = {"options": ["Rerun from failure", "Rerun from start", "Give up"], "default": "Give up"}
    now = {
        "doing": "asking",
        "since": time.time(),
        "until": time.time() + seconds,
        "step": None,
        "question": question,
    }
    return report("in progress", f"asking a person what to do about run {failed['run_id']}", failed, now=now)


def exhausted() -> Json:
    """Return a heal whose limits are reached, of a run in which several nodes failed."""
    others = [{**LOST, "subject": f"model.shop.stg_{name}"} for name in ("customers", "payments")]
    limit = "limit reached: after 2 attempts in all (attempt 2 failed after 400 s)"
    why = f"{RERUN.removeprefix('rerun_from_failure: ')}, but {limit}"
    failed = [
        attempt(1, "Error", LOST, *others, skipped=4, decision=RERUN),
        attempt(2, "Error", LOST, *others, skipped=4, decision=f"fail: {why}"),
    ]
    run = f"dbt run {failed[1]['run_id']}, which ended in Error, is not rerun"
    return report("exhausted", f"model stg_orders: {LOST['message']}. {run}: {why}", *failed)


def watching() -> Json:
    """Return a first run at work."""
    going = attempt(1, "Running", seconds=None)
    step = {"index": 5, "of": 6, "name": "dbt build --exclude resource_type:seed"}
    now = {"doing": "watching", "since": time.time() - 754, "until": None, "step": step, "question": None}
    return report("in progress", f"watching dbt run {going['run_id']}", going, now=now)


def hostile() -> Json:
    """Return what somebody writes who wants to run a script in the browser of the person on call."""
    script = "<script>globalThis.hacked = 1</script><img src=x onerror='globalThis.hacked = 1'>"
    node = finding("model.shop.<b>x</b>", script, path=script)
    failed = attempt(1, "Error", node, url="javascript:globalThis.hacked=1", decision=f"fail: {script}")
    return report("failed", script, failed, policy=[script])
