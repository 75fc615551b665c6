"""How often an error message is understood: said category against the one that a person gave it.

``python -m benchmarks.accuracy [FILE.jsonl ...] [--misses]``; more files can be named in the variable ``MESSAGES``,
separated like the folders of ``PATH``. Each line of a file: id, adapter, node_status, message, category.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.classify_message import classify

DATA = Path(__file__).parent.parent / "tests" / "data"
TUNED = DATA / "messages.jsonl"
HELD_OUT = DATA / "messages_held_out.jsonl"
ORIGIN = {
    TUNED: "the patterns were tuned on these: this shows what got worse, not how good they are on new messages",
    HELD_OUT: "held out: no pattern was written with these in view",
}

PERMANENT = (Category.CODE, Category.ACCESS, Category.RESOURCES, Category.TEST_FAILED, Category.CANCELLED)
"""What no rerun can heal. Unknown is neither."""

AIMS = "aims: healable or not >= 95 %, exact >= 90 %, permanent called healable <= 1 %"
WIDTH = max(map(len, Category)) + 1


@dataclass(frozen=True)
class Judged:
    """One message: what a person called it, and what was said."""

    sample: dict[str, Any]
    said: Category

    @property
    def label(self) -> Category:
        """The person's word."""
        return Category(self.sample["category"])

    @property
    def is_false_heal(self) -> bool:
        """Whether a permanent error was called healable: the worst that can happen."""
        return self.label in PERMANENT and self.said.healable


def main(arguments: Sequence[str] = ()) -> None:
    """Print the figures of each corpus, each for itself."""
    named = [Path(name) for name in arguments if not name.startswith("-")]
    named += [Path(name) for name in os.environ.get("MESSAGES", "").split(os.pathsep) if name]
    print(AIMS)
    for path in [path for path in (TUNED, HELD_OUT) if path.exists()] + named:
        show(path, with_misses="--misses" in arguments)


def show(path: Path, *, with_misses: bool = False) -> None:
    """Print the figures of one corpus."""
    samples = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    known, unknown = judged(samples, adapter_known=True), judged(samples, adapter_known=False)
    print(f"\n{path.name}: {len(samples)} messages ({ORIGIN.get(path, 'whether tuned on is not known here')})")
    print_table(known)
    print(f"{'adapter':12}{'messages':>9}{'exact':>16}{'healable or not':>18}{'permanent called healable':>28}")
    print_row("all", known, unknown)
    for adapter in sorted({name_of(each) for each in known}):
        print_row(adapter, *([each for each in found if name_of(each) == adapter] for found in (known, unknown)))
    print("each: adapter known / not known")
    if with_misses:
        print_misses("adapter known", known)
        print_misses("adapter not known", unknown)


def judged(samples: Iterable[dict[str, Any]], *, adapter_known: bool) -> list[Judged]:
    """Classify each message, as a diagnosis would."""
    return [
        Judged(
            sample,
            classify(
                sample["message"],
                adapter=sample["adapter"] if adapter_known else None,
                node_status=sample["node_status"],
            ),
        )
        for sample in samples
    ]


def name_of(each: Judged) -> str:
    """Name the adapter a message came from."""
    return each.sample["adapter"] or "none"


def print_row(title: str, known: Sequence[Judged], unknown: Sequence[Judged]) -> None:
    """Print the shares of exact and of heal-or-not right, and the false heals, for both ways of asking."""
    exact, heal, false = zip(figures(known), figures(unknown), strict=True)
    permanent = sum(each.label in PERMANENT for each in known)
    shares = " / ".join(f"{count / max(permanent, 1):.1%}" for count in false)
    print(
        f"{title:12}{len(known):>9}{' / '.join(f'{share:.1%}' for share in exact):>16}"
        f"{' / '.join(f'{share:.1%}' for share in heal):>18}"
        f"{f'{false[0]} / {false[1]} of {permanent} ({shares})':>28}"
    )


def figures(found: Sequence[Judged]) -> tuple[float, float, int]:
    """Give the shares of exact and of heal-or-not right, and the number of false heals."""
    exact = sum(each.said is each.label for each in found)
    heal = sum(each.said.healable is each.label.healable for each in found)
    return exact / max(len(found), 1), heal / max(len(found), 1), sum(each.is_false_heal for each in found)


def print_table(found: Sequence[Judged]) -> None:
    """Print the confusion table: a row for each label, a column for what was said."""
    pairs = Counter((each.label, each.said) for each in found)
    print(f"{'labelled':{WIDTH}}|" + "".join(f"{category:>{WIDTH}}" for category in Category) + "  <- said")
    for label in Category:
        cells = (pairs[label, said] for said in Category)
        print(f"{label:{WIDTH}}|" + "".join(f"{cell or '.':>{WIDTH}}" for cell in cells))


def print_misses(title: str, found: Sequence[Judged]) -> None:
    """Print each message that was misunderstood, the false heals first."""
    misses = sorted(
        (each for each in found if each.said is not each.label), key=lambda each: not each.is_false_heal
    )
    print(f"\nmisses, {title}: {len(misses)}")
    for each in misses:
        alarm = "FALSE HEAL " if each.is_false_heal else ""
        words = " ".join(each.sample["message"].split())
        print(f"  {alarm}{each.sample['id']}: {each.label}, said {each.said}: {words[:300]}")


if __name__ == "__main__":
    main(sys.argv[1:])
