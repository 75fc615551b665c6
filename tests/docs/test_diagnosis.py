"""What docs/diagnosis.md says is so."""

from __future__ import annotations

from pathlib import Path

from benchmarks.fresh import table

PAGE = Path(__file__).parents[2] / "docs" / "diagnosis.md"
START, END = "<!-- fresh -->\n", "<!-- end of fresh -->"


def written(page: str) -> str:
    """Put the table into the page."""
    before, _, rest = page.partition(START)
    return f"{before}{START}{table()}{END}{rest.partition(END)[2]}"


def test_the_first_scores_are_those_on_record() -> None:
    """After a new batch: ``python -m tests.docs.test_diagnosis`` writes the table anew."""
    assert PAGE.read_text(encoding="utf-8") == written(PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
