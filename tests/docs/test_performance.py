"""The figures of watching, in docs/performance.md and in the README, are those that ``make bench-watch`` wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "performance.md"
PAGE = FILE.read_text(encoding="utf-8")
README = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
WATCH: Mapping[str, Any] = json.loads((ROOT / "docs" / "figures" / "watch.json").read_text(encoding="utf-8"))

COLUMNS: Mapping[str, tuple[str, str]] = {
    "requests": ("requests", ",.0f"),
    "connections": ("connections", ",.0f"),
    "KB on the wire": ("kilobytes", ",.0f"),
    "CPU s": ("cpu", ".2f"),
    "memory growth, MB": ("memory", ".1f"),
    "delay, s: median": ("median", ".2f"),
    "p99": ("p99", ".2f"),
    "max": ("max", ".2f"),
    "longest stall, s": ("stall", ".2f"),
    "of it not collecting garbage": ("own_stall", ".2f"),
}
"""Of each column: the figure, and how it is shown."""

RATIOS = ("requests", "connections", "bytes", "cpu", "memory", "p99")


def line(cells: Iterator[str] | list[str]) -> str:
    """Return a row of a table."""
    return "| " + " | ".join(cells) + " |"


def table(heads: list[str], rows: Iterator[str], *, texts: int) -> str:
    """Return a table, of which the first columns are texts."""
    marks = "|".join("---" if number < texts else "---:" for number in range(len(heads)))
    return "\n".join([line(heads), f"|{marks}|", *rows])


def both() -> str:
    """What the official trigger and ours took."""

    def rows() -> Iterator[str]:
        for count, kinds in WATCH["both"].items():
            for kind, figures in kinds.items():
                given = {**figures, "kilobytes": figures["bytes"] / 1000}
                cells = [format(given[name], shown) for name, shown in COLUMNS.values()]
                yield line([f"{int(count):,}" if kind == "official" else "", kind, *cells])

    return table(["runs", "trigger", *COLUMNS], rows(), texts=2)


def share(ours: float, theirs: float) -> str:
    """Return what ours is of theirs."""
    if not theirs or not ours:
        return ""
    return f"{ours / theirs:.2f}" if ours * 2 > theirs else f"1/{theirs / ours:,.0f}"


def shares(count: str) -> dict[str, str]:
    """Return what ours is of the official one's, for some runs."""
    official, ours = WATCH["both"][count]["official"], WATCH["both"][count]["ours"]
    seen = [{**each, "memory": round(each["memory"], 1)} for each in (ours, official)]  # less than that is nothing
    return {name: share(*(each[name] for each in seen)) for name in RATIOS}


def ratios() -> str:
    """What ours took of what the official trigger took."""
    rows = (line([f"{int(count):,}", *shares(count).values()]) for count in WATCH["both"])
    return table(
        ["runs", "requests", "connections", "bytes", "CPU", "memory growth", "p99 of the delay"], rows, texts=1
    )


def least() -> str:
    """What ours took beside the least that it could take."""

    def rows() -> Iterator[str]:
        for each in WATCH["ours"]:
            limit = each["least"]
            cells = [
                f"{each['requests']:,}",
                f"{limit['requests']:,}",
                f"{each['requests'] / limit['requests']:.2f}",
            ]
            cells += [f"{each['bytes'] / 1000:,.0f}", f"{limit['bytes'] / 1000:,.0f}"]
            cells += [f"{each['bytes'] / limit['bytes']:.2f}", f"{each['cpu']:.2f}", f"{each['p99']:.2f}"]
            yield line([each["what"], *cells])

    heads = ["ours", "requests", "the least", "", "KB on the wire", "the least", "", "CPU s", "p99 of the delay, s"]
    return table(heads, rows(), texts=1)


TABLES: Mapping[str, Callable[[], str]] = {"both": both, "ratios": ratios, "least": least}


def place(name: str) -> re.Pattern[str]:
    """Return where a table stands: behind its comment."""
    return re.compile(rf"(?<=<!-- watch.json: {name} -->\n)(?:\|.*\n)*")


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_those_of_the_benchmark(name: str) -> None:
    """``python -m tests.docs.test_performance`` writes them."""
    found = place(name).search(PAGE)
    assert found is not None
    assert found[0] == TABLES[name]() + "\n"


def test_the_page_names_what_was_measured() -> None:
    """The machine, the peer and the day."""
    for part in ("machine", "peer", "measured"):
        assert WATCH[part] in PAGE.replace("`", "")


def test_the_readme_says_the_same() -> None:
    """The ratios with 1,000 runs."""
    found = shares("1000")
    assert (
        f"With 1,000 runs in one triggerer, this takes {found['requests']} of the official trigger's requests, "
        f"{found['bytes']} of its bytes and {found['cpu']} of its CPU time" in README
    )


if __name__ == "__main__":
    for name, made in TABLES.items():
        PAGE = place(name).sub(lambda _, made=made: made() + "\n", PAGE)  # type: ignore[misc]
    FILE.write_text(PAGE, encoding="utf-8")
