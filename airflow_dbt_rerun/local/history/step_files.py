"""The files of the steps of a history, made when they are read: always the same ones for the same step."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from airflow_dbt_rerun.local.dbt.paths import Folders
from airflow_dbt_rerun.local.history.plan import Plan
from airflow_dbt_rerun.local.history.step_output import StepOutput, write_step
from airflow_dbt_rerun.local.runs.records import StepRecord
from airflow_dbt_rerun.local.runs.store import Store
from airflow_dbt_rerun.local.simulated.project import SimulatedProject


class HistoricSteps:
    """The steps of all runs of a history.

    :param project: the project as it was when the history was made
    """

    def __init__(self, plan: Plan, project: SimulatedProject, store: Store, folders: Folders) -> None:
        self._plan = plan
        self._project = project
        self._store = store
        self._folders = folders

    def holds(self, run_id: int) -> bool:
        """Return whether a run belongs to the history."""
        return self._plan.first_run <= run_id <= self._plan.last_run

    def step(self, run_id: int, index: int) -> HistoricStepFiles:
        """Return the files of a step; a step that does not exist has none."""
        return HistoricStepFiles(self, run_id, index)

    def written(self, run_id: int, index: int) -> StepOutput:
        """Make the files of a step."""
        record = self._record(run_id, index)
        if record is None:
            return StepOutput("", {})
        return write_step(self._plan, self._project, self._store.run(run_id), record)

    def reached_nodes(self, run_id: int, index: int) -> bool:
        """Return whether a step came to its nodes, so that dbt wrote their results."""
        record = self._record(run_id, index)
        is_command = record is not None and record.place is not None
        return is_command and self._plan.ending(run_id, index).cause is None

    def folder(self, run_id: int, index: int) -> Path:
        """Return where a step's artifacts are put when dbt itself is to read them."""
        return self._folders.step(run_id, index).artifacts

    def _record(self, run_id: int, index: int) -> StepRecord | None:
        return next((step for step in self._store.steps(run_id) if step.index == index), None)


class HistoricStepFiles:
    """The files of one step."""

    def __init__(self, steps: HistoricSteps, run_id: int, index: int) -> None:
        self._steps = steps
        self._place = run_id, index

    @property
    def has_run_results(self) -> bool:
        """Whether dbt wrote the results of its nodes."""
        return self._steps.reached_nodes(*self._place)

    @property
    def artifacts(self) -> Path:
        """A directory that holds the artifacts: ``dbt retry`` reads them from there."""
        folder = self._steps.folder(*self._place)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in self._written.artifacts.items():
            (folder / name).write_bytes(content)
        return folder

    def output(self, *, last: int | None = None) -> str:
        """Return the output of the command or its last characters."""
        return self._written.log if last is None else self._written.log[-last:]

    def debug_output(self, *, last: int | None = None) -> str:  # noqa: ARG002 - there is none
        """Return dbt's own log, which a history does not have."""
        return ""

    def artifact(self, path: str) -> bytes | None:
        """Return the content of an artifact, or None if it does not exist."""
        return self._written.artifacts.get(path)

    def paths(self) -> list[str]:
        """Return the paths of the artifacts."""
        return sorted(self._written.artifacts)

    @cached_property
    def _written(self) -> StepOutput:
        return self._steps.written(*self._place)
