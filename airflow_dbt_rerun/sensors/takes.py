"""What each argument of the sensor takes, by its name."""

from __future__ import annotations

from airflow_dbt_rerun.config.argument_kinds import Choice, Choices, Duration, Moment
from airflow_dbt_rerun.config.arguments import Takes
from airflow_dbt_rerun.core.dbt.cause_categories import CAUSE_CATEGORIES
from airflow_dbt_rerun.core.policy.arguments import Flag, OrNone, Text
from airflow_dbt_rerun.core.watch.awaited_run import MATCHES
from airflow_dbt_rerun.operators.takes import ONE_JOB

SENSOR: Takes = {
    **{name: kind for name, kind in ONE_JOB.items() if name != "check_interval"},
    "since": OrNone(Moment()),
    "cause_categories": Choices(CAUSE_CATEGORIES, may_be_empty=True),
    "git_branch": OrNone(Text()),
    "match": Choice(MATCHES),
    "poke_interval": Duration(),
    "timeout": OrNone(Duration()),
    "soft_fail": Flag(),
}
