"""Clients of the real platform work unchanged with the local one, over TLS, through a failure and its rerun."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.support import GENEROUS, LocalPlatform, local_platform
from tests.system.airflow_shell import AirflowShell, airflow_shell
from tests.system.database import NewDatabase
from tests.tls import certificate

CLIENTS = Path(__file__).with_name("clients")
JOB, COMMANDS = "nightly", "dbt seed; dbt build --exclude resource_type:seed"
ERROR, SUCCESS = 20, 10
HAS_RETRY_POLICIES = not version("apache-airflow").startswith("2.") and bool(
    find_spec("airflow.sdk.definitions.retry_policy")
)

#: ``customers`` fails once; the rerun must run it and the skipped nodes, and nothing else.
FAILING = {"node": "customers", "times": 1, "message": "Connection reset by peer"}
UNFINISHED = {"customers", "top_customers"}


@dataclass(frozen=True)
class Client:
    """Runs the clients, each in a separate process with the variables that its user would set."""

    platform: LocalPlatform
    folder: Path
    env: dict[str, str] = field(repr=False)

    @property
    def job_id(self) -> str:
        """The job, as an argument."""
        return str(self.platform.jobs[JOB])

    def run(self, *command: str | Path, **env: str) -> str:
        """Run a command and return its output."""
        done = subprocess.run(
            command,
            env={**self.env, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=3 * GENEROUS,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout

    def report_of(self, script: str, *args: str) -> dict[str, Any]:
        """Run one of the scripts and return the report that it writes."""
        report = self.folder / "report.json"
        self.run(sys.executable, CLIENTS / script, *args, report)
        return dict(json.loads(report.read_text()))


@pytest.fixture(
    scope="module", params=["simulated", pytest.param("real", marks=[pytest.mark.nightly, pytest.mark.dbt])]
)
def secured(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Serve a separate platform for this module, with TLS; at night with real dbt, too."""
    folder = tmp_path_factory.mktemp("secured")
    cert, key = certificate(folder)
    simulate = ("--simulate",) if request.param == "simulated" else ()
    options, jobs = ("--tls-cert", str(cert), "--tls-key", str(key)), {JOB: COMMANDS}
    with local_platform(folder, *simulate, *options, jobs=jobs, verify=str(cert)) as platform:
        yield Client(platform, folder, client_env(platform, folder, cert))


@pytest.fixture
def client(secured: Client) -> Client:
    """Let the job's next run fail and the run after it succeed."""
    secured.platform.trouble(FAILING)
    return secured


def client_env(platform: LocalPlatform, folder: Path, cert: Path) -> dict[str, str]:
    """Return the variables that a user sets. Blocking clients read the first of them, async clients the second."""
    host = platform.base_url.removeprefix("https://")
    login = {"host": host, "login": str(platform.account_id), "password": platform.token}
    return {
        **os.environ,
        "REQUESTS_CA_BUNDLE": str(cert),
        "SSL_CERT_FILE": str(cert),
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(CLIENTS / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps({"conn_type": "dbt_cloud", **login}),
        "DBT_CLOUD_HOST": host,
        "DBT_CLOUD_SERVICE_TOKEN": platform.token,
    }


def test_hook_of_the_official_provider(client: Client) -> None:
    """DbtCloudHook triggers, waits, finds by name, lists, reads artifacts and reruns from failure."""
    report = client.report_of("official_hook.py", client.job_id, JOB)
    assert report["connected"] == [True, "Successfully connected to dbt Cloud."]
    assert report["job_by_name"] == int(client.job_id)
    assert report["succeeded"] == [False, True]
    assert report["statuses"] == [ERROR, SUCCESS]
    assert report["models"][0]["customers"] == "error"
    assert report["models"][1] == dict.fromkeys(UNFINISHED, "success")
    assert {"run_results.json", "manifest.json"} <= set(report["artifacts"])
    assert report["runs_listed"] == 2


@pytest.fixture(scope="module")
def airflow(secured: Client, new_database: NewDatabase) -> Iterator[AirflowShell]:
    """Start Airflow's command line with a separate database."""
    new_database(secured.folder / "airflow")
    with airflow_shell(secured.folder) as shell:
        yield shell


def run_dag(airflow: AirflowShell, client: Client, dag_id: str, deferrable: str) -> str:
    """Run one of the DAGs to its good end, and return what was printed."""
    env = {**client.env, "JOB_ID": client.job_id, "DEFERRABLE": deferrable}
    status, printed = airflow.run("dags", "test", dag_id, env=env)
    assert status == 0, printed[-10_000:]
    return printed


@pytest.mark.airflow
@pytest.mark.parametrize("deferrable", [pytest.param("no", marks=pytest.mark.nightly), "yes"])
def test_operator_and_sensor_of_the_official_provider(
    client: Client, airflow: AirflowShell, deferrable: str
) -> None:
    """In both modes the operator fails in its first try and heals in its second; the sensor agrees."""
    printed = run_dag(airflow, client, "official_operator", deferrable)
    # Airflow 2 prints each line twice.
    assert len(set(re.findall(r"job run (\d+) ended with status ERROR", printed))) == 1
    assert printed.count("has completed successfully") >= 1
    assert "state=success" in printed


@pytest.mark.airflow
@pytest.mark.skipif(not HAS_RETRY_POLICIES, reason="Airflow asks a retry_policy from 3.3 on")
def test_official_operator_with_our_retry_policy(client: Client, airflow: AirflowShell) -> None:
    """The deferred operator fails, is diagnosed and resumed after a second, although its own delay is an hour."""
    printed = run_dag(airflow, client, "official_retry_policy", "yes")
    assert re.search(r"model customers: .*rerun from failure, since rule", printed)
    assert "state=success" in printed
    runs = client.platform.get("runs/", order_by="-id", limit=2)
    assert [run["status"] for run in runs] == [SUCCESS, ERROR]
    assert runs[0]["retrying_run_id"] == runs[1]["id"]


def test_dbtc(client: Client) -> None:
    """dbtc triggers, polls, lists, reads artifacts and reruns from failure."""
    report = client.report_of("dbtc_client.py", str(client.platform.account_id), client.job_id)
    assert report["statuses"] == [ERROR, SUCCESS]
    assert report["models"][0]["customers"] == "error"
    assert report["models"][1] == dict.fromkeys(UNFINISHED, "success")
    assert report["jobs"] == [int(client.job_id)]
    assert report["latest_run"] is True
