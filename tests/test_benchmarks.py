"""The benchmarks count rightly. What they measure is printed by ``make bench``."""

from __future__ import annotations

import importlib
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.core.signatures import all_signatures
from benchmarks import accuracy, diagnosis, heal
from benchmarks._hostile import _way, example, units

SAMPLES: list[dict[str, Any]] = [
    {
        "id": "a",
        "adapter": "postgres",
        "node_status": "error",
        "message": "deadlock detected",
        "category": "transient",
    },
    {"id": "b", "adapter": "postgres", "node_status": "error", "message": "deadlock detected", "category": "code"},
    {"id": "c", "adapter": None, "node_status": "error", "message": "nobody knows", "category": "access"},
    {"id": "d", "adapter": None, "node_status": "fail", "message": "Got 1 result", "category": "test_failed"},
]


def test_accuracy_is_counted_as_the_issue_asks() -> None:
    """Exact, healable or not, and permanent errors called healable: the last is what may never happen."""
    exact, heal, false_heals = accuracy.figures(accuracy.judged(SAMPLES, adapter_known=True))
    assert (exact, heal, false_heals) == (0.5, 0.75, 1)


def test_each_corpus_is_printed_for_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its origin, its confusion table, a line for each adapter, and on demand each miss."""
    file = tmp_path / "more.jsonl"
    file.write_text("\n".join(map(json.dumps, SAMPLES)), encoding="utf-8")
    accuracy.main([str(file), "--misses"])
    shown = capsys.readouterr().out
    assert "messages.jsonl: " in shown
    assert "the patterns were tuned on these" in shown
    _, mine = shown.split("more.jsonl: 4 messages")
    assert re.search(r"^code +\| +1 ", mine, re.MULTILINE)
    assert re.search(r"^postgres +2 +50.0% / 50.0% ", mine, re.MULTILINE)
    assert "1 / 1 of 3 (33.3% / 33.3%)" in mine
    assert "FALSE HEAL b: code, said transient: deadlock detected" in mine


def test_hostile_texts_are_made_from_the_pattern() -> None:
    """They hold its beginning, all but its end, and long runs of what it repeats."""
    found = list(units(r"\brelation \S+ (?:does not|cannot) exist"))
    assert "relation a does not exis" in found
    assert "relation a cannot exis" in found
    assert f"relation {'a' * 60}" in found


def test_examples_fit_their_patterns() -> None:
    """Most patterns are understood well enough to write a text that they match; lookarounds are not."""
    patterns = [one.pattern for one in all_signatures()]
    trees = [list(_way(re._parser.parse(pattern), 0)) for pattern in patterns]  # type: ignore[attr-defined]
    fit = sum(one.found_in(example(tree)) for one, tree in zip(all_signatures(), trees, strict=True))
    assert fit > 0.8 * len(patterns)


def test_a_diagnosis_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Seconds, MB and the number of findings come back."""
    file = tmp_path / "step.log"
    file.write_text(f"Completed with 1 error:\n\n{diagnosis.message(0)}\n", encoding="utf-8")
    seconds, megabytes, findings = diagnosis.in_a_process_of_its_own(file)
    assert (seconds > 0, megabytes >= 0, findings) == (True, True, 1)


def test_a_skipped_node_costs_nothing() -> None:
    """A failed node was executed, and counts; what was skipped because of it was not."""
    statuses = {"success": 1.0, "pass": 0.25, "error": 0.5, "skipped": 4.0}
    cost = heal.Cost.of({"status": status, "execution_time": seconds} for status, seconds in statuses.items())
    assert cost == heal.Cost(3, 1.75)


COSTS = [(24, 9.0), (15, 3.0), (10, 2.0), (15, 4.0), (10, 2.0), (15, 3.0), (24, 7.0)]
"""Of yesterday's run, and of the two runs of each way."""

AS_INTENDED = heal.Past(
    ("Success", *("Error", "Success") * 3),
    tuple(heal.Cost(nodes, seconds) for nodes, seconds in COSTS),
    ("jobs/run", "jobs/run", "runs/retry", "jobs/run", "jobs/rerun", "jobs/run", "jobs/run"),
)


def test_a_heal_is_compared_with_ours() -> None:
    """Of the second run and of both together: nodes and seconds, each with its ratio to the first way's."""
    heal.check(AS_INTENDED)
    _, _, *lines = heal.table(AS_INTENDED)
    numbers = [re.findall(r"[\d.]+", line.rpartition("  ")[0]) for line in lines]
    assert numbers == [
        ["10", "1.00", "2.00", "1.00", "25", "1.00", "5.00", "1.00"],
        ["10", "1.00", "2.00", "1.00", "25", "1.00", "6.00", "1.20"],
        ["24", "2.40", "7.00", "3.50", "39", "1.56", "10.00", "2.00"],
    ]


@pytest.mark.parametrize(
    "otherwise",
    [
        replace(AS_INTENDED, statuses=(*AS_INTENDED.statuses[:-1], "Error")),
        replace(AS_INTENDED, posts=(*AS_INTENDED.posts, "jobs/run")),
    ],
    ids=["red", "one POST more"],
)
def test_other_runs_than_intended_are_not_compared(otherwise: heal.Past) -> None:
    """A way that ends red, or posts once more, would give its figures to another."""
    with pytest.raises(SystemExit, match="and not"):
        heal.check(otherwise)


@pytest.mark.dbt
def test_the_mart_fails_once_for_each_way_and_each_run_is_counted_for_itself(tmp_path: Path) -> None:
    """On real dbt, with slow marts and quick views: a clean run, one that fails, and its rerun."""
    with heal.platform(tmp_path, milliseconds=7) as there:
        there.trouble(*heal.every_other_time())
        there.run(heal.JOB)
        there.retry(there.run(heal.JOB))
        found = heal.past(there)
    assert found.statuses == AS_INTENDED.statuses[:3]
    assert [cost.nodes for cost in found.costs] == [nodes for nodes, _ in COSTS[:3]]
    assert found.posts == AS_INTENDED.posts[:3]
    models = tmp_path / "project" / "models"
    slow = {model.parent.name for model in models.glob("*/*.sql") if "sleep_ms(7)" in model.read_text()}
    assert slow == {"marts"}


def test_each_way_is_gone_as_its_users_go_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours heals within its try; the official operator has Airflow retry it once, with and without its flag."""
    monkeypatch.setenv("JOB_ID", "48617")
    dag = importlib.import_module("benchmarks.dags.three_ways").dag
    found = [
        (task.task_id, task.retries, getattr(task, "retry_from_failure", None)) for task in dag.topological_sort()
    ]
    assert found == [("ours", 0, None), ("official_retry", 1, True), ("official_from_start", 1, False)]
    assert dag.dag_id == heal.DAG_ID
