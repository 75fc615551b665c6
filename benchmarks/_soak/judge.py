"""Judge a soak by what Airflow, the platform and the auditor have on record. Pure: what was read is passed in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks._soak.plan import RED, Piece
from tests.support import Json

MARKER = re.compile(r"^\[dbt-rerun (\w+)(?:>(\d+))?\]")
SUCCESS = 10
"""dbt's number for it."""


@dataclass
class Ending:
    """How a task ended.

    :param audit: what the auditor says of a green task's work; empty if it was not asked
    :param marked: whether a person marked it failed, and nobody cleared it afterwards
    :param clears: how often a person cleared it
    """

    piece: Piece
    state: str | None
    tries: int = 0
    audit: str = ""
    marked: bool = False
    clears: int = 0
    runs: Sequence[Json] = field(default_factory=list)
    """The dbt runs of its job, the oldest first."""


def problems(endings: Iterable[Ending]) -> list[str]:
    """Say what is wrong, a line for each."""
    return [f"{where(each)}: {wrong}" for each in endings for wrong in (*wrong_end(each), *started_twice(each))]


def where(ending: Ending) -> str:
    """Name a task as Airflow does, and its fate."""
    piece = ending.piece
    index = f"[{piece.map_index}]" if piece.map_index >= 0 else ""
    return f"{piece.dag_id}.{piece.task_id}{index} (job {piece.node}, {piece.fate})"


def wrong_end(ending: Ending) -> Iterator[str]:
    """Say why a task did not end rightly."""
    if ending.state == "success":
        if ending.audit != "done":
            yield f"green, but its work is {ending.audit or 'not known'}"
    elif ending.state != "failed":
        yield f"left {ending.state}"
    elif not ending.marked:
        yield from wrong_red(ending)
    if unfinished := [run["id"] for run in ending.runs if not run["is_complete"]]:
        yield f"dbt runs {unfinished} are still in progress"


def wrong_red(ending: Ending) -> Iterator[str]:
    """Say why a task that nobody marked should not have failed."""
    if ending.piece.fate not in RED:
        yield f"red after {ending.tries} tries, though a rerun could heal it"
    elif any(run["status"] == SUCCESS for run in ending.runs):
        yield "red, though one of its runs succeeded"


def started_twice(ending: Ending) -> Iterator[str]:
    """Say which pieces of work were started more than once, by the runs of the job."""
    for work, times in Counter(map(work_of, ending.runs)).items():
        if times > 1:
            yield f"started {times} times: {work}"
    roots = sum(work_of(run).startswith("first run") for run in ending.runs)
    if roots > 1 + ending.clears:
        yield f"begun {roots} times, but cleared {ending.clears} times"


def work_of(run: Json) -> str:
    """Name the piece of work that a run is for, by what it resumes, else by the marker in its cause."""
    if resumed := run.get("retrying_run_id"):
        return f"retry of run {resumed}"
    marker = MARKER.match((run.get("trigger") or {}).get("cause") or "")
    if marker is None:
        return "scheduled by dbt"
    return f"repair of run {marker[2]} for {marker[1]}" if marker[2] else f"first run for {marker[1]}"


def counts(endings: Sequence[Ending]) -> Mapping[str, int]:
    """Count the dbt runs by why they were started."""
    kinds = (work_of(run).split(" of ")[0].split(" for ")[0] for each in endings for run in each.runs)
    return Counter(kinds)
