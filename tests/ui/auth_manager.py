"""Airflow's simple auth manager, with people whose rights end at one DAG, as roles of FAB can have it."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import AccessView
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

ONE_DAG = {"otto": "elsewhere", "nora": "nowhere"}


class AuthManager(SimpleAuthManager):
    """Let each person of ``ONE_DAG`` read that DAG only, and no plugins: so does FAB's role Viewer."""

    def is_authorized_dag(self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        """Return whether a person may do something with a DAG."""
        allowed = super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
        only = ONE_DAG.get(user.username)
        return allowed and (only is None or (details is not None and details.id in (only, None)))

    def is_authorized_view(self, *, access_view: AccessView, user: Any) -> bool:
        """Return whether a person may see a page of Airflow's UI."""
        hidden = user.username in ONE_DAG and access_view is AccessView.PLUGINS
        return not hidden and super().is_authorized_view(access_view=access_view, user=user)
