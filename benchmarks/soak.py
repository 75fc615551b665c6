"""The worst day, told as one story: tasks of all kinds on the whole stack, while everything goes wrong.

``make soak`` installs what it needs. The API fails in each way that is known, dbt fails, passes and does nothing,
workers and triggerers are killed, people mark and clear tasks, the token is rotated and the platform restarted.
At the end no task is believed: green ones are audited, red ones have to be explained, and the platform's runs are
counted. The schedule follows from the seed; which task it hits depends on the timing of the machine.
"""

from __future__ import annotations

import argparse
import heapq
import json
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

from benchmarks._services import missing
from benchmarks._soak import memory
from benchmarks._soak.deeds import Deeds
from benchmarks._soak.judge import Ending, counts, problems, work_of
from benchmarks._soak.plan import pieces
from benchmarks._soak.records import all_runs, read_endings
from benchmarks._soak.schedule import Event, schedule
from benchmarks._soak.stack import Stack, soak_stack

GRACE = 900
"""Seconds after the planned end; a task that is not over then is left over."""


def main() -> None:
    """Soak, judge, and print the figures.

    :raises SystemExit: with a line for everything that is wrong
    """
    options = read_options()
    if reason := missing():
        print(f"not run: {reason}")
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # all that was started is ended then, too
    with tempfile.TemporaryDirectory() as folder:
        found = soak(Path(folder), options)
    if found:
        sys.exit("\n".join(["", f"{len(found)} things are wrong:", *found]))
    print("nothing is wrong")


def read_options() -> argparse.Namespace:
    """Read the options after the benchmark's name."""
    parser = argparse.ArgumentParser("python -m benchmarks soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--tasks", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="where to put logs and a record of all runs if anything is wrong")
    return parser.parse_args(sys.argv[2:])


def soak(folder: Path, options: argparse.Namespace) -> list[str]:
    """Let it all happen; return what is wrong."""
    laid_down = pieces(options.tasks, dice_of(options.seed))
    waves = len({piece.wave for piece in laid_down})
    events = schedule(options.minutes, waves, dice_of(options.seed))
    samples: memory.Samples = memory.Samples(list)
    with soak_stack(folder, laid_down) as stack:
        deeds = Deeds(stack, dice_of(options.seed))
        seconds = follow(stack, deeds, events, samples, options.minutes * 60)
        calm(stack)
        endings = read_endings(stack, deeds)
        wrong = [*problems(endings), *memory.growing(samples)]
        if wrong and options.keep:
            keep(stack, endings, options.keep)
    for line in table(endings, deeds, samples, seconds):
        print(line)
    return wrong


def dice_of(seed: int) -> Random:
    """Throw what a seed says."""
    return Random(seed)  # noqa: S311 - a schedule, no secret


def follow(stack: Stack, deeds: Deeds, events: list[Event], samples: memory.Samples, length: float) -> float:
    """Do what the schedule says until all is over, or for too long; return the seconds."""
    began, weighed = time.monotonic(), 0.0
    while (now := time.monotonic() - began) < length + GRACE:
        while events and events[0].moment <= now:
            for event in deeds.do(heapq.heappop(events)):
                heapq.heappush(events, event)
        if now >= weighed:
            memory.weigh(components(stack), samples)
            weighed = now + memory.EVERY
            print_progress(stack, now)
        if not events and stack.is_over():
            break
        time.sleep(0.2)
    return now


def print_progress(stack: Stack, now: float) -> None:
    """Say once a minute how far it is."""
    if int(now) % 60 < memory.EVERY:
        states = Counter(str(state) for state, _ in stack.instances().values())
        print(f"{now:5.0f} s: {dict(states)}", flush=True)


def components(stack: Stack) -> dict[str, int]:
    """Name the long-lived processes."""
    found = {name: process.pid for name, process in stack.airflow.processes.items()}
    return {**found, "dbt platform": stack.dbt.now.process.pid}


def calm(stack: Stack) -> None:
    """End all faults, and wait a little for dbt runs that nobody waits for any more."""
    stack.dbt.now.control("DELETE", "faults")
    stack.dbt.now.behave(retry_runs="unfinished")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and any(not run["is_complete"] for run in all_runs(stack)):
        time.sleep(1)


def keep(stack: Stack, endings: Sequence[Ending], folder: Path) -> None:
    """Keep what explains a fault: the logs, and each task with its runs."""
    shutil.copytree(stack.home, folder / "airflow", dirs_exist_ok=True, ignore_dangling_symlinks=True)
    record = [
        {"task": each.piece.place, "fate": each.piece.fate, "state": each.state, "runs": each.runs}
        for each in endings
    ]
    (folder / "tasks.json").write_text(json.dumps(record, indent=1))


def table(endings: Sequence[Ending], deeds: Deeds, samples: memory.Samples, seconds: float) -> Iterator[str]:
    """Give a line for each figure."""
    yield f"{'tasks':52}{len(endings):>8}"
    for state, number in sorted(Counter(str(each.state) for each in endings).items()):
        yield f"{'  ' + state:52}{number:>8}"
    yield f"{'  green and audited as done':52}{sum(each.audit == 'done' for each in endings):>8}"
    yield f"{'  red as laid down':52}{sum(each.state == 'failed' and not each.marked for each in endings):>8}"
    yield f"{'  red as a person marked it':52}{sum(each.state == 'failed' and each.marked for each in endings):>8}"
    yield f"{'tries in all':52}{sum(each.tries for each in endings):>8}"
    yield f"{'dbt runs':52}{sum(len(each.runs) for each in endings):>8}"
    for kind, number in sorted(counts(endings).items()):
        yield f"{'  ' + kind:52}{number:>8}"
    yield f"{'pieces of work started twice':52}{twice(endings):>8}"
    for what, times in sorted(deeds.done.items()):
        yield f"{what:52}{times:>8}"
    yield f"{'seconds':52}{seconds:>8.0f}"
    yield from memory_table(samples)


def twice(endings: Sequence[Ending]) -> int:
    """Count the runs that started a piece of work again."""
    return sum(len(each.runs) - len(set(map(work_of, each.runs))) for each in endings)


def memory_table(samples: memory.Samples) -> Iterator[str]:
    """Give a line for each component: how many processes were judged, and that which grew most."""
    for name in dict.fromkeys(name for name, _ in samples):
        found = [each for (of, _), some in samples.items() if of == name and (each := memory.growth(some))]
        if found:
            before, after = max(found, key=lambda each: each[1] - each[0])
            yield f"{f'RSS, MB: {name} ({len(found)} processes)':52}{f'{before:.0f} -> {after:.0f}':>16}"


if __name__ == "__main__":
    main()
