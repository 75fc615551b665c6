"""The connection of the project, as the API shows it: dbt's profile without whatever opens the warehouse."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.local.account import PROJECT_ID
from airflow_dbt_rerun.local.dbt.project_copy import ProjectError, default_output

_SHOWN = frozenset(
    {"account", "catalog", "database", "dbname", "host", "method", "path", "port", "project", "region"}
    | {"region_name", "schema", "server", "type"}
)
"""Fields of a profile that say where the warehouse is. Users, passwords and keys are not among them."""

_ENV_VAR = re.compile(
    r"""\{\{\s*env_var\(\s*'(?P<name>\w+)'\s*(?:,\s*'(?P<default>[^']*)')?\s*\)\s*(?:\|\s*as_number\s*)?\}\}"""
)


def project_connection(project: Path, account_id: int, own: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the connection of a project; None if its profile cannot be read.

    :param own: environment variables that the platform sets for dbt
    """
    try:
        name, output = default_output(project)
    except ProjectError:
        return None
    environment = {**os.environ, **own}
    details = {field: _rendered(value, environment) for field, value in output.items() if field in _SHOWN}
    unknown = (
        "adapter_version",
        "created_by_id",
        "created_by_service_token_id",
        "private_link_endpoint_id",
        "oauth_configuration_id",
    )
    return {
        "id": PROJECT_ID,
        "account_id": account_id,
        "project_id": PROJECT_ID,
        "name": name,
        "type": str(output.get("type") or ""),
        "state": 1,
        "details": details,
        **dict.fromkeys(unknown),
    }


def _rendered(value: Any, environment: Mapping[str, str]) -> Any:
    """Fill in ``env_var``, the only Jinja that profiles need; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    text = _ENV_VAR.sub(lambda found: environment.get(found["name"], found["default"] or ""), value)
    return int(text) if "as_number" in value and text.isdecimal() else text
