"""``make matrix``: which Pythons and Airflows are tried, and what is said about each."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tools import matrix
from tools.matrix import AIRFLOWS, PYTHONS, Cell, Result

ROOT = Path(__file__).parents[2]
HERE = "{}.{}".format(*sys.version_info[:2])

MAKE = """#!/bin/sh
echo "$@" >> "$CALLS"
case "$@" in *AIRFLOW=3.1.8*) exit 2;; esac
"""
"""Stands for ``make``: notes what it is asked for, and fails on one Airflow."""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put that ``make`` first on the path; return the file of its notes."""
    make = tmp_path / "make"
    make.write_text(MAKE)
    make.chmod(0o755)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    monkeypatch.setenv(
        "PATH", f"{tmp_path}{os.pathsep}{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    )
    return tmp_path / "calls"


def test_a_failure_does_not_stop_the_others(calls: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The table shows both cells, and the exit status that one failed."""
    assert matrix.main(["--python", HERE, "--airflow", "3.1.8", "3.3.2"]) == 1
    rows = capsys.readouterr().out.splitlines()[-3:]
    assert rows[0].split() == ["Airflow", "Python", HERE]
    assert [row.split()[:2] for row in rows[1:]] == [["3.1.8", "FAILED"], ["3.3.2", "passed"]]
    assert len(calls.read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("options", "target"), [([], "quick "), (["--args="], "test "), (["--args=-k x"], "test ")]
)
def test_the_quick_tests_are_the_default(calls: Path, options: list[str], target: str) -> None:
    """``ARGS=`` asks for all of them, ``ARGS="..."`` for others."""
    assert matrix.main(["--python", HERE, "--airflow", "3.3.2", *options]) == 0
    asked = calls.read_text()
    assert f"{target}AIRFLOW=3.3.2 PY={HERE}" in asked
    assert ("ARGS=" in asked) == bool(options)


def test_an_absent_python_is_skipped_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody takes its absence for a pass."""
    monkeypatch.setattr(matrix, "PYTHONS", ("3.99",))
    monkeypatch.setattr(matrix, "AIRFLOWS", ("3.3.2",))
    assert matrix.main([]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "skipped: there is no Python 3.99 on this machine"


def test_the_interpreter_starts() -> None:
    """pyenv puts every version on the path, and starts only those that are selected."""
    found = matrix.find_python(HERE)
    assert found is not None
    assert Path(found).exists()


def test_the_table() -> None:
    """A row an Airflow, a column a Python, and reasons once."""
    results = [
        Result(Cell("3.12", "2.11.2"), "passed", "61 s"),
        Result(Cell("3.13", "2.11.2"), "skipped", "no such pair"),
        Result(Cell("3.12", "3.3.2"), "FAILED", "7 s"),
        Result(Cell("3.13", "3.3.2"), "skipped", "no such pair"),
    ]
    assert matrix.table(results) == [
        "Airflow   Python 3.12     Python 3.13",
        "2.11.2    passed (61 s)   skipped",
        "3.3.2     FAILED (7 s)    skipped",
        "skipped: no such pair",
    ]


def test_each_airflow_has_its_constraints() -> None:
    """A cell could not be set up without."""
    present = {path.stem.removeprefix("airflow-") for path in (ROOT / "constraints").glob("airflow-*.txt")}
    assert present == set(AIRFLOWS)


def test_the_workflow_tries_the_same_cells() -> None:
    """What is tried before a merge is what a developer can try."""
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    chosen = workflow["jobs"]["matrix"]["strategy"]["matrix"]
    pairs = {(airflow, python) for airflow in chosen["airflow"] for python in chosen["python"]}
    pairs -= {(pair["airflow"], pair["python"]) for pair in chosen["exclude"]}
    pairs |= {(pair["airflow"], pair["python"]) for pair in chosen["include"]}
    cells = [Cell(python, airflow) for airflow in AIRFLOWS for python in PYTHONS]
    assert pairs == {(cell.airflow, cell.python) for cell in cells if not cell.unsupported}


def test_each_python_is_named_in_the_metadata() -> None:
    """What is promised is tried, and what is tried is promised."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = [line.split(" :: ")[-1] for line in project["classifiers"] if "Python :: 3." in line]
    assert tuple(named) == PYTHONS
