"""The benchmarks count rightly. What they measure is printed by ``make bench``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.core.signatures import all_signatures
from benchmarks import accuracy, diagnosis
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
