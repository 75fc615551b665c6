"""``airflow-dbt-rerun report``: a failure as a text that a stranger may publish, which becomes a signature."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_dbt_rerun.cli.main import main

SAMPLES = Path(__file__).parents[1] / "data" / "run_results"
LOGS = Path(__file__).parents[1] / "data" / "logs"

FLUX = (
    "Database Error in model fct_churn (models/fct_churn.sql)\n"
    '  shards of "acmecorp"."fct_churn" were fenced by compaction on db7.acmecorp.example\n'
    "  compiled code at target/run/acmecorp/models/fct_churn.sql"
)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; give its exit status and what it wrote."""

    def call(*arguments: object) -> tuple[int, str, str]:
        return main([*map(str, arguments)]), *capsys.readouterr()

    return call


def results(path: Path, *messages: str, status: str = "error", adapter: str = "postgres", **metadata: str) -> Path:
    """Write a run_results.json in which models failed with these messages."""
    rows = [
        {"unique_id": f"model.acmecorp.fct_churn{n}", "status": status, "message": message}
        for n, message in enumerate(messages)
    ]
    given = {"dbt_version": "1.9.4", "adapter_type": adapter, **metadata}
    path.write_text(json.dumps({"metadata": given, "results": rows, "args": {"which": "build"}}))
    return path


def test_a_report_has_what_a_maintainer_asks_for(run: Run, tmp_path: Path) -> None:
    """Versions, adapter, kinds of nodes, categories, the signature or none, and the error's words; nothing else."""
    status, page, errors = run("report", results(tmp_path / "r.json", FLUX, FLUX, "deadlock detected"))
    assert (status, errors) == (0, "")
    assert re.match(r"airflow-dbt-rerun \S+, Python 3\.\d+\.\d+\napache-airflow \d", page)
    assert "dbt 1.9.4, adapter postgres, read from files" in page
    assert "verdict unknown, 3 failures, 0 skipped" in page
    assert "2 x model (error): unknown, no signature\n" in page
    assert '    shards of "name_1"."name_2" were fenced by compaction on host_1\n' in page
    assert "1 x model (error): transient, postgres/deadlock\n    deadlock detected\n" in page
    assert not re.search("acme|churn|target", page)


def test_what_a_file_claims_is_not_copied(run: Run, tmp_path: Path) -> None:
    """A version, an adapter, a status or a kind of node can be any text; only known ones are shown."""
    path = results(
        tmp_path / "r.json", "deadlock detected", status="runtime error", adapter="acme_db", dbt_version="acme 1"
    )
    path.write_text(path.read_text().replace("model.acmecorp", "acmekind.acmecorp"))
    page = run("report", path)[1]
    assert "dbt (version unknown), adapter other" in page
    assert "1 x other (runtime error): transient" in page
    assert "acme" not in page


def test_a_signature_of_the_team_is_not_named(run: Run, tmp_path: Path) -> None:
    """Its name and id are the team's words."""
    own = tmp_path / "own.yaml"
    own.write_text("- {category: transient, pattern: fenced by compaction, name: acme loader, id: acme/loader}")
    page = run("report", results(tmp_path / "r.json", FLUX), "--signatures", own)[1]
    assert "1 x model (error): transient, a signature of the team; as redacted: unknown\n" in page
    assert "acme" not in page


def test_labels_are_told_to_the_user_only(run: Run, tmp_path: Path) -> None:
    """On standard error, so that "> report.txt" does not hold them; a word can be kept."""
    path = results(tmp_path / "r.json", "the flux capacitor of fct_churn is full")
    _, page, errors = run("report", path, "--labels")
    assert "the word_1 word_2 of word_3 is full" in page
    assert errors == "word_1 = flux\nword_2 = capacitor\nword_3 = fct_churn\n"
    assert "the flux capacitor of word_1 is full" in run("report", path, "--keep", "flux", "--keep", "capacitor")[1]


def test_a_log_is_reported_node_by_node(run: Run) -> None:
    """As much of a log as the errors need; each kind of failure once."""
    page = run("report", LOGS / "several_nodes.log")[1]
    assert page.count(" x ") > 1
    assert "select" not in page.lower()


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_sample_can_be_reported(run: Run, path: Path) -> None:
    """Failed or not; of no node the name is shown."""
    status, page, _ = run("report", path)
    assert status == 0
    for row in json.loads(path.read_text())["results"]:
        name = row.get("unique_id", "").rpartition(".")[2]
        assert "_" not in name or name not in page


def test_a_file_that_cannot_be_read(run: Run) -> None:
    """One line on standard error, and nothing that looks like a report."""
    assert run("report", "nowhere.json") == (
        1,
        "",
        "airflow-dbt-rerun report: nowhere.json: No such file or directory\n",
    )


def test_a_report_becomes_a_signature(run: Run, tmp_path: Path) -> None:
    """The recipe of docs/signatures.md: the report's line is the example, and decides the user's own message."""
    failed = results(tmp_path / "r.json", FLUX)
    line = next(line.strip() for line in run("report", failed)[1].splitlines() if "fenced" in line)
    own = tmp_path / "own.json"
    row = {
        "id": "postgres/shards-fenced",
        "category": "transient",
        "pattern": r"\bshards\b.{1,120}\bfenced by compaction\b",
    }
    own.write_text(json.dumps([{**row, "examples": [line]}]))
    assert run("signatures", "--signatures", own)[0] == 0
    document = json.loads(run("diagnose", failed, "--signatures", own, "--json")[1])
    assert document["diagnoses"][0]["diagnosis"]["findings"][0]["signature_id"] == "postgres/shards-fenced"
