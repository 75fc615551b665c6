"""DbtRetryPolicy in Airflow's own hands, on astronomer-cosmos with real dbt."""

from __future__ import annotations

import sqlite3
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.system.airflow_shell import HARD_LIMIT
from tests.system.airflow_stack import AIRFLOW, AIRFLOW_2
from tests.system.database import NewDatabase
from tests.system.test_example_dags import environment

CORE = Path(__file__).parents[2] / ".venv-dbt" / "bin" / "dbt"
pytest.importorskip("cosmos", reason="astronomer-cosmos is not installed")
pytestmark = [
    pytest.mark.airflow,
    pytest.mark.dbt,
    pytest.mark.skipif(
        AIRFLOW_2 or find_spec("airflow.sdk.definitions.retry_policy") is None,
        reason="Airflow asks a retry_policy from 3.3 on",
    ),
]

DAG = """
from datetime import datetime, timedelta
from airflow.sdk import DAG
from cosmos import InvocationMode, ProfileConfig
from cosmos.operators.local import DbtRunLocalOperator
from airflow_dbt_rerun import DbtRetryPolicy

policy = DbtRetryPolicy({"stop": {"stop_after_attempt": 2}, "wait": {"wait_fixed": 1}})
profile = ProfileConfig(profile_name="shop", target_name="dev", profiles_yml_filepath="{project}/profiles.yml")

with DAG("cosmos", schedule=None, start_date=datetime(2026, 1, 1)):
    for name in ("passing", "broken"):
        DbtRunLocalOperator(
            task_id=name,
            project_dir="{project}",
            profile_config=profile,
            select=name,
            install_deps=False,
            dbt_executable_path="{dbt}",
            invocation_mode=InvocationMode.SUBPROCESS,
            retries=3,
            retry_delay=timedelta(hours=1),
            retry_policy=policy,
        )
"""

PROJECT = {
    "dbt_project.yml": "name: shop\nprofile: shop\nversion: '1.0'\nmodel-paths: [models]\n",
    "profiles.yml": "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb, path: shop.duckdb}\n",
    "models/passing.sql": "{{ config(materialized='table') }} select error('Connection reset by peer') as x",
    "models/broken.sql": "selec 1",
}


@pytest.mark.nightly
def test_tasks_of_cosmos_are_diagnosed(tmp_path: Path, new_database: NewDatabase) -> None:
    """A lost connection is retried after a second, up to the policy's limit; a bug is not, whatever its retries."""
    for name, text in PROJECT.items():
        file = tmp_path / "shop" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    dags = tmp_path / "dags"
    dags.mkdir()
    text = DAG.replace("{project}", str(tmp_path / "shop")).replace("{dbt}", str(CORE))
    (dags / "cosmos_tasks.py").write_text(text)
    variables = {**environment(tmp_path), "AIRFLOW__CORE__DAGS_FOLDER": str(dags), "DO_NOT_TRACK": "1"}
    new_database(tmp_path)
    done = subprocess.run([AIRFLOW, "dags", "test", "cosmos"], env=variables, check=False, timeout=HARD_LIMIT)
    assert done.returncode == 1
    with sqlite3.connect(tmp_path / "airflow.db") as database:
        tries = dict(database.execute("select task_id, try_number from task_instance"))
        states = {state for (state,) in database.execute("select state from task_instance")}
    assert tries == {"passing": 2, "broken": 1}
    assert states == {"failed"}
