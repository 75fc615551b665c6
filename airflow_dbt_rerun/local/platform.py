"""The state that every part of the platform shares."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from airflow_dbt_rerun.local.account import LocalAccount
from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.dbt.paths import Folders, MadeSteps, StepFiles
from airflow_dbt_rerun.local.faults.behaviour import Behaviour
from airflow_dbt_rerun.local.runs.store import Store


@dataclass(slots=True)
class Platform:
    """One platform. Only ``behaviour`` and the restrictions of the account change while it runs.

    :param project: absolute path of the dbt project
    :param engine: the engine of dbt that runs the commands
    :param dbt_version: its version
    :param history: makes the files of steps that were never run; None without a simulated history
    """

    account: LocalAccount
    store: Store
    folders: Folders
    project: Path
    engine: Engine
    dbt_version: str
    behaviour: Behaviour
    history: MadeSteps | None = None

    def step_files(self, run_id: int, index: int) -> StepFiles:
        """Return what a step left behind."""
        if self.history is not None and self.history.holds(run_id):
            return self.history.step(run_id, index)
        return self.folders.step(run_id, index)
