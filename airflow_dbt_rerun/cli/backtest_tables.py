"""Print a backtest for a person: the totals of each policy, by job and by what the runs failed of."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from airflow_dbt_rerun.backtest.totals import Totals, by_job, by_kind
from airflow_dbt_rerun.backtest.tried import Backtest
from airflow_dbt_rerun.backtest.verdicts import Verdict
from airflow_dbt_rerun.backtest.words import headline, range_of, verdict_words
from airflow_dbt_rerun.cli.show import console
from airflow_dbt_rerun.core.messages import and_more

MOST_ROWS = 20
"""Most jobs and signatures that are shown; the document and the page have all."""

MOST_UNREADABLE = 3
"""Most runs that could not be read that are named; the document and the page have all."""


def show(backtest: Backtest, *, html: Path | None = None, page: Console | None = None) -> None:
    """Print a backtest, by default to standard output."""
    page = page or console()
    page.print(headline(backtest))
    _show_totals(backtest, page)
    for tried in backtest.tried:
        if len(backtest.tried) > 1:
            page.print(f"\n{tried.name}")
        _show_groups("job", by_job(tried.judged), page)
        _show_groups("failed of", by_kind(tried.judged), page)
    for run_id, why in list(backtest.past.unreadable.items())[:MOST_UNREADABLE]:
        page.print(f"\nnot read: run {run_id}: {why}")
    if len(backtest.past.unreadable) > MOST_UNREADABLE:
        page.print(and_more(len(backtest.past.unreadable) - MOST_UNREADABLE))
    if html:
        page.print(f"\nEach failure is on the page: {html}")


def _show_totals(backtest: Backtest, page: Console) -> None:
    """Print the totals, a column a policy."""
    table = Table("", *(tried.name for tried in backtest.tried), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for verdict in Verdict:
        table.add_row(verdict_words(verdict), *(str(tried.totals.verdicts[verdict]) for tried in backtest.tried))
    rows = {
        "  of these may have healed": [str(tried.totals.may_have_healed) for tried in backtest.tried],
        "pages avoided": [range_of(tried.totals.pages_avoided) for tried in backtest.tried],
        "hours earlier": [range_of(tried.totals.hours_earlier) for tried in backtest.tried],
        "reruns in vain": [str(tried.totals.vain_reruns) for tried in backtest.tried],
        "warehouse seconds in vain": [f"{tried.totals.vain_seconds:,.0f}" for tried in backtest.tried],
    }
    for name, cells in rows.items():
        table.add_row(name, *cells)
    page.print()
    page.print(table)


def _show_groups(title: str, groups: Mapping[str, Totals], page: Console) -> None:
    table = Table(title, "failures", *map(str, Verdict), box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for name, totals in list(groups.items())[:MOST_ROWS]:
        counts = (str(totals.verdicts[verdict] or "") for verdict in Verdict)
        table.add_row(name, str(totals.failures), *counts)
    page.print()
    page.print(table)
    if len(groups) > MOST_ROWS:
        page.print(and_more(len(groups) - MOST_ROWS))
