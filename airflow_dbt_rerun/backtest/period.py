"""Cut what is known of the past to a time, as if nothing had happened after it."""

from __future__ import annotations

from dataclasses import replace

from airflow_dbt_rerun.backtest.collected import Collected
from airflow_dbt_rerun.backtest.history import created_at, ended_at


def as_of(found: Collected, since: float, until: float) -> Collected:
    """Return what was known at a moment: the runs that had ended by then.

    :param since: epoch seconds; runs that were created before are left out.
    :param until: epoch seconds.
    """
    runs = tuple(
        run for run in found.runs if since <= created_at(run) and run.is_terminal and ended_at(run) <= until
    )
    ids = {run.id for run in runs}
    details = {run_id: each for run_id, each in found.details.items() if run_id in ids}
    unreadable = {run_id: why for run_id, why in found.unreadable.items() if run_id in ids}
    return replace(found, since=since, until=until, runs=runs, details=details, unreadable=unreadable)
