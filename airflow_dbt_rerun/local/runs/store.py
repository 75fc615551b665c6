"""What the platform remembers, in one SQLite file that outlives the server."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local import timestamps as moments
from airflow_dbt_rerun.local.runs.records import JobRecord, RunRecord, StepRecord

Record = TypeVar("Record", JobRecord, RunRecord, StepRecord)

ACTIVE, DELETED = 1, 2

#: Ids are far above 2^31, as in recorded answers: a client that keeps them in 32 bits fails here first.
_FIRST_ID = {"jobs": 70403103936332, "runs": 70403110257794, "steps": 70403120486011}
_GOING = "status IN (1, 2, 3)"
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS runs_of_job ON runs(job_id, id)",
    "CREATE INDEX IF NOT EXISTS runs_of_status ON runs(status)",
    "CREATE INDEX IF NOT EXISTS steps_of_run ON steps(run_id)",
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows of a list, in which order: SQL whose values are in ``values``, never in its text."""

    where: str = "1"
    values: tuple[Any, ...] = ()
    order: str = "id"
    limit: int = 100
    offset: int = 0


class Store:
    """The tables, used by one thread.

    :param file: the SQLite file; made if it is not there
    """

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, isolation_level=None)
        # A log that is written ahead survives the death of this process without a disk flush per change.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        for table, record in (("jobs", JobRecord), ("runs", RunRecord), ("steps", StepRecord)):
            self._create(table, record)
        for index in _INDEXES:
            self._db.execute(index)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # --- jobs

    def add_job(self, name: str, definition: Mapping[str, Any]) -> JobRecord:
        """Create a job."""
        at = moments.now()
        values = {"name": name, "state": ACTIVE, "definition": json.dumps(definition)}
        return self.job(self._insert("jobs", {**values, "created_at": at, "updated_at": at}))

    def update_job(self, job_id: int, definition: Mapping[str, Any], *, state: int = ACTIVE) -> JobRecord:
        """Merge changes into what was set."""
        merged = {**self.job(job_id).settings, **definition}
        self._db.execute(
            "UPDATE jobs SET name = ?, state = ?, definition = ?, updated_at = ? WHERE id = ?",
            (merged["name"], state, json.dumps(merged), moments.now(), job_id),
        )
        return self.job(job_id)

    def job(self, job_id: int) -> JobRecord:
        """Return a job, deleted or not.

        :raises KeyError: if it was never there
        """
        return self._one(JobRecord, "SELECT * FROM jobs WHERE id = ?", job_id)

    def jobs(self, selection: Selection) -> tuple[list[JobRecord], int]:
        """Return one page of jobs and the number on all pages."""
        return self._page(JobRecord, "jobs", selection)

    def jobs_by_name(self) -> dict[str, JobRecord]:
        """Return the jobs that are not deleted."""
        rows = self._db.execute("SELECT * FROM jobs WHERE state = ? ORDER BY id", (ACTIVE,))
        return {job.name: job for job in (JobRecord(*row) for row in rows)}

    # --- runs

    def add_run(self, values: Mapping[str, Any]) -> RunRecord:
        """Create a queued run. ``values`` are columns; unnamed ones are 0 or null."""
        at = moments.now()
        defaults = {"status": RunStatus.QUEUED, "has_docs_generated": 0, "has_sources_generated": 0}
        return self.run(self._insert("runs", {**defaults, **values, "created_at": at, "updated_at": at}))

    def run(self, run_id: int) -> RunRecord:
        """Return a run.

        :raises KeyError: if it is not there
        """
        return self._one(RunRecord, "SELECT * FROM runs WHERE id = ?", run_id)

    def runs(self, selection: Selection) -> tuple[list[RunRecord], int]:
        """Return one page of runs and the number on all pages."""
        return self._page(RunRecord, "runs", selection)

    def queued_runs(self) -> list[RunRecord]:
        """Return the runs that wait for their turn, oldest first."""
        return [RunRecord(*row) for row in self._db.execute("SELECT * FROM runs WHERE status = 1 ORDER BY id")]

    def latest_run(self, job_id: int, *, over: bool = False) -> RunRecord | None:
        """Return the newest run of a job, or the newest that is over."""
        which = "AND status NOT IN (1, 2, 3)" if over else ""
        sql = f"SELECT * FROM runs WHERE job_id = ? {which} ORDER BY id DESC LIMIT 1"  # noqa: S608 - a constant
        row = self._db.execute(sql, (job_id,)).fetchone()
        return RunRecord(*row) if row else None

    def successful_runs(self, job_id: int) -> Iterator[RunRecord]:
        """Go through the runs of a job that succeeded, newest first."""
        sql = "SELECT * FROM runs WHERE job_id = ? AND status = 10 ORDER BY id DESC"
        return (RunRecord(*row) for row in self._db.execute(sql, (job_id,)))

    def is_superseded(self, run: RunRecord, *, by_success_only: bool) -> bool:
        """Return whether the job has a newer run, or a newer run that succeeded."""
        which = "AND status = 10" if by_success_only else ""
        sql = f"SELECT 1 FROM runs WHERE job_id = ? AND id > ? {which} LIMIT 1"  # noqa: S608 - a constant
        return self._db.execute(sql, (run.job_id, run.id)).fetchone() is not None

    def blockers(self, run: RunRecord) -> list[int]:
        """Return the ids of the older runs of its job that are not over."""
        sql = f"SELECT id FROM runs WHERE job_id = ? AND id < ? AND {_GOING} ORDER BY id"  # noqa: S608 - a constant
        return [row[0] for row in self._db.execute(sql, (run.job_id, run.id))]

    def failures_in_a_row(self, job_id: int) -> int:
        """Return how many runs of a job have failed since the last one that succeeded."""
        sql = """SELECT count(*) FROM runs WHERE job_id = ?1 AND status = 20
                 AND id > coalesce((SELECT max(id) FROM runs WHERE job_id = ?1 AND status = 10), 0)"""
        return int(self._db.execute(sql, (job_id,)).fetchone()[0])

    def delete_run(self, run_id: int) -> None:
        """Forget a run and its steps."""
        self._db.execute("DELETE FROM steps WHERE run_id = ?", (run_id,))
        self._db.execute("DELETE FROM runs WHERE id = ?", (run_id,))

    def change_run(self, run_id: int, **values: Any) -> bool:
        """Set columns of a run unless it is over: what ended it first stays. Return whether it was changed."""
        changes = {**values, "updated_at": moments.now()}
        names = ", ".join(f'"{name}" = ?' for name in changes)
        sql = f"UPDATE runs SET {names} WHERE id = ? AND {_GOING}"  # noqa: S608 - names of our own columns
        return self._db.execute(sql, (*changes.values(), run_id)).rowcount > 0

    # --- steps

    def add_step(self, values: Mapping[str, Any]) -> StepRecord:
        """Create a step. ``values`` are columns; unnamed ones are null."""
        at = moments.now()
        return self.step(self._insert("steps", {**values, "created_at": at, "updated_at": at}))

    def finish_step(self, step_id: int, status: int) -> None:
        """End a step."""
        at = moments.now()
        sql = "UPDATE steps SET status = ?, finished_at = ?, updated_at = ? WHERE id = ?"
        self._db.execute(sql, (status, at, at, step_id))

    def step(self, step_id: int) -> StepRecord:
        """Return a step.

        :raises KeyError: if it is not there
        """
        return self._one(StepRecord, "SELECT * FROM steps WHERE id = ?", step_id)

    def steps(self, run_id: int) -> list[StepRecord]:
        """Return the steps of a run in order."""
        sql = 'SELECT * FROM steps WHERE run_id = ? ORDER BY "index"'
        return [StepRecord(*row) for row in self._db.execute(sql, (run_id,))]

    # --- after a death

    def give_up_what_was_going(self, message: str) -> None:
        """Make an Error of every run that had begun, and of its steps. Queued runs have lost nothing."""
        at = moments.now()
        self._db.execute(
            "UPDATE steps SET status = 20, finished_at = ?, updated_at = ? WHERE status = 3"
            " AND run_id IN (SELECT id FROM runs WHERE status IN (2, 3))",
            (at, at),
        )
        self._db.execute(
            "UPDATE runs SET status = 20, status_message = ?, finished_at = ?, updated_at = ?"
            " WHERE status IN (2, 3)",
            (message, at, at),
        )

    # --- SQL

    def _create(self, table: str, record: type[Any]) -> None:
        columns = [f'"{field.name}"' for field in fields(record)]
        columns[0] = "id INTEGER PRIMARY KEY AUTOINCREMENT"
        self._db.execute(f"CREATE TABLE IF NOT EXISTS {table} ({', '.join(columns)})")
        self._db.execute(
            "INSERT INTO sqlite_sequence (name, seq) SELECT ?1, ?2"
            " WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = ?1)",
            (table, _FIRST_ID[table] - 1),
        )

    def _insert(self, table: str, values: Mapping[str, Any]) -> int:
        names, marks = ", ".join(f'"{name}"' for name in values), ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - names of our own columns
        created = self._db.execute(sql, tuple(values.values())).lastrowid
        assert created is not None
        return created

    def _one(self, record: type[Record], sql: str, number: int) -> Record:
        try:
            row = self._db.execute(sql, (number,)).fetchone()
        except OverflowError:  # a number that SQLite cannot hold is the id of nothing
            row = None
        if row is None:
            raise KeyError(number)
        return record(*row)

    def _page(self, record: type[Record], table: str, selection: Selection) -> tuple[list[Record], int]:
        matching = f"FROM {table} WHERE {selection.where}"
        total = self._db.execute(f"SELECT count(*) {matching}", selection.values).fetchone()[0]
        rows = self._db.execute(
            f"SELECT * {matching} ORDER BY {selection.order} LIMIT ? OFFSET ?",
            (*selection.values, selection.limit, selection.offset),
        )
        return [record(*row) for row in rows], int(total)
