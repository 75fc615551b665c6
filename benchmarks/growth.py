"""What the largest inputs cost: each in a process of its own, in CPU seconds and in MB above the imports."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun.config.documents import LONGEST_TEXT, read_policy, read_signatures
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run, RunStep
from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults
from airflow_dbt_rerun.core.diagnosis.classify_message import match
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import Succeed
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.report import tell
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.heal.verify import verify
from airflow_dbt_rerun.core.policy.conditions import any_node
from airflow_dbt_rerun.core.policy.policy import RerunPolicy, RerunRule
from airflow_dbt_rerun.core.signatures import Signature, all_signatures
from airflow_dbt_rerun.core.signatures.signature import FLAGS
from benchmarks.diagnosis import peak

LONG = 16_000
"""Characters of a message: more than is read of it."""


def main() -> None:
    """Print what each case costs."""
    print("CPU seconds, and MB at the peak above the imports; each case in a fresh process")
    for name, (title, _) in CASES.items():
        command = [sys.executable, "-m", "benchmarks.growth", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seconds, megabytes = json.loads(done.stdout)
        print(f"{seconds:6.2f} s {megabytes:6.0f} MB  {title}", flush=True)


def measure(name: str) -> None:
    """Print the CPU seconds and the MB of one case as JSON. Preparing the input is not counted."""
    work = CASES[name][1]()
    before, began = peak(), time.process_time()
    work()
    print(json.dumps([time.process_time() - began, max(peak() - before, 0)]))


Case = Callable[[], Callable[[], object]]
"""Prepares an input and returns the work to measure."""


def silent_nodes() -> Callable[[], object]:
    errors = (f"Database Error in model x{n} (x{n}.sql)\n  deadlock detected {n}\n" for n in range(5_000))
    return _diagnosis([None] * 1_200, log="Completed with 5000 errors:\n" + "".join(errors))


def failed_nodes(count: int) -> Case:
    return lambda: _diagnosis([f"Database Error in model m\n  part {n} of it went wrong" for n in range(count)])


def skipped_nodes() -> Callable[[], object]:
    return _diagnosis(["Database Error in model m\n  deadlock detected"], skipped=200_000)


def warned_nodes() -> Callable[[], object]:
    before, after = (
        tuple(NodeResult(f"test.shop.t{n}", each) for n in range(200_000)) for each in ("fail", "warn")
    )
    results = StepResults(4, before), StepResults(4, after)
    return lambda: verify(results[:1], results[1:], warnings_fail=True)


def long_chain(message: str) -> Case:
    """Fail 10,000 nodes, fewer with each of five attempts, and end green, as an operator does between two turns."""

    def prepare() -> Callable[[], object]:
        nodes = [f"model.shop.m{n}" for n in range(10_000)]
        seen: list[RunSeen] = []
        before: tuple[StepResults, ...] = ()
        for attempt in range(5):
            failed = (NodeResult(name, "error", message.format(name)) for name in nodes[attempt * 500 :])
            before = (*before, StepResults(4, tuple(failed), "postgres"))
            seen.append(RunSeen(_run(101 + attempt, 20), before[-1:]))
        done = StepResults(4, tuple(NodeResult(name, "success") for name in nodes))
        seen.append(RunSeen(_run(106, 10), (done,), before=before))
        return lambda: _healed(seen)

    return prepare


def _run(run_id: int, status: int) -> Run:
    steps = (RunStep(run_id, 4, "Invoke dbt with `dbt build`", status),)
    return Run(run_id, 1, status, steps=steps, can_retry=True, retrying_run_id=run_id - 1 if run_id > 101 else None)


def _healed(seen: Sequence[RunSeen]) -> None:
    policy = RerunPolicy(rules=[RerunRule(any_node(*Category))], stop=stop_after_attempt(7), wait=wait_fixed(0))
    session = RerunSession(0.0)
    for each in seen:
        before = RerunSession.from_dict(json.loads(json.dumps(session.to_dict())))
        session, step = next_step(before, each, policy, 1.0)
        list(tell(before, session, step))
    if not isinstance(step, Succeed):
        raise SystemExit(f"the chain did not heal: {step}")


def aliases() -> Callable[[], object]:
    joined = "".join(f", &a{n} {{all: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40))
    return _refused(f"rules:\n- when: {{all: [&a0 {{any_node: transient}}{joined}]}}\n")


def brackets() -> Callable[[], object]:
    return _refused("rules:\n- when: " + "[" * 5_000)


def longest_text() -> Callable[[], object]:
    entry = "- {category: code, pattern: 'finance is frozen in part'}\n"
    text = entry * (100_000 // 6)
    assert len(text) < LONGEST_TEXT
    return lambda: read_signatures(text, "text")


def exponential() -> Callable[[], object]:
    return _refused("rules:\n- when: {message: '(a+)+$'}")


def slow_patterns() -> Callable[[], object]:
    signatures = [Signature(Category.CODE, pattern) for pattern in (r".*ab.*cd", r"ab.*ba.*cd", r"\w+ gone")]
    text = "ab" * (LONG // 2)
    return lambda: match(text, extra=signatures)


def whole_lint() -> Callable[[], object]:
    from airflow_dbt_rerun.core.regexes.lint import why_slow  # noqa: PLC0415 - as the package itself does

    return lambda: [why_slow(each.pattern, FLAGS) for each in all_signatures()]


def _diagnosis(messages: Sequence[str | None], *, log: str = "", skipped: int = 0) -> Callable[[], object]:
    nodes = [NodeResult(f"model.shop.m{n}", "error", each) for n, each in enumerate(messages)]
    nodes += [NodeResult(f"model.shop.s{n}", "skipped") for n in range(skipped)]
    run = Run(1, 1, 20, steps=(RunStep(1, 4, "Invoke dbt with `dbt build`", 20, logs=log),))
    return lambda: diagnose(run, [StepResults(4, tuple(nodes), "postgres")]).fingerprint


def _refused(text: str) -> Callable[[], object]:
    def read() -> None:
        with suppress(ValueError):
            read_policy(text, "text")

    return read


CASES: dict[str, tuple[str, Case]] = {
    "silent_nodes": ("1,200 failed nodes without a message, and a log of 5,000 errors", silent_nodes),
    "failed_20": (
        "20,000 failed nodes, each with its own message that no signature matches",
        failed_nodes(20_000),
    ),
    "failed_200": ("200,000 failed nodes of that kind", failed_nodes(200_000)),
    "skipped": ("200,000 skipped nodes", skipped_nodes),
    "warned": ("200,000 owed tests that only warned, verified under --warn-error", warned_nodes),
    "chain_alike": (
        "10,000 nodes over 5 failed attempts and a green one: each decided, written and read",
        long_chain("Database Error in model m\n  Connection reset by peer"),
    ),
    "chain_own": (
        "the same, each node with its own message",
        long_chain("Database Error in model m\n  part {} of it: Connection reset by peer"),
    ),
    "aliases": ("a YAML policy whose aliases stand for 2^39 conditions: refused", aliases),
    "brackets": ("a YAML policy with 5,000 nested brackets: refused", brackets),
    "longest_text": ("a YAML list of 16,666 signatures, about as many as are allowed", longest_text),
    "exponential": ("a policy with the pattern (a+)+$: refused", exponential),
    "slow": ("three slow but accepted patterns of a user on a message of 16,000 characters", slow_patterns),
    "whole_lint": ("the check of all built-in patterns", whole_lint),
}

if __name__ == "__main__":
    measure(sys.argv[1]) if sys.argv[1:] else main()
