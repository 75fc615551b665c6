"""docs/migrating.md names what the code has."""

from __future__ import annotations

import inspect
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from airflow.providers.dbt.cloud.operators.dbt import DbtCloudRunJobOperator

from airflow_dbt_rerun import DbtCloudJobOperator, DbtCloudRerunHook, DbtCloudRunSensor
from airflow_dbt_rerun.cli.migration.names import OFFICIAL, TARGETS

OLD_PEER = [int(part) for part in version("apache-airflow-providers-dbt-cloud").split(".")] < [4, 11]
FILE = Path(__file__).parents[2] / "docs" / "migrating.md"
PAGE = FILE.read_text(encoding="utf-8")


def table(heading: str) -> str:
    """Return the table below a heading."""
    return PAGE.partition(f"## {heading}")[2].partition("|---|---|\n")[2].partition("\n\n")[0]


def test_table_of_names_is_that_of_the_command() -> None:
    """Each official name with what the command makes of it."""
    rows = dict(re.findall(r"^\| `([\w.]+)` \| `([\w.]+)` \|$", table("Names"), flags=re.MULTILINE))
    official = {name: target for name, target in TARGETS.items() if name.startswith(f"{OFFICIAL}.")}
    current = {name: target for name, target in official.items() if not name.endswith("AsyncSensor")}
    assert rows == {
        name.removeprefix(f"{OFFICIAL}."): f"{target.module}.{target.name}".lstrip(".")
        for name, target in current.items()
    }


@pytest.mark.skipif(OLD_PEER, reason="the table is about the newest official provider")
def test_each_official_argument_is_in_the_table() -> None:
    """And our operator knows it."""
    theirs = set(inspect.signature(DbtCloudRunJobOperator.__init__).parameters) - {"self", "kwargs"}
    assert theirs == set(re.findall(r"`(\w+)(?:=\w+)?`", "\n".join(_first_cells())))
    assert theirs <= DbtCloudJobOperator.takes.keys()
    assert {"run_id", "account_id", "deferrable", "hook_params"} <= DbtCloudRunSensor.takes.keys()


def _first_cells() -> list[str]:
    return [row.split(" | ")[0] for row in table("Arguments of `DbtCloudRunJobOperator`").splitlines()]


def test_each_named_method_exists() -> None:
    """Of the hook."""
    named = re.findall(r"`(\w+)`", PAGE.partition("with their parameters: ")[2].partition(". Answers")[0])
    assert len(named) > 20
    assert [name for name in named if not callable(getattr(DbtCloudRerunHook, name, None))] == []


def test_each_named_test_exists() -> None:
    """The page names tests that are there."""
    for path, name in re.findall(r"`([a-z_/]+\.py)::(\w+)`", PAGE):
        assert f"def {name}(" in (FILE.parents[1] / "tests" / path).read_text(encoding="utf-8")
