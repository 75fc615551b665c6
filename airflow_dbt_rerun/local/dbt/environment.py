"""The environment variables of a dbt command."""

from __future__ import annotations

import os
from pathlib import Path

from airflow_dbt_rerun.local.account import ENVIRONMENT_ID, PROJECT_ID
from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.dbt.paths import StepFolder
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.records import RunRecord

#: dbt copies variables with this prefix into ``metadata.env`` of its artifacts, without the prefix.
_INTO_ARTIFACTS = "DBT_ENV_CUSTOM_ENV_"

#: dbt v2 warns about these options in each command, and with ``--warn-error`` fails for them.
_COLOURS = {"DBT_USE_COLORS": "true", "DBT_USE_COLORS_FILE": "false"}


def dbt_environment(platform: Platform, run: RunRecord, work: Path, step: StepFolder) -> dict[str, str]:
    """Return the environment of the platform without Airflow's variables, with those that describe the run."""
    described = _run_variables(platform, run)
    return {
        **own_environment(),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        "DBT_LOCAL_WAREHOUSE": str(platform.folders.warehouse),
        "DBT_LOCAL_STATE": str(platform.folders.state),
        "DBT_PROJECT_DIR": str(work),
        "DBT_PROFILES_DIR": str(work / "profiles"),
        "DBT_TARGET_PATH": "target",  # relative, since messages name files below it
        "DBT_LOG_PATH": str(step.root),
        **(_COLOURS if platform.engine is Engine.CORE else {}),
        **described,
        **{f"{_INTO_ARTIFACTS}{name}": value for name, value in described.items()},
    }


def own_environment() -> dict[str, str]:
    """Return the environment of the platform without Airflow's variables: they hold connections and keys.

    A project could read them with ``env_var``, and its logs would show them.
    """
    return {name: value for name, value in os.environ.items() if not name.lstrip("_").startswith("AIRFLOW")}


def _run_variables(platform: Platform, run: RunRecord) -> dict[str, str]:
    return {
        "DBT_CLOUD_ACCOUNT_ID": str(platform.account.id),
        "DBT_CLOUD_PROJECT_ID": str(PROJECT_ID),
        "DBT_CLOUD_ENVIRONMENT_ID": str(ENVIRONMENT_ID),
        "DBT_CLOUD_ENVIRONMENT_NAME": "Production",
        "DBT_CLOUD_ENVIRONMENT_TYPE": "production",
        "DBT_CLOUD_JOB_ID": str(run.job_id),
        "DBT_CLOUD_RUN_ID": str(run.id),
        "DBT_CLOUD_RUN_REASON": run.cause,
        "DBT_CLOUD_RUN_REASON_CATEGORY": run.cause_category,
        "DBT_CLOUD_GIT_BRANCH": run.git_branch or "main",
        "DBT_CLOUD_INVOCATION_CONTEXT": "prod",
    }
