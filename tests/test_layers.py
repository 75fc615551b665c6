"""The direction of imports between the sub-packages."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

import airflow_dbt_rerun

PACKAGE = Path(airflow_dbt_rerun.__file__).parent

ORDER = (
    {"_lazy", "_version"},
    {"core", "provider_info"},
    {"exceptions", "links", "metrics", "notifications", "testing", "webhooks"},
    {"api", "config"},
    {"audit", "engine", "watching"},
    {"backtest"},
    {"advice"},
    {"hook_methods"},
    {"hooks"},
    {"openlineage", "retry_policy", "triggers"},
    {"operators"},
    {"sensors", "cli", "ui", "arrivals", "event_triggers"},
)
"""The rooms from the ground up: each may import from the levels below its own. ``local`` stands apart."""

CORE_ORDER = (
    {"categories", "dbt", "messages"},
    {"plain_data", "regexes"},
    {"signatures"},
    {"diagnosis"},
    {"policy"},
    {"heal"},
    {"watch"},
)


def imports(path: Path, package: str) -> Iterator[str]:
    """Name the modules right below a package that a file imports from."""
    for statement in ast.walk(ast.parse(path.read_text())):
        module = statement.module or "" if isinstance(statement, ast.ImportFrom) else ""
        if module == package and isinstance(statement, ast.ImportFrom):
            yield from (alias.name for alias in statement.names)
        elif module.startswith(f"{package}."):
            yield module.removeprefix(f"{package}.").split(".")[0]


def imported_by(room: str, folder: Path, package: str) -> set[str]:
    """Name the other rooms of a package that one of its rooms imports from."""
    files = list((folder / room).rglob("*.py")) if (folder / room).is_dir() else [folder / f"{room}.py"]
    return {name for path in files for name in imports(path, package)} - {room}


def rooms_of(folder: Path) -> set[str]:
    """Name the modules and packages of a folder."""
    return {path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}


def levels(order: Sequence[set[str]]) -> list[tuple[str, set[str]]]:
    """Pair each room with all rooms below its level."""
    return [(room, set().union(*order[:level])) for level, rooms in enumerate(order) for room in sorted(rooms)]


@pytest.mark.parametrize(("room", "below"), levels(ORDER))
def test_direction_of_imports(room: str, below: set[str]) -> None:
    """core < api < watching | engine < hooks < triggers < operators < sensors | cli | ui."""
    also = {"local"} if room == "cli" else set()
    assert imported_by(room, PACKAGE, "airflow_dbt_rerun") <= below | also


@pytest.mark.parametrize(("room", "below"), levels(CORE_ORDER))
def test_direction_of_imports_in_the_core(room: str, below: set[str]) -> None:
    """dbt < signatures < diagnosis < policy < heal < watch."""
    assert imported_by(room, PACKAGE / "core", "airflow_dbt_rerun.core") <= below


def test_every_room_has_its_level() -> None:
    """A new file or folder of the package has to be placed."""
    assert rooms_of(PACKAGE) - {"__init__", "local"} == set().union(*ORDER)
    assert rooms_of(PACKAGE / "core") - {"__init__"} == set().union(*CORE_ORDER)


def test_local_platform_knows_dbts_words_only() -> None:
    """Of the package the local platform may import dbt's objects (core.dbt.models) and what checks input."""
    assert imported_by("local", PACKAGE, "airflow_dbt_rerun") == {"core"}
    for path in (PACKAGE / "local").rglob("*.py"):
        tree = ast.walk(ast.parse(path.read_text()))
        modules = {each.module or "" for each in tree if isinstance(each, ast.ImportFrom)}
        allowed = {f"airflow_dbt_rerun.core.{name}" for name in ("dbt.models", "plain_data", "regexes")}
        assert {name for name in modules if ".core" in name} <= allowed


def test_auditor_shares_only_the_reading() -> None:
    """An audit that shared the loop's judgement would repeat its mistakes."""
    assert imported_by("audit", PACKAGE, "airflow_dbt_rerun") == {"api", "core", "exceptions"}
    assert imported_by("audit", PACKAGE, "airflow_dbt_rerun.core") == {"dbt", "messages"}


def test_core_needs_neither_airflow_nor_http() -> None:
    """The core runs with nothing but the standard library and tenacity."""
    program = (
        "import sys\n"
        "from airflow_dbt_rerun.core.heal import lineage, loop, report\n"
        "from airflow_dbt_rerun.core.watch import many, one\n"
        "print([name for name in ('airflow', 'requests', 'aiohttp', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
