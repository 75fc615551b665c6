"""Read what Airflow, the platform and the auditor have on record after a soak."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.audit import audit
from airflow_dbt_rerun.exceptions import DbtApiError
from benchmarks._soak.deeds import Deeds
from benchmarks._soak.judge import Ending
from benchmarks._soak.plan import Piece
from benchmarks._soak.stack import Stack
from tests.support import Json

RETURNED = "select dag_id, task_id, map_index, value from xcom where key = 'return_value'"


def read_endings(stack: Stack, deeds: Deeds) -> list[Ending]:
    """Read how each task ended; green ones are audited."""
    instances, runs = stack.instances(), runs_by_job(stack)
    returned = {(dag, task, index): value for dag, task, index, value in stack.database.rows(RETURNED)}
    platform, found = stack.dbt.now, []
    settings = Settings(platform.base_url, platform.account_id, stack.dbt.token, trust_env=False)
    with DbtClient(settings) as client:
        for piece in stack.pieces:
            state, tries = instances.get(piece.place, (None, 0))
            of_job = runs[platform.jobs[piece.node]]
            found.append(Ending(piece, state, tries, "", piece in deeds.marked, deeds.clears[piece], runs=of_job))
            if state == "success":
                found[-1].audit = audited(client, piece, returned.get(piece.place), of_job)
    return found


def audited(client: DbtClient, piece: Piece, returned: object, of_job: list[Json]) -> str:
    """Ask the auditor about the run that a green task returned."""
    if returned is None or int(str(returned)) not in [run["id"] for run in of_job]:
        return f"unknown: the task returned {returned!r}, which is no run of its job"
    try:
        of_run = of_job[0]["id"] if piece.is_sensor else None
        return str(audit(client, int(str(returned)), of_run=of_run).finding)
    except DbtApiError as error:
        return f"not readable: {error}"


def runs_by_job(stack: Stack) -> defaultdict[int, list[Json]]:
    """Read all runs with their causes, the oldest first."""
    found: defaultdict[int, list[Json]] = defaultdict(list)
    for run in all_runs(stack):
        found[run["job_definition_id"]].append(run)
    return found


def all_runs(stack: Stack, page: int = 100) -> Iterator[Json]:
    """List all runs of the account."""
    offset = 0
    while runs := stack.dbt.now.get(
        "runs/", order_by="id", limit=page, offset=offset, include_related='["trigger"]'
    ):
        yield from runs
        offset += len(runs)
