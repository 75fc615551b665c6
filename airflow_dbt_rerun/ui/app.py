"""The app of our pages, which Airflow's API server mounts. It reads Airflow's database and never talks to dbt.

Static files and the empty pages are open to everyone, since there are no data in them. Each endpoint with data asks
Airflow's own permission for the DAG that it is about.
"""

# No "from __future__ import annotations" in modules with endpoints: FastAPI reads their annotations when they run.
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from airflow_dbt_rerun._version import __version__
from airflow_dbt_rerun.ui import heals, pages, wishes

STATIC = Path(__file__).with_name("static")


def build_app() -> FastAPI:
    """Return the app, without FastAPI's own pages about it: those would be open to everyone."""
    app = FastAPI(title="dbt heals", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(pages.router)
    app.include_router(heals.router)
    app.include_router(wishes.router)
    app.mount(f"/static/{__version__}", StaticFiles(directory=STATIC), name="static")
    return app
