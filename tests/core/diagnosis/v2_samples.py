"""Recorded commands of dbt v2: what they printed and wrote, and what is right to say of them."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow_dbt_rerun.core.dbt.models import Run, RunStatus, RunStep
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis

SAMPLES = Path(__file__).parents[2] / "data" / "v2"
STEP = 4


@dataclass(frozen=True)
class Sample:
    """One recorded command."""

    name: str
    command: str
    written: bool
    right: str

    def log(self, kind: str = "console") -> str:
        """What it printed, or what is in its ``dbt.log``."""
        return (SAMPLES / f"{self.name}.{kind}.log").read_text()

    @property
    def has_file(self) -> bool:
        """Whether its ``dbt.log`` was recorded, too."""
        return (SAMPLES / f"{self.name}.dbt.log").exists()

    @property
    def results(self) -> tuple[StepResults, ...]:
        """The node results that it wrote."""
        file = SAMPLES / f"{self.name}.run_results.json"
        if not (self.written and file.exists()):
            return ()
        return (StepResults.from_artifact(json.loads(file.read_text()), step_index=STEP, run_id=1),)

    def run(self, kind: str = "console") -> Run:
        """The failed run around it."""
        step = RunStep(1, STEP, f"Invoke dbt with `{self.command}`", RunStatus.ERROR, self.log(kind))
        return Run(1, 7, RunStatus.ERROR, steps=(step,), commands=(self.command,))

    def diagnosed(self, *, results: bool = True, kind: str = "console") -> Diagnosis:
        """Diagnose it, with or without its results."""
        return diagnose(self.run(kind), self.results if results else ())


def samples() -> Iterator[Sample]:
    """Yield all recorded commands; ``right`` is empty for those that succeeded."""
    with (SAMPLES / "index.tsv").open() as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            right = row["right"].replace('"', "")
            yield Sample(row["sample"], row["command"], row["run_results"] == "written", right)


def sample(name: str) -> Sample:
    """Return one by its name."""
    return next(each for each in samples() if each.name == name)
