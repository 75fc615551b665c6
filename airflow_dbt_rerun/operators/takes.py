"""What each argument of the operators takes, by its name."""

from __future__ import annotations

from airflow_dbt_rerun.config.argument_kinds import SECONDS, Callbacks, Choice, Fields, Id, Policy, Signatures
from airflow_dbt_rerun.config.arguments import Takes
from airflow_dbt_rerun.core.heal.modes import MODES
from airflow_dbt_rerun.core.policy.arguments import Flag, Listed, OrNone, Text
from airflow_dbt_rerun.core.policy.overrides import TAKES
from airflow_dbt_rerun.hooks import HOOK_PARAMS

CAUSE = "cause"

REATTACH = ("retry", "always")

RUN_CONFIG = Fields(
    "field",
    {CAUSE: Text(), **TAKES},
    {"threads_override": 8},
    words="a mapping of fields of dbt's trigger request, listed below",
)

CALLBACKS = ("on_rerun", "on_question", "on_healed", "on_gave_up")

HEALING: Takes = {
    "dbt_cloud_conn_id": Text(),
    "account_id": OrNone(Id()),
    "policy": OrNone(Policy()),
    "signatures": OrNone(Signatures()),
    **{name: OrNone(Callbacks()) for name in CALLBACKS},
    "check_interval": SECONDS,
    "quickest_check_interval": OrNone(SECONDS),
    "poll_tolerance": SECONDS,
    "timeout": SECONDS,
    "deferrable": Flag(),
    "cancel_on_kill": Flag(),
    "verify_success": Flag(),
    "hook_params": OrNone(HOOK_PARAMS),
}

ONE_JOB: Takes = {
    **HEALING,
    "job_id": OrNone(Id()),
    "project_name": OrNone(Text()),
    "environment_name": OrNone(Text()),
    "job_name": OrNone(Text()),
}

JOB: Takes = {
    **ONE_JOB,
    "trigger_reason": OrNone(Text()),
    "steps_override": OrNone(Listed(Text())),
    "schema_override": OrNone(Text()),
    "additional_run_config": OrNone(RUN_CONFIG),
    "reattach": Choice(REATTACH),
}

RERUN: Takes = {
    **HEALING,
    "run_id": OrNone(Id()),
    "job_id": OrNone(Id()),
    "mode": Choice(MODES),
    "dry_run": Flag(),
}
