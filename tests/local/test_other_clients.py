"""Clients made for the real platform drive the local one through a failure and its rerun, unchanged, over TLS."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support import GENEROUS, LocalPlatform, local_platform

pytestmark = pytest.mark.dbt

CLIENTS = Path(__file__).with_name("clients")
JOB, COMMANDS = "nightly", "dbt seed; dbt build --exclude resource_type:seed"
ERROR, SUCCESS = 20, 10

#: ``customers`` fails once: the rerun has to run it and what was skipped, and nothing else.
FAILING = {"node": "customers", "times": 1, "message": "Connection reset by peer"}
UNFINISHED = {"customers", "top_customers"}


@dataclass(frozen=True)
class Client:
    """Runs the clients, each in a process of its own, with what its user would set."""

    platform: LocalPlatform
    folder: Path
    env: dict[str, str] = field(repr=False)

    @property
    def job_id(self) -> str:
        """The job, as an argument."""
        return str(self.platform.jobs[JOB])

    def run(self, *command: str | Path, **env: str) -> str:
        """Run a command and return what it printed."""
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


def certificate(directory: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1; return its file and that of its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "local platform of a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = directory / "cert.pem", directory / "key.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    cert_file.write_bytes(made.public_bytes(pem))
    key_file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    return cert_file, key_file


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A platform of its own for this module, since it needs TLS."""
    folder = tmp_path_factory.mktemp("secured")
    cert, key = certificate(folder)
    options, jobs = ("--tls-cert", str(cert), "--tls-key", str(key)), {JOB: COMMANDS}
    with local_platform(folder, *options, jobs=jobs, verify=str(cert)) as platform:
        yield Client(platform, folder, client_env(platform, folder, cert))


@pytest.fixture
def client(secured: Client) -> Client:
    """The job's next run fails, and the one after it heals."""
    secured.platform.trouble(FAILING)
    return secured


def client_env(platform: LocalPlatform, folder: Path, cert: Path) -> dict[str, str]:
    """Return what a user of the clients sets; of the first two, blocking clients read one, async ones the other."""
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
def airflow(secured: Client) -> Path:
    """Airflow with a database of its own; returns its executable."""
    executable = Path(sys.executable).with_name("airflow")
    secured.run(executable, "db", "migrate")
    return executable


@pytest.mark.airflow
@pytest.mark.parametrize("deferrable", ["no", "yes"])
def test_operator_and_sensor_of_the_official_provider(client: Client, airflow: Path, deferrable: str) -> None:
    """DbtCloudRunJobOperator fails in its first try and heals in its second, in both modes; the sensor agrees."""
    names = {"JOB_ID": client.job_id, "DEFERRABLE": deferrable}
    printed = client.run(airflow, "dags", "test", "official_operator", **names)
    assert printed.count("ended with status ERROR") == 1
    assert printed.count("has completed successfully") >= 1
    assert "state=success" in printed


def test_dbtc(client: Client) -> None:
    """dbtc triggers, polls, lists, reads artifacts and reruns from failure."""
    report = client.report_of("dbtc_client.py", str(client.platform.account_id), client.job_id)
    assert report["statuses"] == [ERROR, SUCCESS]
    assert report["models"][0]["customers"] == "error"
    assert report["models"][1] == dict.fromkeys(UNFINISHED, "success")
    assert report["jobs"] == [int(client.job_id)]
    assert report["latest_run"] is True
