"""The buttons of a task's page: record what a person wants, and clear the task.

Nothing here talks to dbt, so the API server needs no credentials of it. The task's next try reads the wish and
carries it out by the same code as its own decisions (``airflow_dbt_rerun.operators.wishes``), so each run is once.
Wish and clear are one transaction: of two people who press at once, one clears, and the other is told who did.
"""

import json
import time
from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.api_fastapi.logging.decorators import action_logging
from airflow.configuration import conf
from airflow.models.dagbag import DBDagBag
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from fastapi import APIRouter, Depends, HTTPException, Path, Request
from pydantic import BaseModel
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm.exc import StaleDataError

from airflow_dbt_rerun.config.holding import why_paused
from airflow_dbt_rerun.core.heal.held import SHADOW
from airflow_dbt_rerun.links import XCOM_REPORT
from airflow_dbt_rerun.operators.wishes import GIVE_UP, KEY, RERUNS, wish_from

router = APIRouter()

WAITING = ("running", "deferred", "up_for_reschedule", "up_for_retry", "awaiting_input")
"""States of a task that waits for something: a person may end that."""
ENDED = ("failed", "skipped")
FAILED = ("Error", "Cancelled")
"""Statuses of a dbt run that can be rerun."""

PATH = "/api/wishes/{dag_id}/{run_id}/{task_id}/{map_index}"

_bag = DBDagBag()


class Target(BaseModel):
    """The task instance that an address names."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: Annotated[int, Path(ge=-1)]


class Asked(BaseModel):
    """What a person pressed, and which life of the task they saw."""

    action: Literal["rerun_from_failure", "rerun_from_start", "give_up"]
    seen: str


def target(dag_id: str, run_id: str, task_id: str, map_index: Annotated[int, Path(ge=-1)]) -> Target:
    """Return the task instance in the address."""
    return Target(dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)


def from_our_page(request: Request) -> None:
    """Refuse a request that a page of another site made the browser send.

    Airflow's cookie is not sent along with such a POST (SameSite=Lax); this check does not depend on it.

    :raises HTTPException: 403 or 415.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "Send JSON.")
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    own = {request.headers.get("host"), urlsplit(conf.get("api", "base_url", fallback="") or "").netloc}
    if site not in (None, "same-origin") or (origin is not None and urlsplit(origin).netloc not in own):
        raise HTTPException(403, "This request came from a page of another site.")


@router.get(PATH, dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.XCOM))])
def wishes(
    request: Request, session: SessionDep, user: GetUserDep, of: Annotated[Target, Depends(target)]
) -> dict[str, Any]:
    """Return what a person can do about a task now, and what was asked for."""
    row = _row(session, of)
    wish = _wish(session, of, row.max_tries)
    has_store = _store() is not None
    report = _report(session, of)
    held = _held(report)
    return {
        "seen": str(row.id),
        "wish": wish and {"action": wish.action, "run_id": wish.run_id, "by": wish.by, "at": wish.at},
        "has_store": has_store,
        "may_act": _may_act(request, user, of.dag_id),
        "actions": _possible(row.state, report, held) if has_store else [],
        "held": held if has_store and _possible(row.state, report, None) else None,
    }


@router.post(
    PATH,
    dependencies=[
        Depends(from_our_page),
        Depends(requires_access_dag("PUT", DagAccessEntity.TASK_INSTANCE)),
        Depends(action_logging("dbt_rerun_wish")),
    ],
)
def wish_for(
    session: SessionDep, user: GetUserDep, of: Annotated[Target, Depends(target)], asked: Asked
) -> dict[str, Any]:
    """Record what the person wants, and clear the task with those downstream of it."""
    if _store() is None:
        raise HTTPException(501, "This needs Airflow 3.3: older versions keep nothing of a task across a clear.")
    row = _row(session, of)
    if str(row.id) != asked.seen or not _claimed(session, row.id):
        raise HTTPException(409, _changed(session, of, _row(session, of)))
    report = _report(session, of)
    held = _held(report)
    if asked.action not in _possible(row.state, report, held):
        is_held = asked.action in _possible(row.state, report, None)
        raise HTTPException(409, held if is_held else _why_not(row.state, report))
    wish = {"action": asked.action, "run_id": report.get("job_run_id"), "by": user.get_name(), "at": time.time()}
    try:
        _clear(session, user, of)
        life = {"after_try": row.try_number, "max_tries": _row(session, of).max_tries, "state": row.state}
        _keep(session, of, {**wish, **life})
        session.commit()
    except (IntegrityError, StaleDataError) as error:  # Airflow itself has changed the row meanwhile
        session.rollback()
        raise HTTPException(409, _changed(session, of, _row(session, of))) from error
    return {"wish": wish}


def _why_not(state: str | None, report: Mapping[str, Any]) -> str:
    if state in WAITING and _is_asking(report):
        return "The task asks a person: answer in Required Actions."
    return f"The task is {state or 'about to start'}: that cannot be done now."


def _held(report: Mapping[str, Any]) -> str | None:
    """Return why no rerun may start, whoever asks: the task would be cleared, and fail at once.

    The task looks again, for its connection, too: a report does not name that.
    """
    if SHADOW in str(report.get("reason") or ""):
        return f"No rerun: {SHADOW}."
    job_id = report.get("job_id")
    paused = why_paused(job_id, "") if isinstance(job_id, int) else None
    return paused and f"No rerun: {paused}."


def _possible(state: str | None, report: Mapping[str, Any], held: str | None) -> list[str]:
    """Return what can be asked for: reruns once the newest dbt run has failed, an end while the task waits.

    While a question to a person is open, nothing: the answer decides.
    """
    attempts = report.get("attempts") or ()
    if not attempts or state not in (*WAITING, *ENDED) or (state in WAITING and _is_asking(report)):
        return []
    may_rerun = held is None and attempts[-1].get("status") in FAILED
    reruns = [str(action) for action in RERUNS] if may_rerun else []
    return [*reruns, *([GIVE_UP] if state in WAITING else [])]


def _is_asking(report: Mapping[str, Any]) -> bool:
    """Return whether a question to a person is open: its answer decides, and a clear would withdraw it."""
    return (report.get("now") or {}).get("doing") == "asking"


# --- Airflow's database


def _row(session: Any, of: Target) -> Any:
    columns = (TaskInstance.id, TaskInstance.state, TaskInstance.try_number, TaskInstance.max_tries)
    query = select(*columns).where(
        TaskInstance.dag_id == of.dag_id,
        TaskInstance.run_id == of.run_id,
        TaskInstance.task_id == of.task_id,
        TaskInstance.map_index == of.map_index,
    )
    row = session.execute(query).one_or_none()
    if row is None:
        raise HTTPException(404, "There is no such task instance.")
    return row


def _claimed(session: Any, instance_id: Any) -> bool:
    """Lock a task instance until the end of the request; false if it was cleared, which gives it another id.

    A write, since sqlite locks nothing for a SELECT: of two people who press at once, both would have been right.
    """
    write = update(TaskInstance).where(TaskInstance.id == instance_id).values(state=TaskInstance.state)
    done: int = session.execute(write.execution_options(synchronize_session=False)).rowcount
    return done == 1


def _report(session: Any, of: Target) -> Mapping[str, Any]:
    query = select(XComModel.value).where(
        XComModel.key == XCOM_REPORT,
        XComModel.dag_id == of.dag_id,
        XComModel.run_id == of.run_id,
        XComModel.task_id == of.task_id,
        XComModel.map_index == of.map_index,
    )
    value = session.scalar(query)
    return value if isinstance(value, Mapping) else {}


def _clear(session: Any, user: Any, of: Target) -> None:
    """Clear by the code of Airflow's own public API, as its UI does by default: with the tasks downstream."""
    from airflow.api_fastapi.core_api.datamodels.task_instances import ClearTaskInstancesBody  # noqa: PLC0415
    from airflow.api_fastapi.core_api.routes.public.task_instances import post_clear_task_instances  # noqa: PLC0415

    task = of.task_id if of.map_index < 0 else (of.task_id, of.map_index)
    body = ClearTaskInstancesBody(
        dry_run=False, task_ids=[task], dag_run_id=of.run_id, only_failed=False, include_downstream=True
    )
    post_clear_task_instances(dag_id=of.dag_id, dag_bag=_bag, body=body, session=session, user=user)
    session.flush()


def _store() -> Any:
    """Return Airflow's task state store; None on Airflow older than 3.3: there nothing survives a clear."""
    try:
        from airflow.state import get_state_backend  # noqa: PLC0415
    except ImportError:
        return None
    return get_state_backend()


def _scope(of: Target) -> Any:
    from airflow.state.metastore import TaskScope  # type: ignore[attr-defined]  # noqa: PLC0415

    return TaskScope(dag_id=of.dag_id, run_id=of.run_id, task_id=of.task_id, map_index=of.map_index)


def _keep(session: Any, of: Target, wish: Mapping[str, Any]) -> None:
    _store().set(_scope(of), KEY, json.dumps(wish), session=session)


def _wish(session: Any, of: Target, max_tries: int) -> Any:
    """Return the wish of the task's present life."""
    store = _store()
    if store is None:
        return None
    kept = json.loads(store.get(_scope(of), KEY, session=session) or "null")
    return wish_from(kept) if isinstance(kept, Mapping) and _is_recent(kept, max_tries) else None


def _is_recent(kept: Mapping[str, Any], max_tries: int) -> bool:
    """Return whether the task was not cleared again: that raises ``max_tries``, of a running task a bit later."""
    more = max_tries - int(kept.get("max_tries") or 0)
    return more == 0 or (kept.get("state") == "running" and 0 < more <= int(kept.get("after_try") or 0))


def _changed(session: Any, of: Target, row: Any) -> str:
    wish = _wish(session, of, row.max_tries)
    return f"{wish.words}." if wish else "The task was cleared or retried meanwhile: look again."


def _may_act(request: Request, user: Any, dag_id: str) -> bool:
    try:
        requires_access_dag("PUT", DagAccessEntity.TASK_INSTANCE, param_dag_id=dag_id)(request, user)
    except HTTPException:
        return False
    return True
