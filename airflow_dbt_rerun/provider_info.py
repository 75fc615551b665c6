"""Provider information for Airflow's entry point ``apache_airflow_provider``.

Every Airflow process reads it at its start, so this module holds data only and imports nothing else of the package.
"""

from __future__ import annotations

from typing import Any

from airflow_dbt_rerun._version import __version__

INTEGRATION = "dbt Cloud (rerun)"

CONFIG_SECTION = "dbt_rerun"
"""This package's section of Airflow's configuration."""

UI_FIELD_BEHAVIOUR: dict[str, Any] = {
    # Airflow 3 cannot test a connection whose port is hidden.
    "hidden-fields": ["schema"],
    "relabeling": {
        "host": "Access URL",
        "port": "Port (leave empty)",
        "login": "Account ID",
        "password": "API Token",
    },
    "placeholders": {
        "host": "abc12.us1.dbt.com, from dbt's account settings (empty: cloud.getdbt.com)",
        "port": "443",
        "login": "12345, the number after /deploy/ in dbt's address bar",
        "password": "a service token with the permission Job Admin",
        "extra": '{"proxies": {"https": "http://proxy:3128"}}',
    },
}
"""The connection form. Its fields are those of the official dbt Cloud connection, which works unchanged."""

CONFIG_OPTIONS: dict[str, dict[str, Any]] = {
    "signatures": {
        "description": (
            "Known errors of your own dbt jobs: a JSON or YAML list of {category, pattern, name, source}, or the\n"
            "absolute path of a file that holds one. They are tried after those given in code and in the Airflow\n"
            "Variable dbt_rerun_signatures, and before the built-in ones.\n"
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "/opt/airflow/config/dbt_rerun_signatures.yaml",
        "default": "",
    },
    "policy_mode": {
        "description": (
            "heal, or shadow: tasks without a policy_mode of their own then decide, log and report what their\n"
            "policy would do about a failure, start nothing, and end as they would without a policy.\n"
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "shadow",
        "default": "heal",
    },
    "pause": {
        "description": (
            "Stops new reruns at once, of tasks under way, too: all, or a JSON or YAML list of job ids and\n"
            "connection ids. The Airflow Variable dbt_rerun_pause does the same without a restart.\n"
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": '[48617, "dbt_cloud_default"]',
        "default": "",
    },
}
"""The options of that section."""


def get_provider_info() -> dict[str, Any]:
    """Return the description of this provider (Airflow's ``provider_info.schema.json``)."""
    return {
        "package-name": "airflow-provider-dbt-rerun",
        "name": INTEGRATION,
        "description": "Run or watch dbt Cloud jobs, and rerun failed ones from the point of failure.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": INTEGRATION,
                "external-doc-url": "https://docs.getdbt.com/docs/deploy/retry-jobs",
                "tags": ["dbt"],
            }
        ],
        "hooks": [_modules("airflow_dbt_rerun.hooks")],
        "operators": [_modules("airflow_dbt_rerun.operators")],
        "sensors": [_modules("airflow_dbt_rerun.sensors")],
        "triggers": [_modules("airflow_dbt_rerun.triggers")],
        "connection-types": [
            {
                "connection-type": "dbt_rerun",
                "hook-class-name": "airflow_dbt_rerun.hooks.DbtCloudRerunHook",
                "hook-name": INTEGRATION,
                "ui-field-behaviour": UI_FIELD_BEHAVIOUR,
                "conn-fields": {
                    "timeout": {
                        "label": "Timeout (seconds)",
                        "description": "How long to wait for dbt's answer to one request. Empty: 30.",
                        "schema": {"type": ["number", "null"]},
                    }
                },
            }
        ],
        "extra-links": ["airflow_dbt_rerun.links.DbtCloudRunLink", "airflow_dbt_rerun.links.DbtRerunPageLink"],
        "config": {CONFIG_SECTION: {"description": "Healing of dbt Cloud jobs.", "options": CONFIG_OPTIONS}},
    }


def _modules(*names: str) -> dict[str, Any]:
    return {"integration-name": INTEGRATION, "python-modules": list(names)}
