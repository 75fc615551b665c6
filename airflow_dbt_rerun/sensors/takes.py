"""What each argument of the sensors takes, by its name."""

from __future__ import annotations

from airflow_dbt_rerun.config.argument_kinds import Choice, Choices, Duration, Id, Moment
from airflow_dbt_rerun.config.arguments import Takes
from airflow_dbt_rerun.core.dbt.cause_categories import CAUSE_CATEGORIES
from airflow_dbt_rerun.core.policy.arguments import Flag, OrNone, Text
from airflow_dbt_rerun.core.watch.awaited_run import MATCHES
from airflow_dbt_rerun.operators.takes import HEALING, ONE_JOB

_WAITING: Takes = {
    "poke_interval": Duration(),
    "timeout": OrNone(Duration()),
    "soft_fail": Flag(),
}

SENSOR: Takes = {
    **{name: kind for name, kind in ONE_JOB.items() if name != "check_interval"},
    "since": OrNone(Moment()),
    "cause_categories": Choices(CAUSE_CATEGORIES, may_be_empty=True),
    "git_branch": OrNone(Text()),
    "match": Choice(MATCHES),
    **_WAITING,
}

RUN_SENSOR: Takes = {
    **{name: kind for name, kind in HEALING.items() if name != "check_interval"},
    "run_id": Id(),
    **_WAITING,
}
