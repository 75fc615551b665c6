"""Airflow itself, with its components as processes of their own; people act on it as they do in the UI."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import requests

from tests.support import LocalPlatform

AIRFLOW = str(Path(sys.executable).with_name("airflow"))
AIRFLOW_2 = version("apache-airflow").startswith("2.")
GENEROUS = 240
"""Seconds before waiting for Airflow is given up."""

Components = Sequence[tuple[str, list[str]]]
"""Names of processes, and the arguments of the commands that they run."""

COMPONENTS: Components = (
    ("scheduler", ["scheduler", "--skip-serve-logs"]),
    ("triggerer", ["triggerer", "--skip-serve-logs"]),
    *(() if AIRFLOW_2 else (("dag-processor", ["dag-processor"]),)),
)


def wait_until(what: str, come: Callable[[], object]) -> Any:
    """Wait until something gives a true value, and return it."""
    deadline = time.monotonic() + GENEROUS
    while not (value := come()):
        assert time.monotonic() < deadline, f"waited in vain: {what}"
        time.sleep(0.2)
    return value


@dataclass
class AirflowStack:
    """A running Airflow.

    :param home: its AIRFLOW_HOME; the logs of its components lie there, too
    :param env: the environment of all components
    """

    home: Path
    env: dict[str, str]
    port: int
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    session: requests.Session = field(default_factory=requests.Session)

    # --- Its processes

    def run(self, *arguments: str) -> str:
        """Run an Airflow command to its good end."""
        done = subprocess.run(
            [AIRFLOW, *arguments], env=self.env, capture_output=True, text=True, check=False, timeout=GENEROUS
        )
        assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]
        return done.stdout

    def start(self, name: str, arguments: list[str]) -> None:
        """Start one component."""
        with (self.home / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [AIRFLOW, *arguments], env=self.env, stdout=log, stderr=log, start_new_session=True
            )

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> None:
        """End a component with all that it has started: tasks are process groups of their own."""
        process = self.processes.pop(name)
        for pid in in_session(process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, how)
        process.wait(GENEROUS)

    def stop(self) -> None:
        """End all of it."""
        self.session.close()
        for process in self.processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for name, process in list(self.processes.items()):
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            self.kill(name)

    # --- What people do

    def trigger(self, dag_id: str) -> str:
        """Start a DAG run and give its id."""
        if AIRFLOW_2:
            run_id = f"manual__{time.time_ns()}"
            self.run("dags", "trigger", dag_id, "--run-id", run_id)
            return run_id
        wait_until(f"DAG {dag_id} is parsed", lambda: self._api("GET", f"dags/{dag_id}").ok)
        started = self._api("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None})
        assert started.ok, started.text
        run_id = started.json()["dag_run_id"]
        return str(run_id)

    def mark(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Mark a task failed or success."""
        if AIRFLOW_2:
            self._as_airflow_2("mark", dag_id, run_id, task_id, state)
            return
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        marked = self._api("PATCH", path, {"new_state": state})
        assert marked.ok, marked.text

    def mark_run(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a whole DAG run failed or success."""
        if AIRFLOW_2:
            self._as_airflow_2("mark_run", dag_id, run_id, "", state)
            return
        marked = self._api("PATCH", f"dags/{dag_id}/dagRuns/{run_id}", {"state": state})
        assert marked.ok, marked.text

    def clear(self, dag_id: str, run_id: str, task_id: str) -> None:
        """Clear a task."""
        if AIRFLOW_2:
            self._as_airflow_2("clear", dag_id, run_id, task_id, "")
            return
        body = {"dry_run": False, "task_ids": [task_id], "dag_run_id": run_id, "only_failed": False}
        cleared = self._api("POST", f"dags/{dag_id}/clearTaskInstances", body)
        assert cleared.ok, cleared.text

    def state(self, dag_id: str, run_id: str, task_id: str) -> str | None:
        """Read the state of a task."""
        if AIRFLOW_2:
            where = "dag_id = ? and run_id = ? and task_id = ?"
            with closing(sqlite3.connect(self.home / "airflow.db")) as database:
                rows = database.execute(
                    f"select state from task_instance where {where}",  # noqa: S608 - no input in it
                    (dag_id, run_id, task_id),
                ).fetchall()
            return rows[0][0] if rows else None
        found = self._api("GET", f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")
        return found.json().get("state") if found.ok else None

    def until(self, dag_id: str, run_id: str, task_id: str, *states: str) -> str:
        """Wait until a task has one of these states."""

        def come() -> str | None:
            state = self.state(dag_id, run_id, task_id)
            return state if state in states else None

        return str(wait_until(f"{dag_id}.{task_id} is {' or '.join(states)}", come))

    def ends(self, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Wait until a task has failed or succeeded; show its log if that is not the end that was expected."""
        found = self.until(dag_id, run_id, task_id, "failed", "success")
        logs = sorted(
            (self.home / "logs" / f"dag_id={dag_id}").rglob(f"run_id={run_id}/task_id={task_id}/**/*.log")
        )
        shown = "\n".join(f"{log}\n{log.read_text()[-6_000:]}" for log in logs) if found != state else ""
        assert found == state, shown

    def _api(self, method: str, path: str, body: Any = None) -> requests.Response:
        """Ask the API server; press again where sqlite was locked, which rolls back what was pressed."""
        url = f"http://127.0.0.1:{self.port}/api/v2/{path}"
        for _ in range(5):
            answer = self.session.request(method, url, json=body, timeout=GENEROUS)
            if not (answer.status_code == 500 and "Database error" in answer.text):
                break
            time.sleep(1)
        return answer

    def _as_airflow_2(self, action: str, dag_id: str, run_id: str, task_id: str, state: str) -> None:
        """Do what the web server of Airflow 2 does; starting one for a click would take longer than the test."""
        script = str(Path(__file__).with_name("airflow_2_clicks.py"))
        done = subprocess.run(
            [sys.executable, script, action, dag_id, run_id, task_id, state],
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
            timeout=GENEROUS,
        )
        assert done.returncode == 0, done.stdout[-3_000:] + done.stderr[-3_000:]

    def log_in(self) -> None:
        """Wait for the API server, and become an admin."""

        def token() -> str | None:
            try:
                answer = self.session.get(f"http://127.0.0.1:{self.port}/auth/token", timeout=GENEROUS)
            except requests.ConnectionError:
                return None
            return answer.json().get("access_token") if answer.ok else None

        found = wait_until("the API server is there", token)
        self.session.headers["Authorization"] = f"Bearer {found}"


def in_session(leader: int) -> Iterator[int]:
    """Return the processes of a session, even if its leader no longer exists."""
    for pid in psutil.pids():
        with suppress(ProcessLookupError):
            if os.getsid(pid) == leader:
                yield pid


def free_port() -> int:
    """Find a free port."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def environment(home: Path, dags: Path, port: int, **more: str) -> dict[str, str]:
    """Configure an Airflow of one's own, and nothing of another one; nothing in it waits long."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {
        **inherited,
        "PATH": f"{Path(AIRFLOW).parent}{os.pathsep}{os.environ['PATH']}",
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor" if AIRFLOW_2 else "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of this test, of thirty-two characters and more",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "False",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "5",
        "PYTHONWARNINGS": "ignore",
        "NO_PROXY": "127.0.0.1,localhost",
        **more,
    }


@contextmanager
def airflow_stack(
    home: Path, dags: Path, variables: Mapping[str, str], components: Components = COMPONENTS
) -> Iterator[AirflowStack]:
    """Run Airflow for a while.

    :param home: its AIRFLOW_HOME; a database that is there already is used
    :param dags: the folder with its DAGs
    :param variables: further environment variables, for example connections
    :param components: what to start besides the API server
    """
    port = free_port()
    stack = AirflowStack(home, environment(home, dags, port, **variables), port)
    try:
        if not (home / "airflow.db").exists():
            stack.run("db", "migrate")
        if AIRFLOW_2:
            stack.run("dags", "reserialize")
        else:
            stack.start("api-server", ["api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"])
            stack.log_in()
        for name, arguments in components:
            stack.start(name, arguments)
        yield stack
    finally:
        stack.stop()


@contextmanager
def airflow_for(
    dbt: LocalPlatform, dags: str, home: Path, new_database: Callable[[Path], object]
) -> Iterator[AirflowStack]:
    """Run Airflow with the connection to a platform.

    :param dags: the text of a DAG file, with ``{jobs}`` for the ids of the platform's jobs by their names
    """
    folder = home / "dags"
    folder.mkdir()
    (folder / "dags.py").write_text(dags.replace("{jobs}", repr(dict(dbt.jobs))))
    connection = {"conn_type": "dbt_cloud", "host": dbt.base_url, "login": str(dbt.account_id)}
    fields = json.dumps({**connection, "password": dbt.token})
    new_database(home)
    with airflow_stack(home, folder, {"AIRFLOW_CONN_DBT_CLOUD_DEFAULT": fields}) as stack:
        yield stack
