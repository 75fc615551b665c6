"""The truth about each failure, as ``history_truth.json`` holds it.

It comes from the world that the history was drawn from, never from a reading of messages: it is the yardstick for
whatever reads them. The schema, with all moments in ISO 8601:

- ``schema_version``: 1
- ``seed``, ``days``, ``from``, ``until``, ``jobs`` (how many), ``runs`` (how many)
- ``failures``: one object for each run that did not succeed, oldest first:

  - ``run_id``, ``job_id``, ``job_name``, ``status`` (20 Error, 30 Cancelled), ``created_at``, ``finished_at``
  - ``git_sha``: the commit that it ran, also where it failed before dbt could know it
  - ``step``: the index of the step that failed or was stopped
  - ``category``: the true category, one of the nine that a diagnosis names
  - ``signature_known``: false if the message is worded as nothing can be expected to know it
  - ``cause``: the row of ``causes.toml``
  - ``trouble``: the number of the hidden trouble; runs with the same number met the same one. With it
    ``trouble_began_at`` and ``trouble_ended_at``, which is null if only a commit ends it
  - ``nodes``: the nodes that truly failed: ``unique_id``, ``category``, ``signature_known``, ``cause``. Empty if
    the run did not come to its nodes, or was stopped
  - ``healable_at``: the moment from which an identical rerun, of the same commit and the same steps, would succeed;
    null if only another commit helps. Troubles that begin later are not foreseen
  - ``chronic``: whether it is one of the failures that this job meets on half of all nights
  - ``next``: what happened next in this job: ``kind`` (``scheduled``, ``person_from_failure``,
    ``person_from_start`` or ``nothing``), ``run_id``, ``status``, ``created_at`` and ``commit_between`` (whether it
    ran another commit); all but ``kind`` are null after ``nothing``

If a run met several troubles, ``category``, ``cause`` and ``trouble`` are those of the one that stopped it or, if
none did, of the one that lasts longest.
"""

from __future__ import annotations

from typing import Any

from airflow_dbt_rerun.local.history.causes import causes
from airflow_dbt_rerun.local.history.make_history import History
from airflow_dbt_rerun.local.history.runs import HistoricRun
from airflow_dbt_rerun.local.history.to_records import stamp

NOTHING = "nothing"
TRUTH_FILE = "history_truth.json"


def truth(history: History) -> dict[str, Any]:
    """Return the content of ``history_truth.json``."""
    return {
        "schema_version": 1,
        "seed": history.seed,
        "days": history.days,
        "from": stamp(history.period.begins),
        "until": stamp(history.period.ends),
        "jobs": len(history.jobs),
        "runs": len(history.runs),
        "failures": [_failure(history, run) for run in history.failures],
    }


def _failure(history: History, run: HistoricRun) -> dict[str, Any]:
    trouble = run.main_trouble
    assert run.commit is not None
    return {
        "run_id": run.id,
        "job_id": history.job_id(run.job),
        "job_name": run.job.name,
        "status": int(run.status),
        "created_at": stamp(run.created),
        "finished_at": stamp(run.finished),
        "git_sha": run.commit.sha,
        "step": len(run.steps),
        **_of_cause(trouble.cause.id),
        "trouble": trouble.number,
        "trouble_began_at": stamp(trouble.begins),
        "trouble_ended_at": _stamp_or_null(trouble.ends),
        "nodes": [{"unique_id": node, **_of_cause(cause)} for node, cause in run.failed_nodes.items()],
        "healable_at": _stamp_or_null(history.healable_at(run)),
        "chronic": trouble.chronic,
        "next": _next(run),
    }


def _of_cause(cause_id: str) -> dict[str, Any]:
    cause = causes()[cause_id]
    return {"category": cause.category, "signature_known": cause.known, "cause": cause.id}


def _next(run: HistoricRun) -> dict[str, Any]:
    after = run.following
    if after is None:
        return {"kind": NOTHING, "run_id": None, "status": None, "created_at": None, "commit_between": None}
    return {
        "kind": after.by,
        "run_id": after.id,
        "status": int(after.status),
        "created_at": stamp(after.created),
        "commit_between": after.commit != run.commit,
    }


def _stamp_or_null(moment: float | None) -> str | None:
    return None if moment is None else stamp(moment)
