"""One page that can be handed to a colleague: a single file without scripts, that fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from airflow_dbt_rerun.backtest.failure_entry import entry
from airflow_dbt_rerun.backtest.plots import PERHAPS, over_time, parts, shares, until_gone
from airflow_dbt_rerun.backtest.totals import Totals, by_job, by_kind
from airflow_dbt_rerun.backtest.tried import Backtest, Tried
from airflow_dbt_rerun.backtest.verdicts import Verdict
from airflow_dbt_rerun.backtest.words import MAY_HAVE_HEALED, MEANING, PATIENCE, VERDICTS, headline, range_of, span
from airflow_dbt_rerun.core.messages import counted

_STYLE = Path(__file__).with_name("page.css")

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""What a browser may load for this page: nothing."""

_COLUMNS = ("failures", *map(str, Verdict), "may have healed", "hours earlier")


def page(backtest: Backtest) -> str:
    """Return the page as HTML."""
    first = backtest.tried[0]
    several = len(backtest.tried) > 1
    title = "What these policies would have done" if several else "What this policy would have done"
    body = [
        f"<h1>{title}</h1>",
        f'<p class="quiet">{escape(headline(backtest))}</p>',
        *(_tiles(tried, named=several) for tried in backtest.tried),
        _verdict_plot(backtest),
        _time_plots(backtest, first),
        *(_tables(tried, named=several) for tried in backtest.tried),
        _failures(backtest),
        _policies(backtest),
        _unreadable(backtest.past.unreadable),
    ]
    return _document(title, "\n".join(filter(None, body)))


def _document(title: str, body: str) -> str:
    style = _STYLE.read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _tiles(tried: Tried, *, named: bool) -> str:
    totals = tried.totals
    figures = {_class(verdict): (totals.verdicts[verdict], words) for verdict, words in VERDICTS.items()}
    otherwise = totals.verdicts[Verdict.NOT_KNOWN] - totals.may_have_healed
    figures = {
        _class(Verdict.HEALED): (totals.verdicts[Verdict.HEALED], "proven to heal"),
        PERHAPS: (totals.may_have_healed, "may have healed"),
        **{kind: figure for kind, figure in figures.items() if kind != _class(Verdict.HEALED)},
        _class(Verdict.NOT_KNOWN): (otherwise, "not known otherwise"),
    }
    tiles = [_tile(str(number), words, kind) for kind, (number, words) in figures.items()]
    tiles += [
        _tile(range_of(totals.pages_avoided), "pages avoided"),
        _tile(range_of(totals.hours_earlier), "hours earlier"),
        _tile(span(totals.vain_seconds), f"of the warehouse, for {counted(totals.vain_reruns, 'rerun')} in vain"),
    ]
    name = f"<h2>{escape(tried.name)}</h2>" if named else ""
    return f'{name}<div class="tiles">{"".join(tiles)}</div>'


def _tile(figure: str, words: str, kind: str = "") -> str:
    return f'<div class="tile {kind}"><b>{escape(figure)}</b><span>{escape(words)}</span></div>'


def _verdict_plot(backtest: Backtest) -> str:
    rows = {tried.name: parts(tried.judged) for tried in backtest.tried}
    meanings = "".join(f"<dt>{VERDICTS[verdict]}</dt><dd>{MEANING[verdict]}</dd>" for verdict in Verdict)
    return (
        f"<h2>Verdicts</h2><figure>{shares(rows)}{_legend()}</figure><p>{MAY_HAVE_HEALED}</p>"
        f"<details><summary>What the verdicts mean</summary><dl>{meanings}</dl></details>"
    )


def _legend() -> str:
    kinds = {_class(verdict): words for verdict, words in VERDICTS.items()}
    items = [f'<li><i class="b-{kind}"></i>{words}</li>' for kind, words in kinds.items()]
    items.insert(1, f'<li><i class="b-{PERHAPS}"></i>may have healed</li>')
    return f'<ul class="legend">{"".join(items)}</ul>'


def _time_plots(backtest: Backtest, first: Tried) -> str:
    past = backtest.past
    name = f" ({escape(first.name)})" if len(backtest.tried) > 1 else ""
    return (
        f"<h2>Over time{name}</h2><figure>{over_time(first.judged, past.since, past.until)}</figure>"
        "<h2>How long a policy would have to be patient</h2>"
        f"<p>{PATIENCE}</p>"
        f"<figure>{until_gone(backtest.failures)}</figure>"
    )


def _tables(tried: Tried, *, named: bool) -> str:
    name = f": {escape(tried.name)}" if named else ""
    return (
        f"<h2>By job{name}</h2>{_table('job', by_job(tried.judged))}"
        f"<h2>By what failed{name}</h2>{_table('known error', by_kind(tried.judged))}"
    )


def _table(title: str, groups: Mapping[str, Totals]) -> str:
    head = "".join(f'<th scope="col">{escape(each)}</th>' for each in (title, *_COLUMNS))
    rows = "".join(_row(name, totals) for name, totals in groups.items())
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _row(name: str, totals: Totals) -> str:
    cells = [str(totals.failures), *(str(totals.verdicts[verdict] or "") for verdict in Verdict)]
    hours = range_of(totals.hours_earlier)
    cells += [str(totals.may_have_healed or ""), "" if hours == "0" else hours]
    named = zip(_COLUMNS, cells, strict=True)
    shown = "".join(f'<td data-name="{head}">{cell}</td>' for head, cell in named)
    return f"<tr><td>{escape(name)}</td>{shown}</tr>"


def _failures(backtest: Backtest) -> str:
    entries = (
        entry(failure, [(tried.name, tried.judged[place]) for tried in backtest.tried])
        for place, failure in enumerate(backtest.failures)
    )
    return f"<h2>Each failure</h2>{''.join(reversed(list(entries)))}"


def _policies(backtest: Backtest) -> str:
    lists = "".join(f"<h3>{escape(tried.name)}</h3>{_lines(tried.policy.words())}" for tried in backtest.tried)
    made = datetime.fromtimestamp(backtest.past.until, UTC)
    return f'<h2>The policy in words</h2>{lists}<p class="quiet">As of {made:%Y-%m-%d %H:%M} UTC.</p>'


def _lines(lines: Sequence[str]) -> str:
    return f'<ul class="policy">{"".join(f"<li>{escape(line)}</li>" for line in lines)}</ul>'


def _unreadable(unreadable: Mapping[int, str]) -> str:
    if not unreadable:
        return ""
    lines = [f"run {run_id}: {why}" for run_id, why in unreadable.items()]
    return f"<h2>Runs that could not be read</h2>{_lines(lines)}"


def _class(verdict: Verdict) -> str:
    return str(verdict).replace(" ", "-")
