"""Run a local platform in a separate process, and talk to it over HTTP."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

import airflow_dbt_rerun.local

if TYPE_CHECKING:
    import pytest  # benchmarks use this file where there is none

EXAMPLE_PROJECT = Path(airflow_dbt_rerun.local.__file__).with_name("example_project")
GENEROUS = 90
"""Seconds before a test gives up waiting for something that takes a few."""

Json = dict[str, Any]


def without_database(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look Variables up as a new process does: a search for an unknown connection adds Airflow's database for good.

    Where a file of tests runs after such a search, a command would log that there is no such database.
    """
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "")  # so that it is put back afterwards
    monkeypatch.delenv("_AIRFLOW_PROCESS_CONTEXT")


@dataclass(slots=True)
class LocalPlatform:
    """One running platform.

    :param state: where the example project's ``failures.json`` is
    :param project: the project it serves; what is changed there holds for the next run
    """

    base_url: str
    account_id: int
    token: str = field(repr=False)
    jobs: Mapping[str, int]
    project: Path
    state: Path
    process: subprocess.Popen[str] = field(repr=False)
    session: requests.Session = field(repr=False, default_factory=requests.Session)

    def connect(self, monkeypatch: pytest.MonkeyPatch, **otherwise: str) -> None:
        """Define ``dbt_cloud_default``, with other fields than the right ones where they are given."""
        fields = {"host": self.base_url, "login": str(self.account_id), "password": self.token, **otherwise}
        monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_DEFAULT", json.dumps({"conn_type": "dbt_cloud", **fields}))

    # --- the API

    def send(self, method: str, path: str, **options: Any) -> requests.Response:
        """Send a request to a path below the account, or to an absolute one."""
        url = self.base_url + (path if path.startswith("/") else f"/api/v2/accounts/{self.account_id}/{path}")
        options.setdefault("headers", {"Authorization": f"Token {self.token}"})
        return self.session.request(method, url, timeout=GENEROUS, allow_redirects=False, **options)

    def get(self, path: str, **params: Any) -> Any:
        """GET the data of a 200."""
        return self._data(self.send("GET", path, params=params))

    def post(self, path: str, body: Any = None) -> Any:
        """POST and return the data of a 200."""
        return self._data(self.send("POST", path, json=body))

    def trigger(self, job: str, cause: str = "a test", **overrides: Any) -> Json:
        """Start a run of a job."""
        run: Json = self.post(f"jobs/{self.jobs[job]}/run/", {"cause": cause, **overrides})
        return run

    def wait(self, run: Json, status: int | None = None) -> Json:
        """Wait until a run is over, or has a status."""
        deadline = time.monotonic() + GENEROUS
        while run["status"] != status and not run["is_complete"]:
            assert time.monotonic() < deadline, f"run {run['id']} is still {run['status_humanized']}"
            time.sleep(0.05)
            run = self.get(f"runs/{run['id']}/")
        return run

    def run(self, job: str, **overrides: Any) -> Json:
        """Start a run and wait for its end."""
        return self.wait(self.trigger(job, **overrides))

    def retry(self, run: Json) -> Json:
        """Resume a run and wait for the end of the new one."""
        return self.wait(self.post(f"runs/{run['id']}/retry/"))

    def cancel(self, run: Json, *, by: str | None = None) -> None:
        """Cancel a run: as a person does in dbt, or with our own token."""
        headers = {"Authorization": f"Token {self.token}", **({"X-Person": by} if by else {})}
        assert self.send("POST", f"runs/{run['id']}/cancel/", headers=headers).ok

    def resumable(self, run: Json) -> tuple[bool, str | None]:
        """Return whether a run can be retried, and why not; a list and the run itself must agree."""
        listed, single = self.get("runs/", pk=run["id"])[0], self.get(f"runs/{run['id']}/")
        answers = [(shown["can_retry"], shown["retry_not_supported_reason"]) for shown in (listed, single)]
        assert answers[0] == answers[1]
        return answers[0]

    def steps(self, run: Json) -> list[Json]:
        """Return the steps of a run."""
        steps: list[Json] = self.get(f"runs/{run['id']}/", include_related="run_steps")["run_steps"]
        return steps

    def results(self, run: Json, step: int | None = None) -> dict[str, str]:
        """Return the status of each node in a step's run_results.json, by its short name."""
        artifact = self.send("GET", f"runs/{run['id']}/artifacts/run_results.json", params={"step": step}).json()
        return {result["unique_id"].split(".")[2]: result["status"] for result in artifact["results"]}

    def truth(self) -> Json:
        """Return what truly happened in the history, of a platform that was started with ``--history``."""
        truth: Json = json.loads((self.state.parent / "history_truth.json").read_text())
        return truth

    # --- trouble

    def trouble(self, *requests_for_trouble: Json) -> None:
        """Make nodes fail, in the words of the example project's README; counts begin at zero."""
        for counted in self.state.glob("troubled.*"):
            counted.unlink()
        (self.state / "failures.json").write_text(json.dumps(requests_for_trouble))

    def until_troubled(self, node: str) -> None:
        """Wait until the trouble of a node has begun."""
        deadline = time.monotonic() + GENEROUS
        while not list(self.state.glob(f"troubled.{node}.*")):
            assert time.monotonic() < deadline, f"{node} was never in trouble"
            time.sleep(0.05)

    def control(self, method: str, what: str, body: Any = None) -> Any:
        """Use the control path: ``faults``, ``requests`` or ``behaviour``."""
        response = self.send(method, f"/_control/{what}", json=body)
        assert response.ok, response.text
        return response.json()

    def fault(self, kind: str, **details: Any) -> None:
        """Add a fault."""
        self.control("POST", "faults", {"kind": kind, **details})

    def behave(self, **switches: Any) -> None:
        """Set switches of the platform's behaviour."""
        self.control("POST", "behaviour", switches)

    def posts(self) -> list[str]:
        """Return the paths of all POSTs so far."""
        return self.paths("POST")

    def paths(self, method: str = "GET") -> list[str]:
        """List what was asked with one method since the test began."""
        return [request["path"] for request in self.control("GET", "requests") if request["method"] == method]

    # --- the process

    def stop(self) -> int:
        """End the server as a user does and return its exit status."""
        self.process.terminate()
        return self.process.wait(GENEROUS)

    def kill(self) -> None:
        """End the server as a crash does."""
        self.process.kill()
        self.process.wait(GENEROUS)

    @staticmethod
    def _data(response: requests.Response) -> Any:
        assert response.status_code == 200, response.text
        return response.json()["data"]


@contextlib.contextmanager
def local_platform(
    folder: Path, *options: str, jobs: Mapping[str, str], verify: str | None = None, faults: bool = True
) -> Iterator[LocalPlatform]:
    """Serve a copy of the example project; what is in ``folder`` already stays, so it can be a restart.

    :param verify: the certificate to trust, if the options are for https
    """
    project, state = folder / "project", folder / "platform"
    if not project.exists():
        shutil.copytree(EXAMPLE_PROJECT, project)
    command = [sys.executable, "-m", "airflow_dbt_rerun.local", "--project-dir", str(project)]
    command += ["--state-dir", str(state), *(["--faults"] if faults else []), *options]
    command += [part for name, commands in jobs.items() for part in ("--job", f"{name}={commands}")]
    with (folder / "stderr.log").open("a") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        ready = process.stdout.readline()
        assert ready, (folder / "stderr.log").read_text()
        platform = LocalPlatform(**json.loads(ready), project=project, state=state / "state", process=process)
        platform.session.trust_env = False  # no proxy, no machine-wide certificates
        platform.session.verify = verify or True
        with platform.session:
            yield platform
    finally:
        process.terminate()
        process.wait(GENEROUS)
        assert process.stdout is not None
        process.stdout.close()
