"""Which dbt an executable is follows from what it says about its version."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.dbt.installation import inspect_dbt
from airflow_dbt_rerun.local.dbt.runner import DbtExecutableNotFoundError, find_dbt
from tests.local.fake_dbt import CORE_1, CORE_2, FUSION, fake_dbt


@pytest.mark.parametrize(
    ("printed", "engine", "version"),
    [
        (FUSION, Engine.V2, "2.0.0-preview.196"),
        (CORE_2, Engine.V2, "2.0.0-alpha.4"),
        ("dbt 2.0.9", Engine.V2, "2.0.9"),
        (f"a warning first\n{FUSION}", Engine.V2, "2.0.0-preview.196"),
        (CORE_1, Engine.CORE, "1.11.16"),
    ],
)
def test_the_printed_version_names_the_engine(tmp_path: Path, printed: str, engine: Engine, version: str) -> None:
    """Fusion and dbt-core 2 are v2; dbt-core 1.x lists what is installed."""
    found = inspect_dbt(fake_dbt(tmp_path, printed))
    assert (found.engine, found.version) == (engine, version)


@pytest.mark.dbt
def test_a_console_script_is_not_started_to_learn_its_version() -> None:
    """Its Python environment knows the version of dbt-core."""
    found = inspect_dbt(find_dbt())
    assert found.engine is Engine.CORE
    assert found.version.startswith("1.")


@pytest.mark.parametrize("printed", ["", "hello", "dbt Cloud CLI - 0.38.0", "Core:\n  - installed: 3.0.0"])
def test_anything_else_is_refused(tmp_path: Path, printed: str) -> None:
    """The message quotes what it said."""
    with pytest.raises(DbtExecutableNotFoundError, match="neither an installed dbt-core nor dbt v2"):
        inspect_dbt(fake_dbt(tmp_path, printed))


def test_a_file_that_cannot_run_is_refused(tmp_path: Path) -> None:
    """The message says why."""
    dbt = fake_dbt(tmp_path, FUSION)
    dbt.chmod(stat.S_IRUSR)
    with pytest.raises(DbtExecutableNotFoundError, match="--version failed"):
        inspect_dbt(dbt)
