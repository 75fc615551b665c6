"""Print opinions for a person on call: what failed, why, and what the policy would do about it.

Pages fit 80 columns and need no colours. In a pipe, lines are not wrapped, so that ``grep`` finds whole messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from airflow_dbt_rerun.cli.cases import Advice, Case, Opinion
from airflow_dbt_rerun.cli.grouping import Group, grouped
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.messages import and_more, counted
from airflow_dbt_rerun.core.policy.action_words import imperative
from airflow_dbt_rerun.core.policy.actions import RerunAction

MOST_ROWS = 10
"""Most rows of one category that are shown without ``--all``."""

NAMES_OF_A_GROUP = 3
"""Most names of nodes that failed alike that are shown without ``--all``."""

MEANING = {
    Category.TRANSIENT: "it can pass by itself; nothing has to change",
    Category.THROTTLED: "the warehouse refuses load; it needs time",
    Category.TIMED_OUT: "a time limit of the warehouse or the platform ended it",
    Category.TEST_FAILED: "the data is not what a test expects",
    Category.CODE: "the project or its data has to change",
    Category.ACCESS: "a right or a credential has to change",
    Category.RESOURCES: "more memory, disk or budget is needed",
    Category.CANCELLED: "a person stopped it",
    Category.UNKNOWN: "the message is unknown or ambiguous",
}
"""What would have to change, for each category."""

_UNBROKEN = 10_000
_WIDE = 120
"""Columns from which on "what failed" and "why" are side by side."""


def console() -> Console:
    """Return a console that wraps lines only on a terminal."""
    from_terminal = Console(highlight=False, markup=False, emoji=False, soft_wrap=False)
    if from_terminal.is_terminal:
        return from_terminal
    return Console(highlight=False, markup=False, emoji=False, width=_UNBROKEN)


def show(opinion: Opinion, page: Console, *, policy: str, complete: bool) -> None:
    """Print one opinion.

    :param policy: the policy's name, for the sentence about what it would do.
    :param complete: show every finding, however many there are.
    """
    _show_header(opinion.case, page)
    if opinion.diagnosis is None or opinion.advice is None:
        page.print()
        page.print(opinion.case.nothing or "")
        return
    page.print()
    _show_findings(opinion.diagnosis, page, complete=complete)
    page.print()
    page.print(_verdict(opinion.diagnosis))
    for line in _advice(opinion.advice, policy):
        page.print(line)
    if not opinion.case.is_file:  # the title names the file
        page.print(Text(f"Evidence: {opinion.diagnosis.evidence}", style="dim"))


# --- What was read


def _show_header(case: Case, page: Console) -> None:
    page.print(Text(_title(case), style="bold"))
    for line in _subtitles(case):
        page.print(Text(line, style="dim"))


def _title(case: Case) -> str:
    if case.is_file:
        return "standard input" if case.source == "-" else case.source
    run = case.seen.run
    name = f"{case.job.name} (job {run.job_id})" if case.job and case.job.name else f"job {run.job_id}"
    return f"dbt run {run.id} of {name}: {run.status_name}"


def _subtitles(case: Case) -> Iterator[str]:
    run = case.seen.run
    step = run.stopping_step
    version = f"dbt {run.dbt_version}" if run.dbt_version else ""
    if case.is_file:
        about = (
            step.command if step else "",
            version,
            f"written {_moment(case.written_at)}" if case.written_at else "",
        )
    else:
        stopped = f"stopped by step {step.index}: {step.title}" if step else ""
        about = (stopped, version, f"ended {_moment(run.finished_at)}" if run.finished_at else "")
    yield from [", ".join(part for part in about if part)] if any(about) else []
    yield from [run.href] if run.href else []


def _moment(timestamp: str) -> str:
    """Format one of dbt's timestamps in UTC, to the second."""
    with suppress(ValueError):
        moment = datetime.fromisoformat(timestamp)
        return f"{moment.astimezone(UTC) if moment.tzinfo else moment:%Y-%m-%d %H:%M:%S} UTC"
    return timestamp


# --- What failed


def _show_findings(diagnosis: Diagnosis, page: Console, *, complete: bool) -> None:
    table = _bare_table()
    table.add_column("category", no_wrap=True)
    if _is_wide(page):
        table.add_column("what failed", overflow="fold")
    table.add_column("why" if _is_wide(page) else "what failed, and why", overflow="fold")
    for groups in grouped(diagnosis.findings).values():
        shown = groups if complete else groups[:MOST_ROWS]
        for group in shown:
            table.add_row(_category(group.category), *_cells(group, page, complete=complete))
        if left := sum(len(group.findings) for group in groups[len(shown) :]):
            table.add_row(_category(groups[0].category), f"{and_more(left)}; --all shows them")
    _print_table(table, page)
    if diagnosis.skipped:
        page.print(f"{counted(len(diagnosis.skipped), 'downstream node')} skipped")


def _cells(group: Group, page: Console, *, complete: bool) -> Iterator[Text]:
    """Yield what failed and why, as two cells if the page is wide, else as one."""
    first, alone = group.first, len(group.findings) == 1
    path = f" ({first.path})" if alone and first.path else ""
    known = f" (known as: {first.signature})" if first.signature else ""
    what = Text.assemble(group.names(None if complete else NAMES_OF_A_GROUP), (path, "dim"))
    why = Text.assemble(first.message, (known, "dim"))
    yield from (what, why) if _is_wide(page) else (Text.assemble(what, "\n", why),)


def _is_wide(page: Console) -> bool:
    return page.width >= _WIDE


def _bare_table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")


def _print_table(table: Table, page: Console) -> None:
    """Print a table without trailing blanks."""
    with page.capture() as captured:
        page.print(table)
    for line in captured.get().splitlines():
        page.file.write(line.rstrip() + "\n")


def _category(category: Category) -> Text:
    return Text(str(category), style=colour(category))


def colour(category: Category) -> str:
    """Return green for what can heal, red for what cannot, yellow for unknown."""
    if category is Category.UNKNOWN:
        return "yellow"
    return "green" if category.healable else "red"


# --- What follows


def _verdict(diagnosis: Diagnosis) -> Text:
    verdict = diagnosis.verdict
    return Text.assemble("Verdict: ", (str(verdict), f"bold {colour(verdict)}"), f" ({MEANING[verdict]})")


def _advice(advice: Advice, policy: str) -> Iterator[Text]:
    yield Text.assemble(f"{policy} would ", (_what(advice), "bold"), f", because {advice.reason}")
    if advice.why_not_wanted:
        yield Text(f"  not as the policy asked: {advice.why_not_wanted}")
    for name, value in advice.overrides.items():
        text = "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else value
        yield Text(f"  with {name}: {text}")


def _what(advice: Advice) -> str:
    if advice.action == RerunAction.FAIL:
        return "not rerun it again" if advice.exhausted else "not rerun it"
    if advice.action == "adopt":
        return "watch the newer run"
    after = f", after {advice.wait_seconds:.0f} s" if advice.wait_seconds else ""
    return imperative(RerunAction(advice.action)) + after


# --- Several failures at once


def show_decisions(found: Sequence[Opinion], page: Console) -> None:
    """Print what would be done about each of several failures, as a table if the page is wide."""
    table = _bare_table()
    table.add_column("failure", overflow="fold")
    for name in ("verdict", "decision", "because"):
        table.add_column(name, overflow="fold")
    for opinion in found:
        table.add_row(_title(opinion.case), *_decision(opinion))
    if _is_wide(page):
        _print_table(table, page)
        return
    for opinion in found:
        verdict, decision, because = _decision(opinion)
        page.print(Text(_title(opinion.case), style="bold"))
        parts = (verdict, ": ", decision, ", because ", because) if opinion.advice else (because,)
        page.print(Padding(Text.assemble(*parts), (0, 0, 0, 2), expand=False))


def _decision(opinion: Opinion) -> tuple[Text, str, str]:
    diagnosis, advice = opinion.diagnosis, opinion.advice
    if diagnosis is None or advice is None:
        return Text("-"), "-", opinion.case.nothing or ""
    return _category(diagnosis.verdict), _what(advice), advice.reason
