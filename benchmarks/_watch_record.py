"""Keep the figures of ``make bench-watch`` in a file, which the README and docs/performance.md are written from."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.watch import Figures

FILE = Path(__file__).parents[1] / "docs" / "figures" / "watch.json"
PEER = "apache-airflow-providers-dbt-cloud"


def record(
    both: Mapping[int, Mapping[str, Figures]],
    alone: Mapping[str, tuple[int, Figures]],
    least: Callable[[int], Mapping[str, float]],
    machine: str,
) -> None:
    """Write all figures.

    :param both: of each number of runs, the official trigger's and ours.
    :param alone: of each circumstance, the number of runs and ours.
    :param least: gives the limit of a number of runs.
    """
    document = {
        "command": "make bench-watch",
        "measured": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine,
        "peer": f"{PEER} {version(PEER)}",
        "both": {str(count): {kind: plain(each) for kind, each in kinds.items()} for count, kinds in both.items()},
        "ours": [
            {"what": what, "runs": count, **plain(each), "least": least(count)}
            for what, (count, each) in alone.items()
        ],
    }
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def plain(figures: Figures) -> dict[str, float]:
    """Return the figures as numbers; seconds, MB and bytes as they were measured."""
    return {
        "requests": figures.requests,
        "due": figures.due,
        "connections": figures.connections,
        "bytes": figures.bytes,
        "cpu": round(figures.cpu, 3),
        "memory": round(figures.memory, 2),
        "median": round(figures.delay(0.5), 2),
        "p99": round(figures.delay(0.99), 2),
        "max": round(figures.delay(1), 2),
        "stall": round(max(figures.held()), 3),
        "own_stall": round(max(figures.held(by_triggers=True)), 3),
        "missed": figures.missed,
    }
