"""The ASGI application: all routes behind the token check, with fault injection around them if it is enabled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from airflow_dbt_rerun.local.faults.incidents import IncidentRoutes
from airflow_dbt_rerun.local.faults.requests import Faults, control_routes
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.lifecycle import RunLifecycle
from airflow_dbt_rerun.local.server.account_routes import AccountRoutes
from airflow_dbt_rerun.local.server.auth import AuthMiddleware
from airflow_dbt_rerun.local.server.envelope import NOT_FOUND, Refusal, error_response, refusal_response
from airflow_dbt_rerun.local.server.job_routes import JobRoutes
from airflow_dbt_rerun.local.server.pages import page_routes
from airflow_dbt_rerun.local.server.run_routes import RunRoutes

_ACCOUNT = "/api/v2/accounts/{account_id:int}"


def build(platform: Platform, lifecycle: RunLifecycle, *, with_faults: bool) -> ASGIApp:
    """Build the application. The control path is served only with faults."""
    routes = [
        *RunRoutes(platform, lifecycle).below(_ACCOUNT),
        *JobRoutes(platform, lifecycle).below(_ACCOUNT),
        *AccountRoutes(platform.account).below("/api/v2"),
        *AccountRoutes(platform.account).below("/api/v3"),
    ]
    routes += page_routes(platform)
    faults = Faults()
    if with_faults:
        routes += [*control_routes(platform, faults), *IncidentRoutes(platform, lifecycle).routes()]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        lifecycle.start()
        yield
        await lifecycle.close()

    handlers: dict[Any, Any] = {Refusal: refusal_response, HTTPException: _http_error, Exception: _server_error}
    app = AuthMiddleware(Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan), platform.account)
    return faults.wrap(app) if with_faults else app


async def _http_error(_: Request, error: HTTPException) -> Response:
    message = NOT_FOUND if error.status_code == 404 else error.detail  # noqa: PLR2004 - HTTP status
    return error_response(error.status_code, message)


async def _server_error(_: Request, error: Exception) -> Response:
    return error_response(500, f"The platform failed ({type(error).__name__}); its own log says why.")
