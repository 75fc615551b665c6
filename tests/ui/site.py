"""An API server of Airflow with heals in its database, and people who look at them."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from tests.system.airflow_stack import GENEROUS, AirflowStack, environment, free_port, wait_until

ROOT = Path(__file__).parents[2]

PASSWORD = "a password of this test"

PEOPLE = {"ada": "admin", "bea": "user", "vera": "viewer", "otto": "viewer", "nora": "viewer"}
"""Otto may read the DAG ``elsewhere`` only, nora none; both see no plugins (see ``tests/ui/auth_manager.py``)."""

DAGS = """
from airflow.providers.common.compat.sdk import DAG
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow_dbt_rerun import DbtCloudJobOperator

with DAG("shop", schedule=None):
    DbtCloudJobOperator(task_id="build", job_id=48617) >> EmptyOperator(task_id="publish")
    DbtCloudJobOperator.partial(task_id="each").expand(job_id=[1, 2, 3])
with DAG("elsewhere", schedule=None):
    DbtCloudJobOperator(task_id="build", job_id=7)
"""


@dataclass
class Site:
    """One API server, and what a person can do with it.

    :param prefix: of its addresses.
    """

    stack: AirflowStack
    prefix: str = ""
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Its address, with the prefix."""
        return f"http://127.0.0.1:{self.stack.port}{self.prefix}"

    def ask(self, who: str | None, method: str, path: str, body: Any = None, **headers: str) -> requests.Response:
        """Send a request as a person, by the cookie that a browser sends; None is nobody."""
        cookies = {"_token": self.token(who)} if who else {}
        return requests.request(
            method,
            self.url + path,
            json=body,
            cookies=cookies,
            headers=headers,
            timeout=GENEROUS,
            allow_redirects=False,
        )

    def token(self, who: str) -> str:
        """Log a person in."""
        if who not in self.tokens:
            body = {"username": who, "password": PASSWORD}
            answer = requests.post(f"{self.url}/auth/token", json=body, timeout=GENEROUS)
            assert answer.ok, answer.text
            self.tokens[who] = answer.json()["access_token"]
        return self.tokens[who]

    # --- What is in the database

    def add(self, dag_id: str, run_id: str, reports: Mapping[str, Any], *, days_ago: float = 0) -> None:
        """Create a DAG run with reports of its tasks; ``each[1]`` names a mapped one."""
        body = {"dag_run_id": run_id, "logical_date": None}
        wait_until(f"DAG {dag_id} is known", lambda: self.ask("ada", "GET", f"/api/v2/dags/{dag_id}").ok)
        made = self.ask("ada", "POST", f"/api/v2/dags/{dag_id}/dagRuns", body)
        assert made.ok, made.text
        for task, report in reports.items():
            self.report(dag_id, run_id, task, report, days_ago=days_ago)

    def report(self, dag_id: str, run_id: str, task: str, report: Any, *, days_ago: float = 0) -> None:
        """Push the report of a task, as its worker does, and let the task end as the report says."""
        task_id, _, index = task.rstrip("]").partition("[")
        of = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}"
        body = {"key": "dbt_rerun_report", "value": report, "map_index": int(index or -1)}
        made = self.ask("ada", "POST", f"{of}/xcomEntries", body)
        assert made.ok, made.text
        page = f"/dbt-rerun/task/{dag_id}/{quote(run_id, safe='')}/{task_id}/{index or -1}"
        self.ask("ada", "POST", f"{of}/xcomEntries", {**body, "key": "_link_DbtRerunPageLink", "value": page})
        states = {"in progress": "deferred", "healed": "success", "succeeded": "success"}
        self.change(
            "update task_instance set state = ?, try_number = 1 where run_id = ? and task_id = ? and map_index = ?",
            (states.get(report.get("outcome"), "failed"), run_id, task_id, int(index or -1)),
        )
        moment = (datetime.now(UTC) - timedelta(days=days_ago)).strftime("%Y-%m-%d %H:%M:%S.%f")
        self.change("update xcom set timestamp = ? where run_id = ? and task_id = ?", (moment, run_id, task_id))

    def change(self, statement: str, values: tuple[Any, ...]) -> None:
        """Change the database, as components do that are not running here."""
        with closing(sqlite3.connect(self.stack.home / "airflow.db", timeout=GENEROUS)) as database, database:
            database.execute(statement, values)


@contextmanager
def sites(home: Path) -> Iterator[tuple[Site, Site]]:
    """Serve one database at two addresses: plainly, and below a prefix."""
    installed = [point.name for point in entry_points(group="airflow.plugins")]
    assert "dbt_rerun" in installed, "the installed package is older than its plugin: make setup"
    plain, prefixed = (Site(stack_of_people(home, prefix), prefix) for prefix in ("", "/airflow"))
    with serving(plain, prefixed):
        yield plain, prefixed


@contextmanager
def serving(*sites: Site) -> Iterator[None]:
    """Migrate a database, and serve it at one or more addresses."""
    home = sites[0].stack.home
    (home / "dags").mkdir(parents=True)
    (home / "dags" / "shop.py").write_text(DAGS)
    (home / "passwords.json").write_text(json.dumps(dict.fromkeys(PEOPLE, PASSWORD)))
    try:
        if not (home / "airflow.db").exists():
            sites[0].stack.run("db", "migrate")
        for site in sites:
            address = ["--host", "127.0.0.1", "--port", str(site.stack.port)]
            site.stack.start("api-server", ["api-server", *address, "--workers", "1"])
        sites[0].stack.run("dags", "reserialize")
        for site in sites:
            wait_until("the API server is there", lambda site=site: _is_up(site))  # type: ignore[misc]
        yield
    finally:
        for site in sites:
            site.stack.stop()


def _is_up(site: Site) -> bool:
    try:
        return requests.get(f"{site.url}/api/v2/version", timeout=GENEROUS).ok
    except requests.ConnectionError:
        return False


def stack_of_people(home: Path, prefix: str = "", **variables: str) -> AirflowStack:
    """Configure an Airflow with ``PEOPLE``, each with a password.

    :param variables: further environment variables.
    """
    port = free_port()
    more = {
        **variables,
        "AIRFLOW__CORE__AUTH_MANAGER": "tests.ui.auth_manager.AuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in PEOPLE.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}{prefix}",
        "PYTHONPATH": os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(ROOT)))),
    }
    return AirflowStack(home, environment(home, home / "dags", port, **more), port)
