"""How messages were judged that nobody had seen: the first score of each batch, and what is said of it now.

``python -m benchmarks.fresh``. The first scores are on record, since a batch can be scored for the first time only
once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.accuracy import figures, judged

FRESH = Path(__file__).parent.parent / "tests" / "data" / "fresh"

HEAD = """\
| batch | messages | exact | healable or not | permanent called healable | healable missed | now |
|---|---:|---:|---:|---:|---:|---:|
"""


def main() -> None:
    """Print the table."""
    print(table(), end="")


def table() -> str:
    """Return the first scores of all batches as a table, and beside them the exact share of today."""
    scores: Mapping[str, Mapping[str, int]] = json.loads((FRESH / "first_scores.json").read_text(encoding="utf-8"))
    return HEAD + "".join(row(name, score) for name, score in scores.items())


def row(name: str, score: Mapping[str, int]) -> str:
    """Return the row of one batch."""
    first = (
        f"{score['exact'] / score['messages']:.0%}",
        f"{score['healable_right'] / score['messages']:.0%}",
        f"{score['false_heals']} of {score['permanent']} ({score['false_heals'] / score['permanent']:.0%})",
        f"{score['missed']} of {score['healable']} ({score['missed'] / score['healable']:.0%})",
    )
    exact, _, _ = figures(judged(samples(name), adapter_known=True))
    return f"| {name.removeprefix('batch_')} | {score['messages']} | {' | '.join(first)} | {exact:.0%} |\n"


def samples(name: str) -> list[dict[str, Any]]:
    """Read the messages of a batch."""
    lines = (FRESH / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


if __name__ == "__main__":
    main()
