"""What docs/rerunning.md, docs/events.md and docs/report.schema.json promise."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own
import pytest

from airflow_dbt_rerun.core.heal.loop import next_step
from airflow_dbt_rerun.core.heal.next_steps import Fail
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.report import REPORT_VERSION, report
from airflow_dbt_rerun.core.heal.session import RerunSession
from tests.core.builders import RESET, SYNTAX, node, results, run

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"
PAGES = [(DOCS / name).read_text(encoding="utf-8") for name in ("rerunning.md", "events.md", "arguments.md")]
SCHEMA = json.loads((DOCS / "report.schema.json").read_text(encoding="utf-8"))


def named_tests() -> list[tuple[str, str]]:
    """List what the pages name in their tables; a name without a file is of the file named before it."""
    found: list[tuple[str, str]] = []
    for file, name in re.findall(r"`(?:([\w/]+\.py)(?:::)?)?(test_\w+)?`", "".join(PAGES)):
        if file or name:
            found.append((file or found[-1][0], name))
    return found


@pytest.mark.parametrize(("file", "name"), named_tests())
def test_each_row_has_the_test_that_it_names(file: str, name: str) -> None:
    """A table must not point to a test that no longer exists."""
    assert f"def {name}" in (TESTS / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("message", [RESET, SYNTAX])
def test_report_is_as_published(message: str) -> None:
    """Readers of the XCom can rely on the schema, which has a version."""
    seen = RunSeen(run(), results(node(message=message)))
    session, step = next_step(RerunSession(0.0), seen, None, 9.0)
    assert isinstance(step, Fail)
    told = json.loads(json.dumps(report(session, step, 9.0)))
    jsonschema.validate(told, SCHEMA)
    assert SCHEMA["properties"]["version"]["const"] == REPORT_VERSION
