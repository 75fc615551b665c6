"""Whether the memory of long-lived processes is flat.

*Flat*: after the first third of a process's life, in which it imports what it needs, the median of its last third
is at most 5 % and 10 MB above the median of its second third.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from statistics import median

import psutil  # type: ignore[import-untyped]

EVERY = 10
"""Seconds between two samples."""

LEAST_SAMPLES = 9
"""Of a process that counts as long-lived."""

SHARE, MEGABYTES = 1.05, 10.0

Samples = defaultdict[tuple[str, int], list[float]]
"""The RSS in MB, by the component and the process."""


def weigh(components: Mapping[str, int], samples: Samples) -> None:
    """Add a sample of each component's processes.

    :param components: names, and the ids of their first processes
    """
    for name, pid in components.items():
        for process in family(pid):
            with suppress(psutil.NoSuchProcess):  # it was killed, or was a task
                samples[name, process.pid].append(process.memory_info().rss / 1e6)


def family(pid: int) -> list[psutil.Process]:
    """Return a process with all its descendants."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def growth(samples: list[float]) -> tuple[float, float] | None:
    """Give the medians of the second and of the last third in MB; None if the process did not live long."""
    if len(samples) < LEAST_SAMPLES:
        return None
    third = len(samples) // 3
    return median(samples[third : 2 * third]), median(samples[2 * third :])


def is_flat(before: float, after: float) -> bool:
    """Whether a process weighs as much as before, within the tolerance."""
    return after <= before * SHARE + MEGABYTES


def growing(samples: Mapping[tuple[str, int], list[float]]) -> list[str]:
    """Name the long-lived processes whose memory is not flat."""
    return [
        f"{name}, process {pid}: its RSS grew from {found[0]:.0f} to {found[1]:.0f} MB"
        for (name, pid), each in samples.items()
        if (found := growth(each)) and not is_flat(*found)
    ]
