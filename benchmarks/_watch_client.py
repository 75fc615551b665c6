"""A triggerer's process, as small as it can be: one event loop in which many triggers run, and its watchdog."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import json
import logging
import os
import ssl
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from airflow.triggers.base import BaseTrigger

from benchmarks._watch_server import FIRST_RUN
from benchmarks.diagnosis import peak

CONNECTION = "dbt_cloud_default"
NAP, THRESHOLD = 0.1, 0.2
"""Seconds: the triggerer's watchdog sleeps the one, and warns when that took longer than the other."""

Stall = tuple[float, float]
"""Seconds for which the loop was held up, and of them those that the garbage collector took."""

PATIENCE = 300.0
"""Seconds after which what was not heard counts as never heard."""


def ours(run_id: int, interval: float) -> BaseTrigger:
    """Make our trigger, as our operator does."""
    from airflow_dbt_rerun.triggers.run import DbtCloudRunTrigger  # noqa: PLC0415 - only what is measured is imported

    return DbtCloudRunTrigger(dbt_cloud_conn_id=CONNECTION, run_id=run_id, check_interval=interval)


def official(run_id: int, interval: float) -> BaseTrigger:
    """Make the official trigger, as the official operator does."""
    from airflow.providers.dbt.cloud.triggers.dbt import DbtCloudRunJobTrigger  # noqa: PLC0415 - as above

    end = time.time() + 7 * 24 * 60 * 60
    return DbtCloudRunJobTrigger(
        conn_id=CONNECTION, run_id=run_id, end_time=end, poll_interval=interval, account_id=None
    )


TRIGGERS: dict[str, Callable[[int, float], BaseTrigger]] = {"ours": ours, "official": official}
GOOD = {"ours": ("outcome", "over"), "official": ("status", "success")}


def main(kind: str, port: int, count: int, interval: float) -> None:
    """Print what it cost to watch so many runs, and when the end of each was heard, as JSON."""
    # The official trigger writes a line per run and poll, and a triggerer passes each on: left out, in its favour.
    logging.disable(logging.INFO)
    # A triggerer imports once: each kind has seen a run that is over before anything is counted.
    asyncio.run(listen(kind, [FIRST_RUN], 0.01))
    control = http.client.HTTPSConnection("127.0.0.1", port, context=trusting())
    began = ask(control, "/begin")
    idle = collect()
    forget_peak()
    memory, cpu = peak(), time.process_time()
    heard, stalls = asyncio.run(listen(kind, range(FIRST_RUN, FIRST_RUN + count), interval))
    cost = {"cpu": time.process_time() - cpu, "memory": peak() - memory, "idle_collection": idle}
    moments = [moment - began if is_right else None for is_right, moment in heard]
    print(json.dumps({**ask(control, "/traffic"), **cost, "moments": moments, "stalls": stalls}))


async def listen(
    kind: str, run_ids: Iterable[int], interval: float
) -> tuple[list[tuple[bool, float]], list[Stall]]:
    """Run a trigger for each run, all at once; tell what each said when, and how long the loop was held up."""
    stalls: list[Stall] = []
    watchdog = asyncio.create_task(watch_loop(stalls))
    running = []
    for run_id in run_ids:
        await asyncio.sleep(0)  # a triggerer, too, lets others go on before it makes the next
        running.append(asyncio.create_task(one(kind, run_id, interval)))
    heard = await asyncio.gather(*running)
    watchdog.cancel()
    return heard, stalls


async def one(kind: str, run_id: int, interval: float) -> tuple[bool, float]:
    """Run one trigger to its event; tell whether it says that the run is over, and when it came."""
    name, good = GOOD[kind]
    payload: dict[str, Any] = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            async for event in TRIGGERS[kind](run_id, interval).run():
                payload = event.payload
    return payload.get(name) == good, time.time()


async def watch_loop(stalls: list[Stall]) -> None:
    """Note how much longer than it should each short sleep took, as the triggerer's watchdog does."""
    with Collector() as collector:
        while True:
            before, collected = time.monotonic(), collector.seconds
            await asyncio.sleep(NAP)
            stalls.append((time.monotonic() - before - NAP, collector.seconds - collected))


class Collector:
    """Counts the seconds that Python's garbage collector takes, for the length of a ``with`` block."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._began = 0.0

    def __enter__(self) -> Self:
        gc.callbacks.append(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        gc.callbacks.remove(self._note)

    def _note(self, phase: str, _: object) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.seconds += time.perf_counter() - self._began


def ask(control: http.client.HTTPSConnection, path: str) -> Any:
    """Talk to the server about the measurement."""
    control.request("GET", path)
    return json.loads(control.getresponse().read())


def trusting() -> ssl.SSLContext:
    """Trust the server's certificate."""
    return ssl.create_default_context(cafile=os.environ["SSL_CERT_FILE"])


def collect() -> float:
    """Collect garbage; give the seconds that takes where nothing but imported modules is there to look through."""
    gc.collect()
    before = time.perf_counter()
    gc.collect()
    return time.perf_counter() - before


def forget_peak() -> None:
    """Let the peak of memory start anew: an import had a peak of its own."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
