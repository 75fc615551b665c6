"""One Airflow for all files here that need its components: starting them takes longer than most tests.

It ends with this folder: its components keep a quarter of a processor busy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.support import LocalPlatform, local_platform
from tests.system.airflow_stack import AirflowStack, airflow_stack
from tests.system.database import NewDatabase

JOBS = {
    "nightly": "dbt seed; dbt build --exclude resource_type:seed",
    **dict.fromkeys(("blocking", "deferrable", "broken", "patient", "patient_deferrable"), "dbt seed"),
    **dict.fromkeys(("answered", "cleared", "expired", "failed"), "dbt build --select +orders"),
}
"""Those of all files, each of which runs its own."""

QUICK = {
    "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "True",  # DAGs that assets start
    "AIRFLOW__SCHEDULER__DAG_DIR_LIST_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
    "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
}
"""Each file brings its DAGs when its turn comes: they are to be found at once."""


@pytest.fixture(scope="package")
def shared_dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """Serve one platform, to which the shared Airflow is connected from its start.

    A triggerer that looks up a connection in Airflow's database takes ten seconds of a processor for the first one.
    """
    with local_platform(tmp_path_factory.mktemp("system"), "--simulate", jobs=JOBS) as platform:
        yield platform


@pytest.fixture(scope="package")
def shared_airflow(
    shared_dbt: LocalPlatform, tmp_path_factory: pytest.TempPathFactory, new_database: NewDatabase
) -> Iterator[AirflowStack]:
    """Run one Airflow for the files of ``SHARE_AN_AIRFLOW`` in ``tests/scheduling.py``.

    Each adds its own DAGs, whose names no other file uses.
    """
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    new_database(home)
    fields = {"conn_type": "dbt_cloud", "host": shared_dbt.base_url, "login": str(shared_dbt.account_id)}
    connection = json.dumps({**fields, "password": shared_dbt.token})
    with airflow_stack(home, home / "dags", {**QUICK, "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": connection}) as stack:
        yield stack


@pytest.fixture(scope="module")
def dbt(shared_dbt: LocalPlatform) -> Iterator[LocalPlatform]:
    """Lend the platform to a file: without trouble, and without runs of another file that are in progress."""
    shared_dbt.trouble()
    shared_dbt.control("DELETE", "requests")
    yield shared_dbt
    for run in shared_dbt.get("runs/", status__in="[1,2,3]"):
        shared_dbt.cancel(run)
