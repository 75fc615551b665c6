"""Airflow's plugin of this package: a tab on each task, a page in the navigation, and the app that serves them.

The entry point ``airflow.plugins`` names it, since Airflow loads the plugins of a provider's description only if
``[core] lazy_discover_providers`` is off. Every Airflow process imports this module; only the API server asks for
what is listed here, so nothing is built before that. Airflow older than 3.1 gets an empty plugin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

from airflow_dbt_rerun._version import __version__
from airflow_dbt_rerun.links import HAS_PAGES, PAGES, page_path

OPERATORS = ("DbtCloudJobOperator", "DbtCloudRerunOperator", "DbtCloudJobSensor", "DbtCloudRunSensor")


class Lazily:
    """A class attribute whose value is made when it is first read.

    :param make: makes the value.
    """

    def __init__(self, make: Callable[[], list[Any]]) -> None:
        self._make = make
        self._made: list[Any] | None = None

    def __get__(self, instance: object, owner: type) -> list[Any]:
        if self._made is None:
            self._made = self._make() if HAS_PAGES else []
        return self._made


def _apps() -> list[dict[str, Any]]:
    from airflow_dbt_rerun.ui.app import build_app  # noqa: PLC0415 - needs FastAPI and Airflow's API server

    return [{"app": build_app(), "url_prefix": PAGES, "name": "dbt heals"}]


def _views() -> list[dict[str, Any]]:
    return [
        {
            "name": "dbt heal",
            "bundle_url": static_path("task_tab.js"),
            "destination": "task_instance",
            "url_route": "dbt-heal",
            "applies_to": {"operator_name": list(OPERATORS)},  # Airflow 3.4; older ones show it on every task
        },
        {
            "name": "dbt heals",
            "bundle_url": static_path("heals_tab.js"),
            "destination": "nav",
            "category": "browse",
            "url_route": "dbt-heals",
        },
    ]


def static_path(name: str) -> str:
    """Return the path of a static file. It has the version in it, since browsers keep what they have loaded."""
    return page_path(f"/static/{__version__}/{name}")


class DbtRerunPlugin(AirflowPlugin):
    """What this package adds to Airflow's UI."""

    name = "dbt_rerun"
    fastapi_apps = Lazily(_apps)
    react_apps = Lazily(_views)
