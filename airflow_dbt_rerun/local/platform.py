"""The state that every part of the platform shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airflow_dbt_rerun.local.account import LocalAccount
from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.dbt.paths import Folders
from airflow_dbt_rerun.local.faults.behaviour import Behaviour
from airflow_dbt_rerun.local.runs.store import Store


@dataclass(slots=True)
class Platform:
    """One platform. Only ``behaviour`` and the restrictions of the account change while it runs.

    :param project: absolute path of the dbt project
    :param engine: the engine of dbt that runs the commands
    :param dbt_version: its version
    """

    account: LocalAccount
    store: Store
    folders: Folders
    project: Path
    engine: Engine
    dbt_version: str
    behaviour: Behaviour
