"""Fill a platform's state directory with a history, or find the one that it has.

In the state directory, ``history/project/`` is the project as it was when the history was made,
``history/plan.json`` says how the steps ended, and ``history_truth.json`` is the truth about each failure.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from airflow_dbt_rerun.local.dbt.paths import Folders
from airflow_dbt_rerun.local.dbt.project_copy import copy_project
from airflow_dbt_rerun.local.history.make_history import make_history
from airflow_dbt_rerun.local.history.plan import Plan, plan_of, read_plan, write_plan
from airflow_dbt_rerun.local.history.step_files import HistoricSteps
from airflow_dbt_rerun.local.history.to_records import job_records, run_records, step_records
from airflow_dbt_rerun.local.history.truth import TRUTH_FILE, truth
from airflow_dbt_rerun.local.options import HistoryOptions, InvalidOptionError
from airflow_dbt_rerun.local.runs.store import Store
from airflow_dbt_rerun.local.simulated.project import SimulatedProject

_KEPT, _PLAN = "history", "plan.json"


def set_up_history(
    options: HistoryOptions | None, project: Path, dbt_version: str, store: Store, folders: Folders
) -> HistoricSteps | None:
    """Make the history that was asked for, or find that of an earlier start; None if there is none.

    :raises InvalidOptionError: if the state directory holds something else
    """
    kept = folders.root / _KEPT
    if not (kept / _PLAN).exists():
        if options is None:
            return None
        _make(options, project, dbt_version, store, folders)
    plan = read_plan(kept / _PLAN)
    if options is not None:
        _check_same(options, plan)
    return HistoricSteps(plan, SimulatedProject(kept / "project"), store, folders)


def _make(options: HistoryOptions, project: Path, dbt_version: str, store: Store, folders: Folders) -> None:
    if not store.is_empty():
        raise InvalidOptionError(
            "--history: the state directory already holds jobs; name an empty one with --state-dir"
        )
    kept = folders.root / _KEPT
    head = copy_project(project, kept / "project", exclude=folders.root)
    history = make_history(
        project=kept / "project",
        until=options.until or datetime.now(UTC),
        days=options.days,
        jobs=options.jobs,
        seed=options.seed,
        head=head,
    )
    store.add_history(job_records(history), run_records(history, dbt_version), step_records(history))
    (folders.root / TRUTH_FILE).write_text(json.dumps(truth(history), indent=1))
    write_plan(plan_of(history), kept / _PLAN)


def _check_same(options: HistoryOptions, plan: Plan) -> None:
    """Check that a history that was made earlier is the one that is asked for, whenever it ended."""
    made = HistoryOptions(plan.days, plan.jobs, plan.seed)
    if replace(options, until=None) != made:
        raise InvalidOptionError(
            f"--history: the state directory holds another history: --history {made.days} "
            f"--history-jobs {made.jobs} --history-seed {made.seed}; name another one with --state-dir"
        )
