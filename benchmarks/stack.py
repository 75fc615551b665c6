"""The whole stack: many mapped deferrable tasks on Celery workers and two triggerers, over PostgreSQL and Redis.

A tenth of the tasks' jobs fail once. It is done twice: undisturbed, and with one triggerer killed half-way, whose
runs the other one has to take over. What was run is read from the dbt platform, which is a simulated one: no task
is believed. ``make bench-stack`` installs what it needs; ``TASKS=20`` makes it quick, ``WAYS=undisturbed`` leaves
out the second, and ``SECONDS="600 600"`` is how long dbt's runs take.
"""

from __future__ import annotations

import json
import os
import re
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]

from benchmarks._many_jobs import (
    ONE_IN,
    SECONDS,
    TASKS,
    Past,
    intended,
    node_of,
    past,
    trouble,
    write_project,
)
from benchmarks._services import Database, missing, own_database, own_redis
from tests.support import LocalPlatform, local_platform
from tests.system.airflow_stack import AirflowStack, airflow_stack, wait_until

DAGS = Path(__file__).with_name("stack_dags")
DAG_ID = "many"
SLOTS = 2
"""Of each worker: as many as this benchmark's usual machine has cores."""

WORKERS = ("worker-1", "worker-2")
TRIGGERERS = ("triggerer-1", "triggerer-2")
COMPONENTS = [
    ("scheduler", ["scheduler", "--skip-serve-logs"]),
    ("dag-processor", ["dag-processor"]),
    *((name, ["celery", "worker", "--skip-serve-logs", "-H", name, "-c", str(SLOTS)]) for name in WORKERS),
]

WAYS = ("undisturbed", "one-killed")
MOST_SECONDS = 5_400
"""After that, tasks are taken for lost."""

HELD = re.compile(r"Task \w+\[[\w-]+\] (?:succeeded in ([\d.]+)s|raised|retry|rejected)")
"""How Celery says that a task is over."""

BLOCKED = re.compile(r"async thread was blocked for ([\d.]+) second")
"""What the triggerer's watchdog says, above 0.2 seconds."""


def main() -> None:
    """Print the figures of both ways, side by side."""
    if reason := missing():
        print(f"not run: {reason}")
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was made is dropped then, too
    ways = os.environ.get("WAYS", " ".join(WAYS)).split()
    if not set(ways) <= set(WAYS):
        raise SystemExit(f"WAYS takes some of {', '.join(WAYS)}, not {' '.join(ways)!r}")
    for line in table({way: measure(killing=way != WAYS[0]) for way in ways}):
        print(line)


# --- What was seen


@dataclass
class Seen:
    """What was seen of Airflow meanwhile.

    :param wall: seconds from the DAG run's start to its end
    :param held: seconds for which a slot of a worker was held, each time that one was
    :param cpu: seconds that all workers computed; unlike the others they do not grow when the machine is busy
    :param blocked: seconds for which a triggerer's event loop stood still, each time that Airflow warned of it
    :param watched: most triggers of one triggerer at one moment
    :param memory: most bytes (PSS) of one triggerer with its children
    :param open_connections: most connections from one triggerer to the platform at one moment
    :param taken_over: how many runs the killed triggerer watched, and the seconds until the other one had them all
    """

    states: Mapping[str, int] = field(default_factory=dict)
    wall: float = 0.0
    most_tries: int = 0
    held: list[float] = field(default_factory=list)
    cpu: float = 0.0
    blocked: list[float] = field(default_factory=list)
    watched: int = 0
    memory: int = 0
    open_connections: int = 0
    taken_over: tuple[int, float] | None = None


def check(past: Past, seen: Seen, tasks: int = TASKS) -> None:
    """Raise ``SystemExit`` unless all is green, at the first try, with exactly the runs that were intended."""
    endings, posts = intended(tasks)
    if (dict(seen.states), seen.most_tries) != ({"success": tasks}, 1):
        raise SystemExit(f"not all green at once: {dict(seen.states)}, {seen.most_tries} tries")
    if dict(past.posts) != posts:
        raise SystemExit(f"the POSTs were {dict(past.posts)}, and not {posts}")
    wrong = {number: each for number, each in enumerate(past.endings) if each != endings[number]}
    if wrong or len(past.endings) != tasks:
        raise SystemExit(f"dbt runs of tasks ended otherwise than intended: {wrong}")


def held_in(log: str) -> list[float]:
    """Read from a Celery worker's log how long each of its tasks held a slot.

    :raises SystemExit: if one of them failed: then Airflow itself broke, and the figures mean nothing
    """
    found = list(HELD.finditer(log))
    if failed := next((each for each in found if each[1] is None), None):
        raise SystemExit(f"a Celery task failed: {log[failed.start() : failed.start() + 500]}")
    return [float(each[1]) for each in found]


def blocked_in(log: str) -> list[float]:
    """Read from a triggerer's log how long its event loop stood still each time."""
    return [float(seconds) for seconds in BLOCKED.findall(log)]


# --- The measurement


@dataclass(frozen=True)
class Stack:
    """All that runs."""

    airflow: AirflowStack
    database: Database
    dbt: LocalPlatform
    triggerers: Mapping[str, int]
    """Their ids in Airflow's database."""

    def watched_by(self, name: str) -> int:
        """Count the triggers that a triggerer has."""
        query = "select count(*) from trigger where triggerer_id = %s"
        return int(self.database.value(query, self.triggerers[name]))

    def states(self, run_id: str) -> Counter[str]:
        """Count the tasks in each state."""
        query = "select coalesce(state, 'none'), count(*) from task_instance where run_id = %s group by 1"
        return Counter(dict(self.database.rows(query, run_id)))

    def is_over(self, run_id: str) -> bool:
        """Whether the DAG run has ended."""
        state = self.database.value("select state from dag_run where run_id = %s", run_id)
        return state in ("success", "failed")

    def cpu_of_workers(self) -> float:
        """Sum up the CPU seconds of the workers so far."""
        return sum(cpu_seconds(self.airflow.processes[name].pid) for name in WORKERS)


def measure(*, killing: bool) -> tuple[Past, Seen]:
    """Let all tasks run once.

    :param killing: whether to kill a triggerer half-way
    """
    with tempfile.TemporaryDirectory() as folder:
        with stack(Path(folder)) as there:
            seen = observe(there, killing=killing)
            found = past(there.dbt)
        read_logs(there.airflow.home, seen)  # a worker says that a task is over a moment after Airflow does
    check(found, seen)
    print(f"{WAYS[killing]}: green after {seen.wall:,.0f} s", flush=True)
    return found, seen


def read_logs(home: Path, seen: Seen) -> None:
    """Note what workers and triggerers say of themselves."""
    seen.held = [seconds for name in WORKERS for seconds in held_in(log_of(home, name))]
    seen.blocked = [seconds for name in TRIGGERERS for seconds in blocked_in(log_of(home, name))]


def log_of(home: Path, name: str) -> str:
    """Read the log of a component."""
    return (home / f"{name}.log").read_text(errors="replace")


@contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Start all of it, each part with nothing in it."""
    home = folder / "airflow"
    home.mkdir()
    write_project(folder / "project")
    jobs = {node_of(number): f"dbt run --select {node_of(number)}" for number in range(TASKS)}
    with (
        own_database() as database,
        own_redis() as broker,
        local_platform(folder, "--simulate", jobs=jobs) as dbt,
        airflow_stack(home, DAGS, variables(dbt, database.url, broker), COMPONENTS) as airflow,
    ):
        dbt.trouble(*trouble())
        yield Stack(airflow, database, dbt, {name: start_triggerer(airflow, database, name) for name in TRIGGERERS})


def variables(dbt: LocalPlatform, database: str, broker: str) -> dict[str, str]:
    """Configure Celery over the two servers; what is impatient in tests only, triggerers above all, is as usual."""
    login = {"host": dbt.base_url, "login": str(dbt.account_id), "password": dbt.token}
    return {
        "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps({"conn_type": "dbt_cloud", **login}),
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": "32",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "5",
        "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "30",
        "JOB_IDS": json.dumps(list(dbt.jobs.values())),
    }


def start_triggerer(airflow: AirflowStack, database: Database, name: str) -> int:
    """Start a triggerer, and wait until it has said its id."""
    query = "select max(id) from job where job_type = 'TriggererJob'"
    before = database.value(query) or 0
    airflow.start(name, ["triggerer", "--skip-serve-logs"])
    return int(wait_until(f"{name} is there", lambda: (now := database.value(query) or 0) > before and now))


def observe(there: Stack, *, killing: bool) -> Seen:
    """Start the DAG run and look at it each second until it is over."""
    seen = Seen()
    run_id = there.airflow.trigger(DAG_ID)
    began, before = time.monotonic(), there.cpu_of_workers()
    while not there.is_over(run_id):
        if time.monotonic() > began + MOST_SECONDS:
            raise SystemExit(f"not over after {MOST_SECONDS} s: {dict(there.states(run_id))}")
        time.sleep(1)
        weigh(there, seen)
        if killing and not seen.taken_over and there.states(run_id)["success"] * 2 >= TASKS:
            seen.taken_over = kill(there)
    seen.wall, seen.cpu = time.monotonic() - began, there.cpu_of_workers() - before
    seen.states = there.states(run_id)
    seen.most_tries = there.database.value("select max(try_number) from task_instance where run_id = %s", run_id)
    return seen


def kill(there: Stack) -> tuple[int, float]:
    """Kill the triggerer that watches most: Airflow does not share out triggers evenly.

    :raises SystemExit: if it watched none, which would show nothing
    :return: how many runs it watched, and after how many seconds another one has them all
    """
    victim = max(TRIGGERERS, key=there.watched_by)
    there.airflow.kill(victim)
    orphans, killed = there.watched_by(victim), time.monotonic()
    if not orphans:
        raise SystemExit("nothing was watched when a triggerer was killed")
    wait_until(f"somebody takes over from {victim}", lambda: there.watched_by(victim) == 0)
    return orphans, time.monotonic() - killed


def weigh(there: Stack, seen: Seen) -> None:
    """Note the most that any triggerer watches, weighs, and has open."""
    port = urlsplit(there.dbt.base_url).port
    for name in TRIGGERERS:
        if name in there.airflow.processes:
            memory, connections = weight(there.airflow.processes[name].pid, port)
            seen.memory = max(seen.memory, memory)
            seen.open_connections = max(seen.open_connections, connections)
            seen.watched = max(seen.watched, there.watched_by(name))


def weight(pid: int, port: int | None) -> tuple[int, int]:
    """Give the memory (PSS, bytes) of a process with its children, and their connections to a port."""
    parent = psutil.Process(pid)
    memory = connections = 0
    for process in (parent, *parent.children(recursive=True)):
        try:
            memory += process.memory_full_info().pss
            remote = (each.raddr for each in process.net_connections("tcp") if each.raddr)
            connections += sum(address.port == port for address in remote)
        except psutil.NoSuchProcess:
            continue
    return memory, connections


def cpu_seconds(pid: int) -> float:
    """Give the CPU seconds of a process with its children, those that are no more included."""
    parent = psutil.Process(pid)
    return sum(sum(process.cpu_times()[:4]) for process in (parent, *parent.children(recursive=True)))


# --- The table


def table(found: Mapping[str, tuple[Past, Seen]]) -> Iterator[str]:
    """Give a line for each figure, with a column for each way."""
    columns = [list(figures(past, seen)) for past, seen in found.values()]
    shortest, longest = SECONDS
    yield f"{TASKS} mapped deferrable tasks; dbt runs of {shortest} to {longest} s; one job in {ONE_IN} fails once"
    yield f"CeleryExecutor: {len(WORKERS)} workers of {SLOTS} slots, {len(TRIGGERERS)} triggerers"
    yield f"{'':48}" + "".join(f"{way:>20}" for way in found)
    for rows in zip(*columns, strict=True):
        yield f"{rows[0][0]:48}" + "".join(f"{value:>20}" for _, value in rows)


def figures(past: Past, seen: Seen) -> Iterator[tuple[str, str]]:
    """Name the figures of one way."""
    held = sum(seen.held)
    yield "green tasks, all at their first try", f"{seen.states['success']}"
    yield "dbt runs", f"{past.runs}"
    yield "POSTs: jobs/run + runs/retry", f"{past.posts['jobs/run']} + {past.posts['runs/retry']}"
    yield "wall time, s", f"{seen.wall:,.0f}"
    yield "worker seconds: a Celery slot was held", f"{held:,.0f}"
    yield "  times, and seconds each", f"{len(seen.held)}, {held / len(seen.held):.2f}"
    yield "  CPU seconds of the workers, each time", f"{seen.cpu / len(seen.held):.2f}"
    yield "dbt seconds: blocking tasks hold one as long", f"{past.run_seconds:,.0f}"
    yield "  ratio of the two", f"1/{past.run_seconds / held:.0f}"
    yield "GETs per dbt run", f"{past.gets / past.runs:.1f}"
    yield "requests in a minute, most (dbt allows 5,000)", f"{past.busiest:,}"
    yield "connections to dbt, in all", f"{past.connections}"
    yield "  of one triggerer at one moment, most", f"{seen.open_connections}"
    yield "runs watched by one triggerer, most", f"{seen.watched}"
    yield "memory of a triggerer (PSS), most, MB", f"{seen.memory / 1e6:.0f}"
    yield "triggerer blocked: times, longest s", f"{len(seen.blocked)}, {max(seen.blocked, default=0):.1f}"
    yield "taken over: runs, within seconds", "{}, {:.0f}".format(*seen.taken_over) if seen.taken_over else "-"


if __name__ == "__main__":
    main()
