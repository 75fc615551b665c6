"""List the runs that failed last, for a person who has no id at hand. It costs one request."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from airflow_dbt_rerun.cli.request_lines import shown
from airflow_dbt_rerun.core.dbt.fields import one_line
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.diagnosis.one_line import clean

MOST = 10
"""Runs that are listed."""

DOCUMENT_VERSION = 1


def list_failed_runs(options: argparse.Namespace, *, then: str, machine: bool = False) -> None:
    """Print the runs of the connection's account that failed last, newest first.

    :param then: the command for which a person may want one of the ids.
    :param machine: whether to print a JSON document.
    :raises UnreadableError: if there is no connection, or the API does not return the list.
    """
    from airflow_dbt_rerun.cli.runs import RunSource  # noqa: PLC0415 - imports Airflow: a second or two

    with shown(wanted=options.verbose):
        runs = RunSource(options.conn_id, options.account_id).failed_runs(MOST)
    if machine:
        document = {"version": DOCUMENT_VERSION, "failed_runs": [_as_row(run) for run in runs]}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _lines(runs, then))


def _lines(runs: Sequence[Run], then: str) -> Iterator[str]:
    if not runs:
        yield "No run of this account has failed."
        return
    rows = [("run", "job", "ended", "dbt says"), *map(_cells, runs)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        yield "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
    yield ""
    yield f"airflow-dbt-rerun {then} {runs[0].id}"


def _cells(run: Run) -> tuple[str, str, str, str]:
    ended = (run.finished_at or run.created_at or "")[:16].replace("T", " ")
    return str(run.id), one_line(run.job_name or str(run.job_id), 40), ended, _cause(run)


def _cause(run: Run) -> str:
    """Return the platform's own words about a run, on one line: its steps and results are not read."""
    return clean(run.status_message) if run.status_message else run.status_name


def _as_row(run: Run) -> dict[str, Any]:
    return {
        "id": run.id,
        "job_id": run.job_id,
        "job_name": run.job_name,
        "finished_at": run.finished_at,
        "status_message": _cause(run),
        "url": run.href,
    }
