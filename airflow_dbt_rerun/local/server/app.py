"""The ASGI application: every route, behind the gate, and faults around it where they are allowed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from airflow_dbt_rerun.local.faults.incidents import mishap_routes
from airflow_dbt_rerun.local.faults.requests import Faults, control_routes
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.lifecycle import Engine
from airflow_dbt_rerun.local.server.account_routes import PlaceRoutes
from airflow_dbt_rerun.local.server.auth import Gate
from airflow_dbt_rerun.local.server.envelope import NOT_FOUND, Refusal, failure, refused
from airflow_dbt_rerun.local.server.job_routes import JobRoutes
from airflow_dbt_rerun.local.server.pages import page_routes
from airflow_dbt_rerun.local.server.run_routes import RunRoutes

_ACCOUNT = "/api/v2/accounts/{account_id:int}"


def build(platform: Platform, engine: Engine, *, with_faults: bool) -> ASGIApp:
    """Put the application together. The control path exists only with faults."""
    routes = [
        *RunRoutes(platform, engine).below(_ACCOUNT),
        *JobRoutes(platform, engine).below(_ACCOUNT),
        *PlaceRoutes(platform.account).below("/api/v2"),
        *PlaceRoutes(platform.account).below("/api/v3"),
    ]
    routes += page_routes(platform)
    faults = Faults()
    if with_faults:
        routes += [*control_routes(platform, faults), *mishap_routes(platform, engine)]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        engine.start()
        yield
        await engine.close()

    handlers: dict[Any, Any] = {Refusal: refused, HTTPException: _http_error, Exception: _server_error}
    app = Gate(Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan), platform.account)
    return faults.around(app) if with_faults else app


async def _http_error(_: Request, error: HTTPException) -> Response:
    message = NOT_FOUND if error.status_code == 404 else error.detail  # noqa: PLR2004 - not found
    return failure(error.status_code, message)


async def _server_error(_: Request, error: Exception) -> Response:
    return failure(500, f"The platform failed: {error}")
