"""What a heal costs the warehouse: ours, the official operator's, and a rerun from start.

A job whose mart fails once is brought to green by each in turn: by Airflow itself, over TLS, with real dbt on the
local platform. Nodes and their seconds are counted from the ``run_results.json`` of all steps of both runs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tests.support import EXAMPLE_PROJECT, Json, LocalPlatform, local_platform
from tests.tls import certificate

DAGS = Path(__file__).with_name("dags")
DAG_ID = "three_ways"
JOB = "nightly"
COMMANDS = ("dbt seed", "dbt run --select staging", "dbt build --select marts", "dbt test --select staging")

FAILING = "customers"
"""A mart in the middle of the third step."""

MESSAGE = "Connection reset by peer"
"""What befalls it: something that a rerun heals."""

MILLISECONDS = 300
SLOW = "select * from (\n{query}\n) where (select sleep_ms({milliseconds})) is null\n"
"""A mart as a warehouse elsewhere builds it: it takes its time, whatever else is done on this machine meanwhile."""

FAILED_THEN_GREEN = ("Error", "Success")
MOST_SECONDS = 300
LOG_SHOWN = 10_000
"""Characters, from the end."""


@dataclass(frozen=True)
class Way:
    """One way to green, in the order of the DAG's tasks, and the POSTs that it should take."""

    title: str
    posts: tuple[str, ...]


WAYS = (
    Way("ours", ("jobs/run", "runs/retry")),
    Way("official, retry_from_failure", ("jobs/run", "jobs/rerun")),
    Way("official, from start", ("jobs/run", "jobs/run")),
)


@dataclass(frozen=True)
class Cost:
    """What dbt runs cost: nodes that were executed, and the seconds that the warehouse worked for them."""

    nodes: int
    seconds: float

    @classmethod
    def of(cls, results: Iterable[Json]) -> Cost:
        """Add up node results; a skipped node was not executed."""
        executed = [result["execution_time"] for result in results if result["status"] != "skipped"]
        return cls(len(executed), sum(executed))

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.nodes + other.nodes, self.seconds + other.seconds)


@dataclass(frozen=True)
class Past:
    """What the platform remembers of the job: the status and cost of each run, in order, and what was posted."""

    statuses: tuple[str, ...]
    costs: tuple[Cost, ...]
    posts: tuple[str, ...]


def main() -> None:
    """Print what the second run of each way cost, and what both did."""
    with tempfile.TemporaryDirectory() as folder, platform(Path(folder)) as there:
        there.trouble(*every_other_time())
        there.trigger(JOB, cause="yesterday's run: the tables are there, and dbt is warm")
        run_dag(airflow_environment(there, Path(folder)))
        found = past(there)
    check(found)
    nodes = found.costs[0].nodes
    print(f"a job of {len(COMMANDS)} steps and {nodes} nodes; the mart `{FAILING}` fails once: {MESSAGE}")
    print(f"a mart takes {MILLISECONDS / 1000} s, the rest milliseconds; in brackets: ratio to ours")
    for line in table(found):
        print(line)
    print(f"all {len(WAYS)} tasks are green, each by {len(FAILED_THEN_GREEN)} runs and as many POSTs")


# --- The measurement


def platform(folder: Path, milliseconds: int = MILLISECONDS) -> AbstractContextManager[LocalPlatform]:
    """Serve the slow project over TLS: the official provider speaks nothing else."""
    slow_project(folder / "project", milliseconds)
    cert, key = map(str, certificate(folder))
    options = ("--tls-cert", cert, "--tls-key", key)
    return local_platform(folder, *options, jobs={JOB: "; ".join(COMMANDS)}, verify=cert)


def slow_project(folder: Path, milliseconds: int) -> None:
    """Copy the example project and make each mart slow; what is a view stays cheap."""
    shutil.copytree(EXAMPLE_PROJECT, folder)
    for model in folder.glob("models/marts/*.sql"):
        model.write_text(SLOW.format(query=model.read_text(), milliseconds=milliseconds))


def every_other_time() -> list[Json]:
    """Let the mart do well, then fail once for each way, and do well after each failure."""
    due = range(1, 2 * len(WAYS) + 1)
    return [{"node": FAILING, "times": time, **({} if time % 2 else {"message": MESSAGE})} for time in due]


def airflow_environment(there: LocalPlatform, folder: Path) -> dict[str, str]:
    """Return the settings of an Airflow that knows our DAG and its connection, and no other Airflow's."""
    login = {
        "host": there.base_url.removeprefix("https://"),
        "login": str(there.account_id),
        "password": there.token,
    }
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps({"conn_type": "dbt_cloud", **login}),
        "JOB_ID": str(there.jobs[JOB]),
        "REQUESTS_CA_BUNDLE": str(there.session.verify),
    }


def run_dag(environment: Mapping[str, str]) -> None:
    """Run the DAG, with its tasks' retries; raise ``SystemExit`` if it does not end green."""
    airflow = Path(sys.executable).with_name("airflow")
    for arguments in (["db", "migrate"], ["dags", "test", DAG_ID]):
        done = subprocess.run(
            [airflow, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=MOST_SECONDS,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{done.stdout[-LOG_SHOWN:]}\n`airflow {' '.join(arguments)}` failed")


def past(there: LocalPlatform) -> Past:
    """Read what became of the only job: from the platform, not from an operator's report."""
    runs = there.get("runs/", order_by="id")
    return Past(
        tuple(run["status_humanized"] for run in runs),
        tuple(Cost.of(results(there, run)) for run in runs),
        tuple(kind(path) for path in there.posts()),
    )


def kind(path: str) -> str:
    """Name a request without its ids: ``runs/retry``."""
    return re.sub(r"^.*/(jobs|runs)/\d+/(\w+)/$", r"\1/\2", path)


def results(there: LocalPlatform, run: Json) -> Iterator[Json]:
    """Give the node results of all steps of a run; a step that built nothing has none."""
    for step in there.steps(run):
        answer = there.send("GET", f"runs/{run['id']}/artifacts/run_results.json", params={"step": step["index"]})
        if answer.ok:
            yield from answer.json()["results"]


def check(found: Past) -> None:
    """Raise ``SystemExit`` if a way was not gone as intended: then it is not known which run was whose."""
    statuses = ("Success", *FAILED_THEN_GREEN * len(WAYS))
    posts = ("jobs/run", *(post for way in WAYS for post in way.posts))
    if found.statuses != statuses:
        raise SystemExit(f"the runs ended with {found.statuses}, and not {statuses}")
    if found.posts != posts:
        raise SystemExit(f"the POSTs were {found.posts}, and not {posts}")


# --- The table


def table(found: Past) -> Iterator[str]:
    """Give a line for each way; ratios are to the first one."""
    yield f"{'':30}{'- second run -':>28}{'- both runs -':>28}"
    yield f"{'':30}{'nodes':>12}{'seconds':>16}{'nodes':>12}{'seconds':>16}  POSTs"
    pairs = list(zip(found.costs[1::2], found.costs[2::2], strict=True))
    bases = pairs[0][1], sum(pairs[0], Cost(0, 0.0))
    for way, pair in zip(WAYS, pairs, strict=True):
        cells = beside(pair[1], bases[0]) + beside(sum(pair, Cost(0, 0.0)), bases[1])
        yield f"{way.title:30}{cells}  {len(way.posts)}: {', '.join(way.posts)}"


def beside(cost: Cost, base: Cost) -> str:
    """Show nodes and seconds, each with its ratio to the base."""
    nodes, seconds = cost.nodes / base.nodes, cost.seconds / base.seconds
    return f"{cost.nodes:>5} ({nodes:.2f}){cost.seconds:>9.2f} ({seconds:.2f})"


if __name__ == "__main__":
    main()
