"""The plots of the page, as SVG text. Colours are the page's: each shape has the class of its verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape

from airflow_dbt_rerun.backtest.aftermath import Tells
from airflow_dbt_rerun.backtest.failures import PastFailure
from airflow_dbt_rerun.backtest.history import began_at
from airflow_dbt_rerun.backtest.verdicts import Judged, Verdict
from airflow_dbt_rerun.backtest.words import VERDICTS

WIDTH = 640
"""Units of a plot's width; it is scaled to the page, so that texts stay readable on a phone."""

PERHAPS = "perhaps"
_LEAST_LABELLED = 26
_MOST_BARS = 31


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a bar: how much, of which kind, and what a reader is told about it."""

    kind: str
    amount: int
    words: str


def parts(judged: Sequence[Judged]) -> list[Part]:
    """Count verdicts, those that may have healed apart."""
    counts = Counter(PERHAPS if each.may_have_healed else str(each.verdict) for each in judged)
    kinds = {str(Verdict.HEALED): VERDICTS[Verdict.HEALED], PERHAPS: "may have healed"}
    kinds |= {str(verdict): words for verdict, words in VERDICTS.items()}
    return [Part(kind, counts[kind], words) for kind, words in kinds.items() if counts[kind]]


def shares(rows: Mapping[str, Sequence[Part]]) -> str:
    """Draw one bar a row, from end to end, divided by the parts' shares."""
    height = 58
    drawn = "".join(_share(name, row, place * height) for place, (name, row) in enumerate(rows.items()))
    return _svg(drawn, len(rows) * height, "The verdicts' shares")


def _share(name: str, row: Sequence[Part], top: float) -> str:
    total, left, drawn = sum(part.amount for part in row) or 1, 0.0, [_text(0, top + 14, name)]
    for part in row:
        width = WIDTH * part.amount / total
        drawn.append(_bar(left, top + 22, width, 26, part))
        if width >= _LEAST_LABELLED:
            drawn.append(_text(left + 6, top + 40, str(part.amount), style="fill:var(--ground);font-weight:600"))
        left += width
    return "".join(drawn)


def over_time(judged: Sequence[Judged], since: float, until: float) -> str:
    """Draw the failures of each day, or of several days together, stacked by verdict."""
    days = max(int((until - since) / 86400) + 1, 1)
    step = -(-days // _MOST_BARS)
    begin = datetime.fromtimestamp(since, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    columns: list[list[Judged]] = [[] for _ in range(-(-(days + 1) // step))]
    for each in judged:
        day = (datetime.fromtimestamp(each.failure.ended, UTC) - begin).days
        columns[min(max(day // step, 0), len(columns) - 1)].append(each)
    names = [f"{begin + timedelta(days=place * step):%d %b}" for place in range(len(columns))]
    of = "a day" if step == 1 else f"in {step} days"
    return columns_of([parts(column) for column in columns], names, f"Failures {of}")


def until_gone(failures: Sequence[PastFailure]) -> str:
    """Draw after what time the cause of each failure was first seen to be gone."""
    counts = Counter(_bucket(failure) for failure in failures)
    columns = [
        [Part(PERHAPS if name in _BUCKETS else "not-known", counts[name], name)] if counts[name] else []
        for name in (*_BUCKETS, NEVER_SEEN)
    ]
    return columns_of(columns, [*_BUCKETS, NEVER_SEEN], "Failures by the time until the cause was seen to be gone")


_MINUTES = {"5 min": 5, "15 min": 15, "1 h": 60, "2 h": 120, "6 h": 360, "1 day": 1440}
_BUCKETS = {**{name: minutes * 60.0 for name, minutes in _MINUTES.items()}, "later": float("inf")}
NEVER_SEEN = "never seen"


def _bucket(failure: PastFailure) -> str:
    gone = next((each for each in failure.later if each.tells is Tells.GONE), None)
    if gone is None:
        return NEVER_SEEN
    seconds = began_at(gone.run) - failure.ended
    return next(name for name, limit in _BUCKETS.items() if seconds <= limit)


def columns_of(columns: Sequence[Sequence[Part]], names: Sequence[str], title: str) -> str:
    """Draw stacked columns with an axis that counts."""
    height, bottom, left = 190, 162.0, 34.0
    highest = max((sum(part.amount for part in column) for column in columns), default=0) or 1
    wide = (WIDTH - left) / max(len(columns), 1)
    every = -(-len(names) // 8)
    drawn = [_grid(highest, bottom, left)]
    for place, (column, name) in enumerate(zip(columns, names, strict=True)):
        x = left + place * wide
        drawn += _stack(column, x + wide * 0.12, wide * 0.76, bottom, highest)
        if place % every == 0:
            drawn.append(_text(x + wide / 2, height - 8, name, style="text-anchor:middle"))
    return _svg("".join(drawn), height, title)


def _stack(column: Sequence[Part], x: float, width: float, bottom: float, highest: int) -> Iterator[str]:
    top = bottom
    for part in column:
        tall = (bottom - 12) * part.amount / highest
        top -= tall
        yield _bar(x, top, width, tall, part)


def _grid(highest: int, bottom: float, left: float) -> str:
    marks = sorted({0, highest} | ({highest // 2} if highest > 3 else set()))  # noqa: PLR2004 - room for a third
    drawn = []
    for mark in marks:
        y = bottom - (bottom - 12) * mark / highest
        drawn.append(f'<line class="axis" x1="{left:g}" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>')
        drawn.append(_text(left - 6, y + 4, str(mark), style="text-anchor:end"))
    return "".join(drawn)


def _bar(x: float, y: float, width: float, height: float, part: Part) -> str:
    kind = part.kind.replace(" ", "-")
    return (
        f'<rect class="f-{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(width - 0.8, 0.5):.1f}" height="{height:.1f}">'
        f"<title>{part.amount} {escape(part.words)}</title></rect>"
    )


def _text(x: float, y: float, text: str, *, style: str = "") -> str:
    styled = f' style="{style}"' if style else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{styled}>{escape(text)}</text>'


def _svg(drawn: str, height: float, title: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(title)}">{drawn}</svg>'
