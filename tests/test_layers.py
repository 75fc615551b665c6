"""The house's direction: who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import airflow_dbt_rerun

PACKAGE = Path(airflow_dbt_rerun.__file__).parent

ROOMS = {
    "core": set(),
    "exceptions": {"core"},
    "api": {"core", "exceptions"},
    "provider_info": set(),
    "own_signatures": {"core", "exceptions", "provider_info", "texts"},
    "hooks": {"core", "exceptions", "api", "provider_info"},
    "looks": {"core", "exceptions", "api"},
    "refusals": {"core", "exceptions", "api", "looks"},
    "posts": {"core", "exceptions", "api", "looks", "refusals"},
    "drive": {"core", "exceptions", "api", "looks", "posts"},
    "links": set(),
    "task_states": set(),
    "triggers": {"core", "exceptions", "api", "hooks", "task_states"},
    "cursors": set(),
    "event_triggers": {"core", "exceptions", "api", "hooks", "cursors"},
    "webhooks": {"core"},
    "metrics": set(),
    "healing": {
        "core",
        "exceptions",
        "api",
        "hooks",
        "drive",
        "posts",
        "links",
        "triggers",
        "metrics",
        "own_signatures",
        "texts",
    },
    "arrivals": {"core", "exceptions", "api", "hooks", "triggers"},
    "one_job": {"exceptions", "api", "healing"},
    "operators": {"core", "exceptions", "api", "healing", "looks", "one_job", "posts", "own_signatures"},
    "task_memory": set(),
    "sensors": {
        "core",
        "exceptions",
        "api",
        "arrivals",
        "healing",
        "looks",
        "one_job",
        "operators",
        "posts",
        "task_memory",
    },
    "local": {"core"},
    "demo": {"local"},
    "texts": {"core"},
    "commands": {"core", "exceptions", "api", "hooks", "looks", "posts", "drive", "own_signatures", "texts"},
    "cli": {"local", "demo", "commands"},
}
"""For each room, the rooms it may import from. The local platform meets the client over HTTP only."""


def imports(path: Path) -> Iterator[str]:
    """Name the rooms of this package that a file imports from."""
    for statement in ast.walk(ast.parse(path.read_text())):
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("airflow_dbt_rerun"):
            parts = (statement.module or "").split(".")
            yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in statement.names]


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_direction_of_imports(room: str) -> None:
    """core <- api <- hooks <- triggers <- operators <- sensors <- cli; local meets the client only over HTTP."""
    files = list((PACKAGE / room).rglob("*.py")) if (PACKAGE / room).is_dir() else [PACKAGE / f"{room}.py"]
    found = {name for path in files for name in imports(path)} - {room, "__version__"}
    assert found <= ROOMS[room]


def test_every_room_has_its_direction() -> None:
    """A new file or folder of the package has to say what it may import."""
    rooms = {path.stem for path in PACKAGE.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__"} == set(ROOMS)


def test_local_platform_knows_dbts_words_only() -> None:
    """Of the package the local platform may know dbt's own words (core.models) and nothing else."""
    for path in (PACKAGE / "local").rglob("*.py"):
        tree = ast.walk(ast.parse(path.read_text()))
        modules = {each.module or "" for each in tree if isinstance(each, ast.ImportFrom)}
        assert {name for name in modules if ".core" in name} <= {"airflow_dbt_rerun.core.models"}


def test_core_needs_neither_airflow_nor_http() -> None:
    """The core runs with nothing but the standard library and tenacity."""
    program = (
        "import sys\n"
        "from airflow_dbt_rerun.core import lineage, polling, report, session, watching\n"
        "print([name for name in ('airflow', 'requests', 'aiohttp', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
