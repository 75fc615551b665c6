"""What strangers meet first: issue forms, the template of pull requests, pinned hooks."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from airflow_dbt_rerun.cli.main import parsers
from airflow_dbt_rerun.core.categories import Category

ROOT = Path(__file__).parents[2]
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def read(path: Path) -> Any:
    """Read a YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [path for path in FORMS if path.stem != "config"], ids=lambda path: path.stem)
def test_an_issue_form_is_one(path: Path) -> None:
    """GitHub shows no form that lacks one of these keys, or that has an id twice."""
    form = read(path)
    assert form["name"]
    assert form["description"]
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    for field in form["body"]:
        assert field["type"] in KINDS
        assert "value" in field["attributes"] or "label" in field["attributes"]


def test_the_form_for_an_error_asks_for_our_report() -> None:
    """It is required, and the command and its option exist."""
    form = read(ROOT / ".github/ISSUE_TEMPLATE/error.yml")
    assert "`airflow-dbt-rerun report RUN_ID`" in form["body"][0]["attributes"]["value"]
    assert "--keep" in parsers()[1]["report"].options()
    fields = {field["id"]: field for field in form["body"] if field["type"] != "markdown"}
    assert fields["report"]["validations"] == {"required": True}
    offered = re.findall(r"\((\w+)\)", " ".join(fields["category"]["attributes"]["options"]))
    assert set(offered) == {*Category} - {"cancelled", "unknown"}


def test_the_template_of_pull_requests_has_five_lines() -> None:
    """A longer one is not read."""
    assert len((ROOT / ".github/pull_request_template.md").read_text().splitlines()) == 5


def test_hooks_are_pinned() -> None:
    """To versions; ruff to that of our constraints, so that a commit and CI agree."""
    pins = {
        repo["repo"].rpartition("/")[2]: repo["rev"] for repo in read(ROOT / ".pre-commit-config.yaml")["repos"]
    }
    assert set(pins) == {"ruff-pre-commit", "codespell", "validate-pyproject"}
    assert all(re.fullmatch(r"v\d+\.\d+(\.\d+)?", rev) for rev in pins.values())
    constraints = (ROOT / "constraints/airflow-3.3.2.txt").read_text()
    assert f"\nruff=={pins['ruff-pre-commit'].removeprefix('v')}\n" in constraints


def test_what_security_says_is_tested_where_it_says() -> None:
    """The tests that it names exist."""
    named = re.findall(r"`(tests/\S+\.py)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8"))
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []
