"""Many dbt jobs, one in ten of which fails once: what is asked of a simulated platform, and what it remembers."""

from __future__ import annotations

import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.support import Json, LocalPlatform

TASKS = int(os.environ.get("TASKS", "200"))
ONE_IN = 10
"""Which part of the jobs fails once."""

SECONDS = tuple(map(int, os.environ.get("SECONDS", "60 180").split()))
"""How long a task's dbt runs take, in all: spread evenly between these."""

MESSAGE = "Connection reset by peer"


# --- What is to happen


def is_failing(number: int) -> bool:
    """Whether a task's job fails once."""
    return number % ONE_IN == ONE_IN // 2


def seconds_of(number: int, tasks: int = TASKS) -> float:
    """Give how long the dbt runs of a task take in all; neighbours differ."""
    shortest, longest = SECONDS
    return shortest + (longest - shortest) * (number * 37 % tasks) / tasks


def trouble(tasks: int = TASKS) -> Iterator[Json]:
    """Ask the platform for a duration of each run; a job that fails does so half-way, and goes on from there."""
    for number in range(tasks):
        node, seconds = node_of(number), seconds_of(number, tasks)
        if is_failing(number):
            yield {"node": node, "times": 1, "message": MESSAGE, "seconds": seconds / 2}
            seconds /= 2
        yield {"node": node, "times": -1, "seconds": seconds}


def node_of(number: int) -> str:
    """Name the only model of a task's job."""
    return f"model_{number:03}"


def write_project(folder: Path, tasks: int = TASKS) -> None:
    """Write a dbt project with a model for each task, since trouble is for nodes."""
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: many\nversion: '1'\nprofile: many\n")
    profile = {"target": "here", "outputs": {"here": {"type": "duckdb", "path": "unused"}}}
    (folder / "profiles.yml").write_text(json.dumps({"many": profile}))
    for number in range(tasks):
        (folder / "models" / f"{node_of(number)}.sql").write_text("select 1 as a\n")


def intended(tasks: int) -> tuple[tuple[tuple[str, ...], ...], dict[str, int]]:
    """Give the endings and the POSTs as they should be."""
    endings = tuple(("Error", "Success") if is_failing(number) else ("Success",) for number in range(tasks))
    reruns = sum(len(each) - 1 for each in endings)
    return endings, {"jobs/run": tasks, "runs/retry": reruns}


# --- What happened


@dataclass(frozen=True)
class Past:
    """What the platform remembers.

    :param endings: the statuses of each job's runs, in order; jobs in the order of the tasks
    :param posts: how often was posted what
    :param connections: over which its requests came
    :param run_seconds: of all dbt runs together
    :param busiest: most requests in one minute
    """

    endings: tuple[tuple[str, ...], ...]
    posts: Mapping[str, int]
    gets: int
    connections: int
    run_seconds: float
    busiest: int

    @property
    def runs(self) -> int:
        """How many dbt runs there were."""
        return sum(map(len, self.endings))


def past(dbt: LocalPlatform) -> Past:
    """Read what became of all jobs. The request log comes first: what is asked here is not the tasks' doing."""
    requests = dbt.control("GET", "requests")
    methods = Counter(request["method"] for request in requests)
    posts = Counter(kind(request["path"]) for request in requests if request["method"] == "POST")
    clients = {request["client"] for request in requests}
    endings: defaultdict[int, list[str]] = defaultdict(list)
    seconds = 0.0
    for run in all_runs(dbt):
        endings[run["job_definition_id"]].append(run["status_humanized"])
        seconds += seconds_between(run["started_at"], run["finished_at"])
    in_order = tuple(tuple(endings[job]) for job in dbt.jobs.values())
    minutes = Counter(float(request["at"]) // 60 for request in requests)
    return Past(in_order, posts, methods["GET"], len(clients), seconds, max(minutes.values(), default=0))


def all_runs(dbt: LocalPlatform, page: int = 100) -> Iterator[Json]:
    """List all runs of the account, the oldest first."""
    offset = 0
    while runs := dbt.get("runs/", order_by="id", limit=page, offset=offset):
        yield from runs
        offset += len(runs)


def seconds_between(start: str, end: str) -> float:
    """Subtract moments."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def kind(path: str) -> str:
    """Name a request without its ids: ``runs/retry``."""
    return re.sub(r"^.*/(jobs|runs)/\d+/(\w+)/$", r"\1/\2", path)
