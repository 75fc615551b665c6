"""What it costs to watch many runs in one triggerer: the official trigger and ours, on the same runs.

Each is a process with one event loop in which all triggers run. Both speak TLS to the same server, a process of its
own. ``make bench-watch`` also draws the picture for the documentation.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks._watch_client import THRESHOLD, Stall
from benchmarks._watch_record import record
from benchmarks._watch_server import ACCOUNT, end_of, run
from tests.tls import certificate

COUNTS = (1, 100, 1000, 5000)
LATE = ("--latency", "0.1")
"""Answers take so many seconds more."""

ALONE: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("1,000 runs, answers 100 ms late", 1000, LATE),
    ("5,000 runs, answers 100 ms late", 5000, LATE),
    ("20,000 runs", 20_000, ()),
    ("20,000 runs, answers 100 ms late", 20_000, LATE),
    ("1,000 runs, `pk__in` ignored", 1000, ("--ignores-pk-in",)),
)
"""What only ours is measured with: for 20,000 runs the official trigger sends thousands of requests a second."""

TOLERATED = {"requests": 1.5, "bytes": 1.3}
"""What ours may be of the least that watching could take."""

INTERVAL = 5.0
SECONDS = 35.0
"""Within which the runs end."""

MOST_SECONDS = 400
ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "watching.png"
KINDS = ("official", "ours")
KEPT = 0.95
"""Part of the requests that are due from which on a trigger keeps its interval."""

MANY = 1000
"""Runs from which on the aims for many hold."""

TIMES = 3
"""How often many runs are watched: how many connections a burst takes, and so how much memory, is chance."""


@dataclass(frozen=True)
class Figures:
    """What it cost to watch some runs, and how soon the end of each was known.

    :param due: requests that a poll of each run at each interval takes: who sends fewer cannot keep up.
    :param bytes: on the wire, both ways, TLS handshakes included.
    :param cpu: seconds of the process that watches.
    :param memory: MB by which that process grew, at its peak.
    :param delays: seconds from the end of a run to its event, in order.
    :param missed: runs whose end was not told, or told wrongly.
    :param stalls: for how long the event loop was held up, and how much of that Python's garbage collector took.
    :param idle_collection: seconds of a full collection before the first run: what the imports alone cost it.
    """

    requests: int
    due: int
    connections: int
    bytes: int
    cpu: float
    memory: float
    delays: tuple[float, ...]
    missed: int
    stalls: tuple[Stall, ...]
    idle_collection: float

    @classmethod
    def of(cls, told: Mapping[str, Any], seconds: float, interval: float) -> Figures:
        """Read what the watching process and the server counted."""
        ends = [end_of(number, seconds) for number in range(len(told["moments"]))]
        counted = ("requests", "connections", "bytes", "cpu", "memory", "idle_collection")
        heard = [moment - end for moment, end in zip(told["moments"], ends, strict=True) if moment]
        return cls(
            **{name: told[name] for name in counted},
            due=sum(1 + math.ceil(end / interval) for end in ends),
            delays=tuple(sorted(heard)),
            missed=len(told["moments"]) - len(heard),
            stalls=tuple(map(tuple, told["stalls"])),
        )

    def delay(self, part: float) -> float:
        """Give the delay that this part of the runs did not exceed."""
        return self.delays[min(int(part * len(self.delays)), len(self.delays) - 1)] if self.delays else float("inf")

    def held(self, *, by_triggers: bool = False) -> list[float]:
        """Give the seconds of each stall: all, or but for the garbage collector's."""
        return [seconds - collecting * by_triggers for seconds, collecting in self.stalls]


def warnings(stalls: Iterable[float]) -> int:
    """Count how often a triggerer's watchdog would have warned: its sleep is the other half of its threshold."""
    return sum(stall > THRESHOLD / 2 for stall in stalls)


@dataclass(frozen=True)
class Row:
    """One figure in the table.

    :param aims: the most that ours may be of the official one's: for few runs, and for many.
    :param limit: the most that ours may be by itself.
    :param due: what the official one's should be, where it saves by not doing its work: aims are of that then.
    """

    title: str
    value: Callable[[Figures], float]
    shown: str = ",.0f"
    aims: tuple[float | None, float | None] = (None, None)
    limit: float | None = None
    due: Callable[[Figures], float] = lambda _: 0.0


ROWS = (
    Row("requests", lambda figures: figures.requests, aims=(1, 1 / 60), due=lambda figures: figures.due),
    Row("connections", lambda figures: figures.connections, aims=(1, None), limit=4),
    Row("KB on the wire", lambda figures: figures.bytes / 1000, aims=(1, None)),
    Row("CPU seconds", lambda figures: figures.cpu, ".2f", aims=(1, 1 / 60)),
    Row("memory growth, MB", lambda figures: figures.memory, ".1f", aims=(None, 1 / 4)),
    Row("detection delay, s: median", lambda figures: figures.delay(0.5), ".2f"),
    Row("  p99", lambda figures: figures.delay(0.99), ".2f", limit=INTERVAL + 0.5),
    Row("  max", lambda figures: figures.delay(1), ".2f"),
    Row("longest stall of the loop, s", lambda figures: max(figures.held()), ".2f"),
    Row("  but for garbage collection", lambda figures: max(figures.held(by_triggers=True)), ".2f"),
    Row("  one collection before all", lambda figures: figures.idle_collection, ".2f"),
    Row("warnings of the watchdog", lambda figures: warnings(figures.held())),
    Row("  but for garbage collection", lambda figures: warnings(figures.held(by_triggers=True)), limit=0),
    Row("ends not told", lambda figures: figures.missed, limit=0),
)


def main() -> None:
    """Print the figures for each number of runs, and draw them."""
    size = len(json.dumps(run(is_over=True))) / 1000
    print(f"runs of {size:.1f} KB that end within {SECONDS:.0f} s, polled every {INTERVAL:.0f} s, over TLS;")
    print("in brackets what ours is of the official trigger's. Requests and bytes are the server's count")
    print(f"machine: {machine()}")
    found: dict[int, dict[str, Figures]] = {}
    alone: dict[str, tuple[int, Figures]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for count in COUNTS:
            found[count] = {kind: measured(kind, count, Path(folder)) for kind in KINDS}
            print("\n".join([*table(count, found[count]), *beside_limit(count, found[count]["ours"])]), flush=True)
        alone |= {f"{count:,} runs": (count, found[count]["ours"]) for count in COUNTS if count >= MANY}
        for what, count, options in ALONE:
            alone[what] = count, measure("ours", count, Path(folder), *options)
            print(f"\nours, {what}: {words(*alone[what])}", flush=True)
    record(found, alone, least, machine())
    draw(found)


# --- The measurement


def measured(kind: str, count: int, folder: Path) -> Figures:
    """Watch runs, once or as often as it takes for figures that stand."""
    found = [measure(kind, count, folder) for _ in range(TIMES if count >= MANY else 1)]
    if len(found) > 1:
        growths = ", ".join(f"{each.memory:.1f}" for each in found)
        print(f"\nmemory growth of {kind} with {count:,} runs, each time: {growths} MB", end="", flush=True)
    return summed_up(found)


def summed_up(found: Sequence[Figures]) -> Figures:
    """Take the figures of the time with the middle CPU seconds, and the most memory: so much has to be there."""
    middle = sorted(found, key=lambda each: each.cpu)[len(found) // 2]
    return replace(middle, memory=max(each.memory for each in found))


def measure(
    kind: str, count: int, folder: Path, *options: str, seconds: float = SECONDS, interval: float = INTERVAL
) -> Figures:
    """Watch runs with one kind of trigger, in a process of its own.

    :param options: of the server.
    :param seconds: within which the runs end.
    :param interval: seconds between polls.
    """
    cert, key = map(str, certificate(folder))
    with server(cert, key, str(count), str(seconds), *options) as port:
        command = [sys.executable, "-m", "benchmarks._watch_client", kind, str(port), str(count), str(interval)]
        done = subprocess.run(
            command,
            env=environment(port, cert, folder),
            stdout=subprocess.PIPE,
            text=True,
            timeout=MOST_SECONDS,
            check=True,
        )
    return Figures.of(json.loads(done.stdout.splitlines()[-1]), seconds, interval)


@contextlib.contextmanager
def server(*arguments: str) -> Iterator[int]:
    """Serve for the length of a ``with`` block; give the port."""
    command = [sys.executable, "-m", "benchmarks._watch_server", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def environment(port: int, cert: str, folder: Path) -> dict[str, str]:
    """Return the settings of an Airflow that knows the connection; of the certificates each trigger reads one."""
    connection = {"conn_type": "dbt_cloud", "host": f"127.0.0.1:{port}", "login": str(ACCOUNT), "password": "token"}
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")},
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW_CONN_DBT_CLOUD_DEFAULT": json.dumps(connection),
        "REQUESTS_CA_BUNDLE": cert,
        "SSL_CERT_FILE": cert,
    }


def machine() -> str:
    """Say what this was measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB"


# --- The least that it could take


def least(count: int) -> dict[str, float]:
    """Return the limit: a request for each poll and each hundred ends, and each run on the wire once."""
    size = len(json.dumps(run(is_over=True)))
    return {"requests": math.ceil(SECONDS / INTERVAL) + math.ceil(count / 100), "bytes": count * size}


def words(count: int, ours: Figures) -> str:
    """Say what ours took, and what of the least that is."""
    limit = least(count)
    shares = (ours.requests / limit["requests"], ours.bytes / limit["bytes"])
    return (
        f"{ours.requests:,} requests ({shares[0]:.2f} of the limit), {ours.bytes / 1000:,.0f} KB ({shares[1]:.2f}),"
        f" {ours.cpu:.2f} CPU s, {ours.memory:.1f} MB, p99 of the delay {ours.delay(0.99):.2f} s,"
        f" {ours.missed} not told"
    )


def beside_limit(count: int, ours: Figures) -> Iterator[str]:
    """Give a line for each figure that has a limit, with the aim where the aims for many hold."""
    for (name, limit), value in zip(least(count).items(), (ours.requests, ours.bytes), strict=True):
        most = TOLERATED[name]
        aim = f"  aim: at most {most:g}{'' if value <= limit * most else ' - MISSED'}" if count >= MANY else ""
        yield f"the limit of {name:18}{limit:>12,.0f}{value:>12,.0f}  {f'({value / limit:.2f})':>9}{aim}"


# --- The table


def table(count: int, found: Mapping[str, Figures]) -> Iterator[str]:
    """Give a line for each figure: the official trigger's, ours, and the ratio."""
    yield f"\n{count:>7,} {'runs' if count > 1 else 'run':22}{KINDS[0]:>12}{KINDS[1]:>12}"
    official, ours = (found[kind] for kind in KINDS)
    for row in ROWS:
        yield line(row, official, ours, is_many=count >= MANY)
    if official.requests < official.due * KEPT:
        due = f"{official.requests:,} requests where {official.due:,} are due"
        yield f"the official trigger did not keep its interval: {due}, which the aim is of"


def line(row: Row, official: Figures, ours: Figures, *, is_many: bool) -> str:
    """Show one figure of both, their ratio where it says something, and the aim."""
    values = [row.value(figures) for figures in (official, ours)]
    shown = [f"{value:{row.shown}}" for value in values]
    is_something = all(float(value.replace(",", "")) for value in shown)
    share = ratio(*values) if is_something else ""
    text = f"{row.title:30}{shown[0]:>12}{shown[1]:>12}  {share:>9}"
    most = row.aims[is_many]
    goals = [goal for goal in (row.limit, most and max(values[0], row.due(official)) * most) if goal is not None]
    if not goals:
        return text
    words = " and ".join(aim_words(row.limit, most))
    return f"{text}  aim: at most {words}{'' if all(values[1] <= goal for goal in goals) else ' - MISSED'}"


def ratio(official: float, ours: float) -> str:
    """Say what ours is of the official one's."""
    return f"({ours / official:.2f})" if ours * 2 > official else f"(1/{official / ours:,.0f})"


def aim_words(limit: float | None, most: float | None) -> Sequence[str]:
    """Say what the most is that ours may be, by itself and of the official one's."""
    share = most and ("as much" if most == 1 else f"1/{1 / most:.0f}")
    return [words for words in (None if limit is None else f"{limit:g}", share) if words]


# --- The picture


def draw(found: Mapping[int, Mapping[str, Figures]]) -> None:
    """Draw the costs over the number of runs, where the library for it is installed."""
    try:
        from benchmarks._watch_picture import picture  # noqa: PLC0415 - matplotlib is not needed for the figures
    except ModuleNotFoundError as error:
        print(f"no picture: {error}")
        return
    costs = {row.title: row.value for row in ROWS[:2] + ROWS[3:5]}
    curves = {
        title: {kind: {count: value(both[kind]) for count, both in found.items()} for kind in KINDS}
        for title, value in costs.items()
    }
    picture(
        PICTURE, curves, f"Watching dbt runs until they end, polled every {INTERVAL:.0f} s: cost by number of runs"
    )
    print(f"picture: {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
