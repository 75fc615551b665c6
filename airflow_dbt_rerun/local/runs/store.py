"""The platform's database: one SQLite file that outlives the server."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from pathlib import Path
from typing import Any, TypeVar

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.local import timestamps
from airflow_dbt_rerun.local.runs.records import JobRecord, RunRecord, StepRecord

Record = TypeVar("Record", JobRecord, RunRecord, StepRecord)

ACTIVE, DELETED = 1, 2

#: Ids are far above 2^31, as in recorded answers, so that a client that stores them in 32 bits fails here first.
FIRST_ID = {"jobs": 70403103936332, "runs": 70403110257794, "steps": 70403120486011}
_IN_PROGRESS = "status IN (1, 2, 3)"
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS runs_of_job ON runs(job_id, id)",
    "CREATE INDEX IF NOT EXISTS runs_of_status ON runs(status)",
    "CREATE INDEX IF NOT EXISTS steps_of_run ON steps(run_id)",
)


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows to list, and in which order: SQL, with values in ``values`` and never in the text."""

    where: str = "1"
    values: tuple[Any, ...] = ()
    order: str = "id"
    limit: int = 100
    offset: int = 0


class Store:
    """The tables of jobs, runs and steps, for use by one thread.

    :param file: the SQLite file; created if it does not exist
    """

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, isolation_level=None)
        # A write-ahead log survives a crash of this process without a disk flush per change.
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        for table, record in (("jobs", JobRecord), ("runs", RunRecord), ("steps", StepRecord)):
            self._create(table, record)
        for index in _INDEXES:
            self._db.execute(index)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    # --- jobs

    def add_job(self, name: str, definition: Mapping[str, Any]) -> JobRecord:
        """Create a job."""
        at = timestamps.now()
        values = {"name": name, "state": ACTIVE, "definition": json.dumps(definition)}
        return self.job(self._insert("jobs", {**values, "created_at": at, "updated_at": at}))

    def update_job(self, job_id: int, definition: Mapping[str, Any], *, state: int = ACTIVE) -> JobRecord:
        """Merge changes into the settings of a job."""
        merged = {**self.job(job_id).settings, **definition}
        self._db.execute(
            "UPDATE jobs SET name = ?, state = ?, definition = ?, updated_at = ? WHERE id = ?",
            (merged["name"], state, json.dumps(merged), timestamps.now(), job_id),
        )
        return self.job(job_id)

    def job(self, job_id: int) -> JobRecord:
        """Return a job, deleted or not.

        :raises KeyError: if there has never been one with this id
        """
        return self._one(JobRecord, "SELECT * FROM jobs WHERE id = ?", job_id)

    def jobs(self, row_filter: RowFilter) -> tuple[list[JobRecord], int]:
        """Return one page of jobs and the total number of jobs."""
        return self._page(JobRecord, "jobs", row_filter)

    def jobs_by_name(self) -> dict[str, JobRecord]:
        """Return the active jobs by name."""
        rows = self._db.execute("SELECT * FROM jobs WHERE state = ? ORDER BY id", (ACTIVE,))
        return {job.name: job for job in (JobRecord(*row) for row in rows)}

    # --- a history

    def add_history(
        self, jobs: Iterable[JobRecord], runs: Iterable[RunRecord], steps: Iterable[StepRecord]
    ) -> None:
        """Add whole records, with their ids, at once.

        :raises sqlite3.IntegrityError: if one of the ids is taken; then nothing is added
        """
        self._db.execute("BEGIN")
        try:
            for table, record, records in (
                ("jobs", JobRecord, jobs),
                ("runs", RunRecord, runs),
                ("steps", StepRecord, steps),
            ):
                self._add_all(table, record, records)
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def is_empty(self) -> bool:
        """Return whether there has never been a job."""
        return self._db.execute("SELECT 1 FROM jobs LIMIT 1").fetchone() is None

    # --- runs

    def add_run(self, values: Mapping[str, Any]) -> RunRecord:
        """Create a queued run from column values; other columns are 0 or null."""
        at = timestamps.now()
        defaults = {"status": RunStatus.QUEUED, "has_docs_generated": 0, "has_sources_generated": 0}
        return self.run(self._insert("runs", {**defaults, **values, "created_at": at, "updated_at": at}))

    def run(self, run_id: int) -> RunRecord:
        """Return a run.

        :raises KeyError: if there is none with this id
        """
        return self._one(RunRecord, "SELECT * FROM runs WHERE id = ?", run_id)

    def runs(self, row_filter: RowFilter) -> tuple[list[RunRecord], int]:
        """Return one page of runs and the total number of runs."""
        return self._page(RunRecord, "runs", row_filter)

    def queued_runs(self) -> list[RunRecord]:
        """Return the queued runs, oldest first."""
        return [RunRecord(*row) for row in self._db.execute("SELECT * FROM runs WHERE status = 1 ORDER BY id")]

    def latest_run(self, job_id: int, *, complete: bool = False) -> RunRecord | None:
        """Return the newest run of a job, or its newest complete run."""
        which = "AND status NOT IN (1, 2, 3)" if complete else ""
        sql = f"SELECT * FROM runs WHERE job_id = ? {which} ORDER BY id DESC LIMIT 1"  # noqa: S608 - a constant
        row = self._db.execute(sql, (job_id,)).fetchone()
        return RunRecord(*row) if row else None

    def successful_runs(self, job_id: int) -> Iterator[RunRecord]:
        """Yield the successful runs of a job, newest first."""
        sql = "SELECT * FROM runs WHERE job_id = ? AND status = 10 ORDER BY id DESC"
        return (RunRecord(*row) for row in self._db.execute(sql, (job_id,)))

    def is_superseded(self, run: RunRecord, *, by_success_only: bool) -> bool:
        """Return whether the job has a newer run, or a newer run that succeeded."""
        which = "AND status = 10" if by_success_only else ""
        sql = f"SELECT 1 FROM runs WHERE job_id = ? AND id > ? {which} LIMIT 1"  # noqa: S608 - a constant
        return self._db.execute(sql, (run.job_id, run.id)).fetchone() is not None

    def blockers(self, run: RunRecord) -> list[int]:
        """Return the ids of the older runs of the same job that are in progress."""
        sql = f"SELECT id FROM runs WHERE job_id = ? AND id < ? AND {_IN_PROGRESS} ORDER BY id"  # noqa: S608 - a constant
        return [row[0] for row in self._db.execute(sql, (run.job_id, run.id))]

    def consecutive_failures(self, job_id: int) -> int:
        """Return how many runs of a job have failed since the last one that succeeded."""
        sql = """SELECT count(*) FROM runs WHERE job_id = ?1 AND status = 20
                 AND id > coalesce((SELECT max(id) FROM runs WHERE job_id = ?1 AND status = 10), 0)"""
        return int(self._db.execute(sql, (job_id,)).fetchone()[0])

    def delete_run(self, run_id: int) -> None:
        """Delete a run and its steps."""
        self._db.execute("DELETE FROM steps WHERE run_id = ?", (run_id,))
        self._db.execute("DELETE FROM runs WHERE id = ?", (run_id,))

    def change_run(self, run_id: int, **values: Any) -> bool:
        """Set columns of a run unless it is complete, and return whether they were set.

        The first event that ends a run is therefore final.
        """
        changes = {**values, "updated_at": timestamps.now()}
        names = ", ".join(f'"{name}" = ?' for name in changes)
        sql = f"UPDATE runs SET {names} WHERE id = ? AND {_IN_PROGRESS}"  # noqa: S608 - column names from this package
        return self._db.execute(sql, (*changes.values(), run_id)).rowcount > 0

    # --- steps

    def add_step(self, values: Mapping[str, Any]) -> StepRecord:
        """Create a step from column values; other columns are null."""
        at = timestamps.now()
        return self.step(self._insert("steps", {**values, "created_at": at, "updated_at": at}))

    def finish_step(self, step_id: int, status: int) -> None:
        """End a step."""
        at = timestamps.now()
        sql = "UPDATE steps SET status = ?, finished_at = ?, updated_at = ? WHERE id = ?"
        self._db.execute(sql, (status, at, at, step_id))

    def step(self, step_id: int) -> StepRecord:
        """Return a step.

        :raises KeyError: if there is none with this id
        """
        return self._one(StepRecord, "SELECT * FROM steps WHERE id = ?", step_id)

    def steps(self, run_id: int) -> list[StepRecord]:
        """Return the steps of a run in order."""
        sql = 'SELECT * FROM steps WHERE run_id = ? ORDER BY "index"'
        return [StepRecord(*row) for row in self._db.execute(sql, (run_id,))]

    # --- after a crash

    def fail_interrupted_runs(self, message: str) -> None:
        """End every started run and its steps as Error. Queued runs are unaffected."""
        at = timestamps.now()
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
            (table, FIRST_ID[table] - 1),
        )

    def _insert(self, table: str, values: Mapping[str, Any]) -> int:
        names, marks = ", ".join(f'"{name}"' for name in values), ", ".join("?" * len(values))
        sql = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - column names from this package
        created = self._db.execute(sql, tuple(values.values())).lastrowid
        assert created is not None
        return created

    def _add_all(self, table: str, record: type[Any], records: Iterable[Any]) -> None:
        names = [field.name for field in fields(record)]
        marks = ", ".join("?" * len(names))
        sql = f"INSERT INTO {table} VALUES ({marks})"  # noqa: S608 - a table of this package
        self._db.executemany(sql, map(attrgetter(*names), records))

    def _one(self, record: type[Record], sql: str, number: int) -> Record:
        try:
            row = self._db.execute(sql, (number,)).fetchone()
        except OverflowError:  # SQLite cannot store the number, so no row has it as its id
            row = None
        if row is None:
            raise KeyError(number)
        return record(*row)

    def _page(self, record: type[Record], table: str, row_filter: RowFilter) -> tuple[list[Record], int]:
        matching = f"FROM {table} WHERE {row_filter.where}"
        total = self._db.execute(f"SELECT count(*) {matching}", row_filter.values).fetchone()[0]
        rows = self._db.execute(
            f"SELECT * {matching} ORDER BY {row_filter.order} LIMIT ? OFFSET ?",
            (*row_filter.values, row_filter.limit, row_filter.offset),
        )
        return [record(*row) for row in rows], int(total)
