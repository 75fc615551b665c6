"""``airflow-dbt-rerun explain-policy``: a policy in words, tried on failures."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from airflow_dbt_rerun.cli.files import read_case
from airflow_dbt_rerun.cli.judging import judge
from airflow_dbt_rerun.cli.main import main
from airflow_dbt_rerun.cli.show import show_decisions
from airflow_dbt_rerun.core.policy.policy import RerunPolicy

SAMPLES = Path(__file__).parents[1] / "data" / "run_results"
PUBLISHED = Path(__file__).parents[2] / "docs" / "policy.schema.json"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; give its exit status, and what it wrote on standard output and standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        status = main(["explain-policy", *map(str, arguments)])
        return status, *capsys.readouterr()

    return call


def test_the_default_policy_in_words(run: Run) -> None:
    """Its words, a line each, and nothing else."""
    status, page, errors = run("default")
    assert (status, errors) == (0, "")
    assert page.splitlines() == RerunPolicy().words()


def test_a_policy_tried_on_failures(run: Run) -> None:
    """One row for each: verdict, decision, reason."""
    files = [SAMPLES / f"{name}.json" for name in ("pg_deadlock", "pg_syntax_error", "data_test_warn")]
    status, page, _ = run("default", *files)
    rows = [line for line in page.splitlines() if line.startswith(str(SAMPLES))]
    assert status == 0
    assert "transient  rerun from failure, after " in rows[0]
    assert "matches 1 model (transient)" in rows[0]
    assert "code       not rerun it" in rows[1]
    assert "no rule covers 1 model (code)" in rows[1]
    assert "No node failed in this artifact" in rows[2]


def test_on_a_narrow_screen_they_stand_one_below_the_other() -> None:
    """80 columns are not enough for a table of four."""
    page = Console(width=80, force_terminal=True, color_system=None, file=io.StringIO(), highlight=False)
    show_decisions([judge(read_case(str(path)), RerunPolicy()) for path in sorted(SAMPLES.glob("*.json"))], page)
    assert isinstance(page.file, io.StringIO)
    lines = page.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("  transient: rerun from failure, after ") for line in lines)


def test_the_json_document(run: Run) -> None:
    """The words, and the same diagnoses as of ``diagnose``."""
    document = json.loads(run("default", SAMPLES / "pg_deadlock.json", "--json")[1])
    assert document["version"] == 1
    assert document["policy"] == RerunPolicy().words()
    assert document["diagnoses"][0]["decision"]["action"] == "rerun_from_failure"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("rules:\n  - when: {any_nod: [throttled]}\n", ": policy.rules[0].when: there is no condition 'any_nod'"),
        ("rules:\n  - when: {\n  - x: [\n", ", line 3: not valid YAML: "),
        ('{"rules": [}', ": not valid JSON: "),
        ("\n", " is empty"),
        ("just words", ": policy takes a mapping of rules"),
    ],
)
def test_a_wrong_policy(run: Run, tmp_path: Path, content: str, words: str) -> None:
    """One line: the file, then the line or the field."""
    path = tmp_path / "policy.yaml"
    path.write_text(content)
    status, page, errors = run(path, SAMPLES / "pg_deadlock.json")
    assert (status, page) == (1, "")
    assert errors.count("\n") == 1
    assert errors.startswith(f"airflow-dbt-rerun explain-policy: {path}{words}")


def test_a_target_that_cannot_be_read(run: Run) -> None:
    """The policy and the other targets are explained nevertheless; the exit status is 1."""
    status, page, errors = run("default", "nowhere.json", SAMPLES / "pg_deadlock.json")
    assert status == 1
    assert "pg_deadlock.json" in page
    assert errors == "airflow-dbt-rerun explain-policy: nowhere.json: No such file or directory\n"


def test_the_schema_needs_no_policy(capsys: pytest.CaptureFixture[str]) -> None:
    """It is printed as docs/policy.schema.json has it, and can be redirected into a file."""
    with pytest.raises(SystemExit) as done:
        main(["explain-policy", "--schema"])
    assert done.value.code == 0
    page, errors = capsys.readouterr()
    assert (page, errors) == (PUBLISHED.read_text(encoding="utf-8"), "")


def test_without_schema_a_policy_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The message names what is missing."""
    with pytest.raises(SystemExit) as done:
        main(["explain-policy"])
    assert done.value.code == 2
    assert "required: FILE" in capsys.readouterr().err
