"""Where things are below the state directory, and what is read back from there.

platform.sqlite             jobs, runs and steps
warehouse/warehouse.duckdb  the warehouse, shared by all runs
state/                      for a project's own use, shared by all runs
work/JOB/                   the project as the current run of the job sees it
work/JOB-RUN/               the same for a run of a CI job, until it ends
runs/RUN/STEP/              a step: stdout.log, dbt.log, artifacts/
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

ARTIFACTS = (
    "run_results.json",
    "sources.json",
    "manifest.json",
    "catalog.json",
    "semantic_manifest.json",
    "graph_summary.json",
    "index.html",
)
"""Files of ``target/`` that are kept for each step. Compiled SQL is not: it is in the manifest too."""

STALE = ("run_results.json", "sources.json")
"""Files that must not outlive a step: the next one could fail before it writes its own, and a retry of it would
then find the results of another command and have nothing to do."""

PARSED = "partial_parse.msgpack"
"""What dbt keeps to parse faster the next time."""


@dataclass(frozen=True, slots=True)
class Folders:
    """The state directory.

    :param root: its absolute path
    """

    root: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.root / "platform.sqlite"

    @property
    def warehouse(self) -> Path:
        """The DuckDB file."""
        return self.root / "warehouse" / "warehouse.duckdb"

    @property
    def state(self) -> Path:
        """The directory for the project's own use."""
        return self.root / "state"

    def make(self) -> None:
        """Make what others expect to be there."""
        self.warehouse.parent.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(exist_ok=True)

    def work(self, job_id: int, run_id: int | None = None) -> Path:
        """Return the working directory of a job's runs, or of one run that may have others beside it.

        Runs of a job share it where they can: what dbt parsed in one place is worth nothing in another.
        """
        return self.root / "work" / (str(job_id) if run_id is None else f"{job_id}-{run_id}")

    def step(self, run_id: int, index: int) -> StepFolder:
        """Return the directory of a step."""
        return StepFolder(self.root / "runs" / str(run_id) / str(index))


@dataclass(frozen=True, slots=True)
class StepFolder:
    """What is kept of one step."""

    root: Path

    @property
    def stdout(self) -> Path:
        """What the command printed."""
        return self.root / "stdout.log"

    @property
    def debug_log(self) -> Path:
        """dbt's own, more detailed log."""
        return self.root / "dbt.log"

    @property
    def artifacts(self) -> Path:
        """The directory of the artifacts."""
        return self.root / "artifacts"

    @property
    def has_run_results(self) -> bool:
        """Whether dbt got far enough to say what became of each node."""
        return (self.artifacts / "run_results.json").is_file()

    def make(self) -> None:
        """Make it, empty."""
        self.artifacts.mkdir(parents=True)
        self.stdout.touch()

    def say(self, text: str) -> None:
        """Add a line to the step's log."""
        with self.stdout.open("a") as log:
            log.write(f"{text}\n")

    def keep(self, target: Path) -> None:
        """Copy the artifacts that are in dbt's target directory."""
        for name in ARTIFACTS:
            if (target / name).is_file():
                shutil.copyfile(target / name, self.artifacts / name)

    def artifact(self, path: str) -> Path | None:
        """Return an artifact's file, or None if there is none of this path."""
        file = (self.artifacts / path).resolve()
        inside = file.is_relative_to(self.artifacts.resolve())
        return file if inside and file.is_file() else None

    def paths(self) -> list[str]:
        """List the artifacts."""
        return sorted(str(file.relative_to(self.artifacts)) for file in self.artifacts.rglob("*") if file.is_file())


def text_of(file: Path, *, last: int | None = None) -> str:
    """Return a log, or its last characters; empty if there is none."""
    try:
        text = file.read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return text if last is None else text[-last:]
