"""Web pages: the page of a run, which its ``href`` leads to, and the home page.

A browser has no token, so the pages need none; they show the steps of a run and their outcome, but no logs.
"""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.records import RunRecord, StepRecord
from airflow_dbt_rerun.local.server.envelope import not_found
from airflow_dbt_rerun.local.timestamps import elapsed, format_clock

_STYLE = "body{font-family:sans-serif;margin:2em}td{padding:.2em 1em .2em 0}"


def page_routes(platform: Platform) -> list[Route]:
    """Return the routes of the web pages."""

    async def home(_: Request) -> Response:
        jobs = "".join(f"<li>{escape(name)}: {job.id}" for name, job in platform.store.jobs_by_name().items())
        return _page("A dbt platform on this machine", f"<p>Its API is below /api/v2/. Jobs:<ul>{jobs}</ul>")

    async def run(request: Request) -> Response:
        try:
            found = platform.store.run(request.path_params["run_id"])
        except KeyError as error:
            raise not_found() from error
        return _run_page(found, platform.store.job(found.job_id).name, platform.store.steps(found.id))

    return [
        Route("/", home, methods=["GET"]),
        Route("/deploy/{account_id:int}/projects/{project_id:int}/runs/{run_id:int}", run, methods=["GET"]),
    ]


def _run_page(run: RunRecord, job: str, steps: list[StepRecord]) -> Response:
    rows = "".join(
        f"<tr><td>{step.index}<td>{escape(step.name)}<td>{_status(step.status)}"
        f"<td>{format_clock(elapsed(step.started_at, step.finished_at))}"
        for step in steps
    )
    parent = f" (a retry of {run.retrying_run_id})" if run.retrying_run_id else ""
    ended = f"{_status(run.status)} {escape(run.status_message or '')}"
    about = f"{ended}<br>{escape(run.cause)}{parent}<br>{run.created_at}"
    return _page(f"{escape(job)}: run {run.id}", f"<p>{about}<table>{rows}</table>")


def _page(title: str, body: str) -> Response:
    return HTMLResponse(f"<!DOCTYPE html><title>{title}</title><style>{_STYLE}</style><h1>{title}</h1>{body}")


def _status(status: int) -> str:
    return RunStatus(status).name.capitalize()
