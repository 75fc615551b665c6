"""docs/arguments.md lists each argument of each public class, as the code takes it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun import (
    DbtCloudGetJobRunArtifactOperator,
    DbtCloudJobOperator,
    DbtCloudJobRunEventTrigger,
    DbtCloudJobSensor,
    DbtCloudListJobRunsOperator,
    DbtCloudListJobsOperator,
    DbtCloudRerunHook,
    DbtCloudRerunOperator,
    DbtCloudRunArrivalTrigger,
    DbtCloudRunSensor,
    DbtCloudRunTrigger,
)
from airflow_dbt_rerun.core.policy.arguments import OrNone, Value

FILE = Path(__file__).parents[2] / "docs" / "arguments.md"
PAGE = FILE.read_text(encoding="utf-8")
START, END = "| argument | of | template | takes |\n|---|---|---|---|\n", "\n\n"

CLASSES: Mapping[str, Any] = {
    "job": DbtCloudJobOperator,
    "rerun": DbtCloudRerunOperator,
    "sensor": DbtCloudJobSensor,
    "run sensor": DbtCloudRunSensor,
    "list jobs": DbtCloudListJobsOperator,
    "list runs": DbtCloudListJobRunsOperator,
    "artifact": DbtCloudGetJobRunArtifactOperator,
    "events": DbtCloudJobRunEventTrigger,
    "run": DbtCloudRunTrigger,
    "arrival": DbtCloudRunArrivalTrigger,
    "hook": DbtCloudRerunHook,
}
"""The public classes, by their names in the table."""


def is_rendered(cls: Any, name: str) -> bool:
    """Return whether Airflow renders templates in an argument."""
    attribute = getattr(cls, "stored_as", {}).get(name, name)
    return attribute in getattr(cls, "template_fields", ())


def in_words(kind: Value) -> str:
    """Return what an argument takes, as the table says it."""
    return f"{kind}, or None" if isinstance(kind, OrNone) else str(kind)


def rows() -> Iterator[str]:
    """Yield the rows of the table; arguments that are alike share one."""
    of: dict[tuple[str, str, str], list[str]] = {}
    for label, cls in CLASSES.items():
        for name, kind in cls.takes.items():
            rendered = "yes" if is_rendered(cls, name) else "no"
            of.setdefault((name, rendered, in_words(kind)), []).append(label)
    for (name, rendered, words), labels in of.items():
        yield f"| `{name}` | {', '.join(labels)} | {rendered} | {words} |"


def table() -> str:
    """Return the table on the page."""
    return PAGE[PAGE.index(START) + len(START) :].split(END)[0]


def test_table_is_that_of_the_code() -> None:
    """``python -m tests.docs.test_arguments`` rewrites it."""
    assert table().splitlines() == list(rows())


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_each_argument_is_checked(cls: Any) -> None:
    """No argument of a constructor is missing in the table, apart from those of Airflow and of the pace."""
    ours = [each for each in cls.__mro__ if each.__module__.startswith("airflow_dbt_rerun.")]
    named = {
        parameter.name
        for each in ours
        if "__init__" in vars(each)
        for parameter in inspect.signature(each.__init__).parameters.values()
        if parameter.kind is not parameter.VAR_KEYWORD and parameter.name != "self"
    }
    if issubclass(cls, (DbtCloudJobSensor, DbtCloudRunSensor)):
        named -= {"check_interval"}  # a sensor has Airflow's poke_interval instead
    assert set(cls.takes) == named


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_each_template_is_an_argument(cls: Any) -> None:
    """A field that is rendered is checked after that."""
    stored = {getattr(cls, "stored_as", {}).get(name, name) for name in cls.takes}
    assert set(getattr(cls, "template_fields", ())) <= stored


def test_each_named_test_exists() -> None:
    """The page names tests that are there."""
    tests = FILE.parents[1] / "tests"
    for path, name in re.findall(r"`([a-z_/]+\.py)(?:::(\w+))?`", PAGE):
        text = (tests / path).read_text(encoding="utf-8")
        assert not name or f"def {name}(" in text


if __name__ == "__main__":
    FILE.write_text(PAGE.replace(START + table(), START + "\n".join(rows())), encoding="utf-8")
