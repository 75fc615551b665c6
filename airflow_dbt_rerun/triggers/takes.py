"""What each argument of the triggers takes, by its name."""

from __future__ import annotations

from airflow_dbt_rerun.config.argument_kinds import SECONDS, Choices, Data, Id, Ids
from airflow_dbt_rerun.config.arguments import Takes
from airflow_dbt_rerun.core.dbt.models import TERMINAL_STATUSES
from airflow_dbt_rerun.core.policy.arguments import Flag, Number, OrNone, Text
from airflow_dbt_rerun.hooks import HOOK_PARAMS

STATUSES = {status.name.lower(): status for status in sorted(TERMINAL_STATUSES)}
"""The values of ``statuses``: how a run can end."""

_CONNECTION: Takes = {
    "dbt_cloud_conn_id": Text(),
    "account_id": OrNone(Id()),
    "hook_params": OrNone(HOOK_PARAMS),
}

RUN: Takes = {
    **_CONNECTION,
    "run_id": Id(),
    "session": OrNone(Data()),
    "until": OrNone(Number(unit="seconds")),
    "cancel_on_kill": Flag(),
}

ARRIVAL: Takes = {**_CONNECTION, "awaited": Data()}

EVENTS: Takes = {
    **_CONNECTION,
    "job_ids": OrNone(Ids()),
    "statuses": OrNone(Choices(STATUSES)),
    "environment_id": OrNone(Id()),
    "project_id": OrNone(Id()),
    "include_reruns": Flag(),
    "check_interval": SECONDS,
    "lookback": SECONDS,
}
