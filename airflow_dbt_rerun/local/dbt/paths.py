"""The layout of the state directory, and access to its files.

platform.sqlite             jobs, runs and steps
warehouse/warehouse.duckdb  the warehouse, shared by all runs
state/                      for use by the project itself, shared by all runs
work/JOB/                   the copy of the project that runs of the job use
work/JOB-RUN/               the copy of a run of a CI job, removed when the run ends
runs/RUN/STEP/              a step: stdout.log, dbt.log, artifacts/
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

ARTIFACTS = (
    "run_results.json",
    "sources.json",
    "manifest.json",
    "catalog.json",
    "semantic_manifest.json",
    "graph_summary.json",
    "index.html",
)
"""Files of ``target/`` that are saved for each step. Compiled SQL is not among them: the manifest contains it."""

RESULT_FILES = ("run_results.json", "sources.json")
"""Files that must not outlive a step: if the next step fails before it writes its own, a retry of it would read the
results of another command and have nothing to do."""

PARSE_CACHE = "partial_parse.msgpack"
"""dbt's cache of the parsed project."""


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
        """The directory for use by the project itself."""
        return self.root / "state"

    def make(self) -> None:
        """Create the directories that others expect to exist, for this user only.

        A directory that holds something else keeps its mode, since it may be shared on purpose.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        if self.database.exists() or not any(self.root.iterdir()):
            self.root.chmod(0o700)
        self.warehouse.parent.mkdir(exist_ok=True)
        self.state.mkdir(exist_ok=True)

    def work(self, job_id: int, run_id: int | None = None) -> Path:
        """Return the working directory of a job's runs, or of a single run that can have others beside it.

        Runs share a directory where possible, since dbt's parse cache is valid in one directory only.
        """
        return self.root / "work" / (str(job_id) if run_id is None else f"{job_id}-{run_id}")

    def step(self, run_id: int, index: int) -> StepFolder:
        """Return the directory of a step."""
        return StepFolder(self.root / "runs" / str(run_id) / str(index))


class StepFiles(Protocol):
    """What a step left behind, whether it is in files or made when it is read."""

    @property
    def has_run_results(self) -> bool:
        """Whether dbt wrote the results of its nodes."""
        ...

    @property
    def artifacts(self) -> Path:
        """A directory that holds the artifacts."""
        ...

    def output(self, *, last: int | None = None) -> str:
        """Return the output of the command or its last characters."""
        ...

    def debug_output(self, *, last: int | None = None) -> str:
        """Return dbt's own log or its last characters; empty if there is none."""
        ...

    def artifact(self, path: str) -> bytes | None:
        """Return the content of an artifact, or None if it does not exist."""
        ...

    def paths(self) -> list[str]:
        """Return the paths of the artifacts."""
        ...


class MadeSteps(Protocol):
    """Steps that were never run, and whose files are made when they are read."""

    def holds(self, run_id: int) -> bool:
        """Return whether a run is one of theirs."""
        ...

    def step(self, run_id: int, index: int) -> StepFiles:
        """Return the files of a step."""
        ...


@dataclass(frozen=True, slots=True)
class StepFolder:
    """The directory of one step."""

    root: Path

    @property
    def stdout(self) -> Path:
        """The output of the command."""
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
        """Whether dbt wrote the results of its nodes."""
        return (self.artifacts / "run_results.json").is_file()

    def make(self) -> None:
        """Create the directory with an empty log."""
        self.artifacts.mkdir(parents=True)
        self.stdout.touch()

    def log(self, text: str) -> None:
        """Append a line to the log."""
        with self.stdout.open("a") as log:
            log.write(f"{text}\n")

    def save_artifacts(self, target: Path) -> None:
        """Copy the artifacts from dbt's target directory."""
        for name in ARTIFACTS:
            if (target / name).is_file():
                shutil.copyfile(target / name, self.artifacts / name)

    def output(self, *, last: int | None = None) -> str:
        """Return the output of the command or its last characters."""
        return _read_log(self.stdout, last)

    def debug_output(self, *, last: int | None = None) -> str:
        """Return dbt's own log or its last characters; empty if there is none."""
        return _read_log(self.debug_log, last)

    def artifact(self, path: str) -> bytes | None:
        """Return the content of an artifact, or None if it does not exist."""
        try:
            file = (self.artifacts / path).resolve()
            inside = file.is_relative_to(self.artifacts.resolve())
            return file.read_bytes() if inside and file.is_file() else None
        except (OSError, ValueError):  # a name that no file can have: too long, or with a NUL
            return None

    def paths(self) -> list[str]:
        """Return the paths of the artifacts."""
        return sorted(str(file.relative_to(self.artifacts)) for file in self.artifacts.rglob("*") if file.is_file())


def _read_log(file: Path, last: int | None) -> str:
    """Return a log or its last characters; empty if the file does not exist."""
    try:
        text = file.read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return text if last is None else text[-last:]
