"""The demo: a job that heals itself and a job that must not be rerun, on real dbt and real Airflow.

The table and the checks read the platform (its runs and their ``run_results.json``) instead of our own report,
except for the decisions. The exit status is 0 if all checks hold.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.cli.parsing import ending

DAG_ID = "dbt_rerun_policy"
ACCOUNT_ID = 70403103922125
EXAMPLE_PROJECT = Path(__file__).parents[1] / "local" / "example_project"

JOBS = {
    "nightly": "dbt seed; dbt build --exclude resource_type:seed daily_revenue+",
    "finance": "dbt build --select daily_revenue",
}

FAILURES = [
    {"node": "orders", "times": 1, "message": "Connection reset by peer"},
    {"node": "daily_revenue", "times": -1, "message": "Table with name raw_refunds does not exist!"},
]
"""The scripted failures: ``orders`` once, for a passing reason; ``daily_revenue`` always, for a bug in its code."""

STORY = re.compile(
    r"\[(?:info|warning|error) *\] (?P<airflow_3>.*?) +\[airflow\.task\.operators\.airflow_dbt_rerun"
    r"|^\[\S+\] \{(?:asking|lineage|wishing|deferral|driver|reader|reading|starter|job|publishing)\.py:\d+\} \w+ - "
    r"(?P<airflow_2>.*)"
)
"""The lines of Airflow's log that our operator wrote.

Airflow 2 names the file that logs: those in ``engine`` and ``operators``, except for ``base.py``, since Airflow has
files of that name, too.
"""


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``demo``."""
    parser = subcommands.add_parser(
        "demo",
        help="see a job heal itself, on real dbt and real Airflow",
        description="Run two jobs on a dbt platform on this machine: one heals itself, the other needs a person.",
        epilog=ending(("demo", "demo --dir /tmp/demo"), "0 all checks hold; 1 one does not; 2 wrong arguments."),
    )
    parser.add_argument("--dir", type=Path, default=Path(".demo"), help="where logs and data go (default: .demo)")
    parser.set_defaults(func=demo, command="demo")


def demo(arguments: argparse.Namespace) -> int:
    """Run the demo; return 0 if all checks hold, else 1."""
    folder: Path = arguments.dir.resolve()
    began = time.monotonic()
    shutil.rmtree(folder / "platform", ignore_errors=True)
    state = folder / "platform" / "state"
    state.mkdir(parents=True)
    (state / "failures.json").write_text(json.dumps(FAILURES))
    with _platform(folder) as platform:
        _say(f"A dbt platform on this machine: {platform.base_url}, jobs {', '.join(platform.jobs)}")
        environment = _airflow_environment(folder, platform)
        _prepare_airflow(folder, environment)
        _say(f"Airflow runs the DAG {DAG_ID} (example_dags/{DAG_ID}.py). What its tasks log:\n")
        _run_dag(folder, environment)
        shown = [_read_job(platform, folder, name) for name in JOBS]
    status = _conclude(shown, folder)
    versions = f"dbt {_dbt_version(shown)} and Airflow {version('apache-airflow')}"
    _say(f"That took {time.monotonic() - began:.0f} s, with {versions}.")
    return status


def _dbt_version(shown: list[_Shown]) -> str:
    return next((run["dbt_version"] for each in shown for run in each.runs), "that ran nothing")


def _say(words: str) -> None:
    print(words, flush=True)  # noqa: T201 - a demo prints


# --- The platform


@dataclass(frozen=True, slots=True)
class _Platform:
    base_url: str
    account_id: int
    jobs: Mapping[str, int]
    token: str = field(repr=False)

    def get(self, path: str) -> Any:
        """Read from the Admin API; None if the object does not exist."""
        request = urllib.request.Request(  # noqa: S310 - our own loopback address
            f"{self.base_url}/api/v2/accounts/{self.account_id}/{path}",
            headers={"Authorization": f"Token {self.token}"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError:
            return None


@contextlib.contextmanager
def _platform(folder: Path) -> Iterator[_Platform]:
    """Run the local platform in a separate process."""
    command = [sys.executable, "-m", "airflow_dbt_rerun.cli", "local", "--project-dir", str(EXAMPLE_PROJECT)]
    command += ["--state-dir", str(folder / "platform"), "--account-id", str(ACCOUNT_ID)]
    for name, steps in JOBS.items():
        command += ["--job", f"{name}={steps}"]
    with (folder / "platform.log").open("w") as log, _process(command, stderr=log) as lines:
        ready = next(lines, None)
        if ready is None:
            raise SystemExit((folder / "platform.log").read_text().strip() or "the platform did not start")
        yield _Platform(**{name: json.loads(ready)[name] for name in _Platform.__dataclass_fields__})


@contextlib.contextmanager
def _process(command: list[str], **options: Any) -> Iterator[Iterator[str]]:
    """Run a command, yield the lines that it prints, and end it in any case."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)  # noqa: S603
    assert process.stdout is not None
    try:
        yield iter(process.stdout)
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


# --- Airflow


def _airflow_environment(folder: Path, platform: _Platform) -> dict[str, str]:
    connection = {
        "conn_type": "dbt_rerun",
        "host": platform.base_url,
        "login": str(platform.account_id),
        "password": platform.token,
    }
    # A separate Airflow: the one that is configured here may be in real use.
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    return {
        **inherited,
        "AIRFLOW_HOME": str(_airflow_home(folder)),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(_example_dags()),
        "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps(connection),
        **{f"AIRFLOW_VAR_DBT_JOB_{name.upper()}": str(job) for name, job in platform.jobs.items()},
    }


def _airflow_home(folder: Path) -> Path:
    return folder / f"airflow-{version('apache-airflow')}"


def _example_dags() -> Path:
    """Return the folder of example DAGs: beside the package in a checkout, inside it if installed."""
    package = Path(__file__).parents[1]
    beside, inside = package.parent / "example_dags", package / "example_dags"
    return beside if beside.is_dir() else inside


def _prepare_airflow(folder: Path, environment: Mapping[str, str]) -> None:
    database = _airflow_home(folder) / "airflow.db"
    if not database.exists():
        _say("Making Airflow's database, once ...")
        _airflow("db", "migrate", log=folder / "airflow-db.log", environment=environment)


def _run_dag(folder: Path, environment: Mapping[str, str]) -> None:
    """Run the DAG with ``airflow dags test`` and print what our operator logs, as it comes."""
    command = [_airflow_executable(), "dags", "test", DAG_ID]
    with (
        (folder / "airflow.log").open("w") as log,
        _process(command, env=dict(environment), stderr=subprocess.STDOUT) as lines,
    ):
        for text in lines:
            log.write(text)
            if line := STORY.search(text):
                _say(f"  {line['airflow_3'] or line['airflow_2']}")


def _airflow(*arguments: str, log: Path, environment: Mapping[str, str]) -> None:
    with log.open("w") as output:
        subprocess.run(  # noqa: S603
            [_airflow_executable(), *arguments],
            env=dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            check=True,
        )


def _airflow_executable() -> str:
    beside = Path(sys.executable).with_name("airflow")
    return str(beside) if beside.exists() else "airflow"


# --- What happened


@dataclass(frozen=True, slots=True)
class _Shown:
    """One job's runs, as the platform lists them, and our operator's report."""

    job: str
    runs: list[dict[str, Any]]
    nodes: list[dict[str, str]]
    """For each run, the status of each node, from the run_results.json of all its steps."""
    report: dict[str, Any]

    def ran(self, number: int) -> set[str]:
        """Return the names of the nodes that ran in a run."""
        return {name for name, status in self.nodes[number].items() if status != "skipped"}

    @property
    def owed(self) -> set[str]:
        """The names of the nodes that the first run left undone."""
        return {name for name, status in self.nodes[0].items() if status in ("error", "fail", "skipped")}

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the table's rows, one for each attempt."""
        seen: set[str] = set()
        for number, (run, attempt) in enumerate(zip(self.runs, self.report["attempts"], strict=True)):
            ran = self.ran(number)
            saved = len(seen - ran) if number else 0
            kind = "" if run["retrying_run_id"] is None else f" (resumes {run['retrying_run_id']})"
            yield (
                self.job,
                str(number + 1),
                f"{run['id']}{kind}",
                run["status_humanized"],
                str(len(ran)),
                str(saved),
                run["run_duration"],
                (attempt["decision"] or attempt["verification"] or "").partition(": ")[0],
            )
            seen |= ran


def _read_job(platform: _Platform, folder: Path, name: str) -> _Shown:
    runs = platform.get(f"runs/?job_definition_id={platform.jobs[name]}&order_by=id")["data"]
    nodes = [_nodes(platform, run["id"]) for run in runs]
    return _Shown(name, runs, nodes, _read_report(folder, name))


def _nodes(platform: _Platform, run_id: int) -> dict[str, str]:
    steps = platform.get(f"runs/{run_id}/?include_related=['run_steps']")["data"]["run_steps"]
    files = (platform.get(f"runs/{run_id}/artifacts/run_results.json?step={step['index']}") for step in steps)
    return {result["unique_id"]: result["status"] for file in files if file for result in file["results"]}


def _read_report(folder: Path, task_id: str) -> dict[str, Any]:
    """Read the newest report that our operator pushed to XCom."""
    with contextlib.closing(sqlite3.connect(_airflow_home(folder) / "airflow.db")) as database:
        rows = database.execute(
            "select value from xcom where dag_id = ? and task_id = ? and key = 'dbt_rerun_report'"
            " order by dag_run_id desc limit 1",
            (DAG_ID, task_id),
        ).fetchall()
    if not rows:
        return {"outcome": "nothing was reported", "attempts": []}
    value = json.loads(rows[0][0])
    report: dict[str, Any] = json.loads(value) if isinstance(value, str) else value
    return report


def _conclude(shown: list[_Shown], folder: Path) -> int:
    header = ("job", "attempt", "dbt run", "status", "nodes run", "nodes saved", "time", "decision")
    rows = [header, *(row for each in shown for row in each.rows())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    _say("")
    for row in rows:
        _say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    _say("")
    checks = list(_checks(*shown))
    for words, holds in checks:
        _say(f"  [{'ok' if holds else 'FAILED'}] {words}")
    logs, files = os.path.relpath(folder / "airflow.log"), os.path.relpath(folder / "platform")
    _say(f"\nSee also: {logs} (what the tasks logged), {files} (what dbt wrote)")
    return 0 if all(holds for _, holds in checks) else 1


def _checks(healed: _Shown, broken: _Shown) -> Iterator[tuple[str, bool]]:
    statuses = [run["status_humanized"] for run in healed.runs]
    yield "nightly: the first run failed, the second succeeded", statuses == ["Error", "Success"]
    resumed = len(healed.runs) > 1 and healed.runs[1]["retrying_run_id"] == healed.runs[0]["id"]
    yield "nightly: the second run resumed exactly the first", resumed
    only = len(healed.runs) > 1 and healed.ran(1) == healed.owed
    yield f"nightly: it ran the {len(healed.owed)} nodes that had failed or been skipped, and no other", only
    yield "nightly: the task is green and its report says healed", healed.report["outcome"] == "healed"
    yield (
        "finance: the run failed once and was not rerun",
        [r["status_humanized"] for r in broken.runs] == ["Error"],
    )
    yield "finance: the task failed at once, for good", broken.report["outcome"] == "failed"
