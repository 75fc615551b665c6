"""The heals of the last days: one SELECT over the reports in XCom that the user may read."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.xcom import XComModel
from fastapi import APIRouter, HTTPException, Query, Request
from sqlalchemy import select

from airflow_dbt_rerun.links import XCOM_REPORT
from airflow_dbt_rerun.ui.statistics import Heal, statistics

router = APIRouter()

MOST_ROWS = 2_000
"""Most reports that one request reads, the newest first."""


@router.get("/api/heals")
def heals(
    request: Request, session: SessionDep, user: GetUserDep, days: Annotated[int, Query(ge=1, le=31)] = 7
) -> dict[str, Any]:
    """Return what became of the dbt runs of the last days, of the DAGs whose XComs the user may read."""
    since = datetime.now(UTC) - timedelta(days=days)
    # Not by the dependency that Airflow's own routes have: it looks for the auth manager in the state of this app.
    allowed = get_auth_manager().get_authorized_dag_ids(user=user, method="GET")
    rows = list(_reports(session, allowed, since))
    readable = {dag_id for dag_id in {row.dag_id for row in rows} if _may_read_xcoms(request, user, dag_id)}
    told = statistics([row for row in rows if row.dag_id in readable])
    return {**told, "days": days, "cut_at": MOST_ROWS if len(rows) == MOST_ROWS else None}


def _reports(session: Any, dag_ids: Iterable[str], since: datetime) -> Iterable[Heal]:
    columns = (XComModel.dag_id, XComModel.run_id, XComModel.task_id, XComModel.map_index)
    query = (
        select(*columns, XComModel.timestamp, XComModel.value)
        .where(XComModel.key == XCOM_REPORT, XComModel.dag_id.in_(dag_ids), XComModel.timestamp >= since)
        .order_by(XComModel.timestamp.desc())
        .limit(MOST_ROWS)
    )
    return (Heal.from_row(row) for row in session.execute(query))


def _may_read_xcoms(request: Request, user: Any, dag_id: str) -> bool:
    try:
        requires_access_dag("GET", DagAccessEntity.XCOM, param_dag_id=dag_id)(request, user)
    except HTTPException:
        return False
    return True
