"""What each argument of the operators takes, by its name."""

from __future__ import annotations

from airflow_dbt_rerun.config.argument_kinds import (
    SECONDS,
    Callbacks,
    Choice,
    Fields,
    Id,
    Numbers,
    Policy,
    Replaced,
    Signatures,
)
from airflow_dbt_rerun.config.arguments import Takes
from airflow_dbt_rerun.config.holding import POLICY_MODES
from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.core.heal.modes import MODES
from airflow_dbt_rerun.core.policy.arguments import Flag, Listed, Number, OrNone, Text
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
    "policy_mode": OrNone(Choice(POLICY_MODES)),
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
    "steps_override": OrNone(TAKES["steps_override"]),
    "schema_override": OrNone(TAKES["schema_override"]),
    "additional_run_config": OrNone(RUN_CONFIG),
    "reattach": Choice(REATTACH),
    "wait_for_termination": Flag(),
    "retry_from_failure": OrNone(Flag()),
    "reuse_existing_run": Replaced(
        (None, False),
        "reattach continues this task's own runs, DbtCloudJobSensor waits for a run that something else started",
    ),
    "openlineage_inject_parent_job_info": Replaced(
        (None, False), "dbt's cause begins with this package's marker, and trigger_reason follows it"
    ),
}

RERUN: Takes = {
    **HEALING,
    "run_id": OrNone(Id()),
    "job_id": OrNone(Id()),
    "mode": Choice(MODES),
    "dry_run": Flag(),
}

_READING: Takes = {name: HEALING[name] for name in ("dbt_cloud_conn_id", "account_id", "hook_params")}

LIST_JOBS: Takes = {**_READING, "project_id": OrNone(Id()), "order_by": OrNone(Text())}

LIST_RUNS: Takes = {
    **_READING,
    "job_id": OrNone(Id()),
    "order_by": OrNone(Text()),
    "include_related": OrNone(Listed(Text())),
    "latest_only": Flag(),
    "status_filter": OrNone(Numbers({int(status) for status in RunStatus})),
}

ARTIFACT: Takes = {
    **_READING,
    "run_id": Id(),
    "path": Text(),
    "step": OrNone(Number(least=1, whole=True)),
    "output_file_name": OrNone(Text()),
}
