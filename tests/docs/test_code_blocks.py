"""Every code block of the README and of the documentation runs as it is printed."""

from __future__ import annotations

import configparser
import json
import re
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import DAG

from airflow_dbt_rerun import DbtCloudJobOperator
from airflow_dbt_rerun.config.documents import read_policy, read_signatures
from airflow_dbt_rerun.webhooks import WebhookSignatureError
from tests.system.airflow_stack import AIRFLOW_2

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)


def blocks(*languages: str) -> list[Any]:
    """Return the code blocks in these languages, each with the place where it stands."""
    return [
        pytest.param(body, id=f"{page.name}-{number}")
        for page in PAGES
        for number, (language, body) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
        if language in languages
    ]


class FakeDag:
    """Stands for the reader's own DAG."""

    def test(self) -> None:
        """Do what ``dag.test()`` does, with nothing in it."""


@pytest.mark.parametrize("body", blocks("python"))
def test_python_runs(body: str) -> None:
    """Nothing is missing but what the text says is the reader's own: a DAG, a request body, a secret."""
    if AIRFLOW_2 and "AssetWatcher" in body:
        pytest.skip("Airflow 2 has no asset watchers")
    for provider in re.findall(r"^from (airflow\.providers\.\S+) import", body, re.MULTILINE):
        pytest.importorskip(provider)
    names: dict[str, Any] = {
        "DbtCloudJobOperator": DbtCloudJobOperator,  # imported by the block before
        "dag": FakeDag(),
        "body": b"{}",
        "headers": {},
        "secret": "s3cret",
        "__name__": "page",
    }
    code = compile(body, "page", "exec")
    if "receive(body" in body:
        with pytest.raises(WebhookSignatureError):  # an unsigned body is refused: the block runs up to there
            exec(code, names)  # noqa: S102 - it is our own page
        return
    with DAG(dag_id="page", schedule=None):
        exec(code, names)  # noqa: S102


@pytest.mark.parametrize("body", blocks("yaml"))
def test_yaml_is_read(body: str) -> None:
    """A policy or a list of signatures."""
    read = read_policy if "rules:" in body else read_signatures
    assert read(body, "the page")


@pytest.mark.parametrize("body", blocks("json"))
def test_json_is_valid(body: str) -> None:
    """An example of output."""
    assert json.loads(body)


@pytest.mark.parametrize("body", blocks("ini"))
def test_ini_is_valid(body: str) -> None:
    """A part of ``airflow.cfg``."""
    parser = configparser.ConfigParser()
    parser.read_string(body)
    assert parser.sections() == ["dbt_rerun"]


def test_all_languages_are_tested() -> None:
    """A block in another language would be tested by nobody."""
    found = {language for page in PAGES for language, _ in BLOCK.findall(page.read_text(encoding="utf-8"))}
    assert found == {"python", "yaml", "json", "ini"}
