"""What can be done about a failed run."""

from __future__ import annotations

from enum import StrEnum


class RerunAction(StrEnum):
    """What to do about a failed run."""

    RERUN_FROM_FAILURE = "rerun_from_failure"
    """Resume the failed run: only failed and skipped nodes run (``POST runs/{id}/retry/``)."""
    RERUN_FROM_STEP = "rerun_from_step"
    """A new run of the failed command and the commands after it."""
    RERUN_FROM_START = "rerun_from_start"
    """A new run of everything."""
    REBUILD_TESTED = "rebuild_tested"
    """A new run of ``dbt build`` for the nodes that failed tests check, the tests, and what was skipped."""
    ASK = "ask"
    """Ask a person in Airflow's UI which of the others it shall be (Airflow 3.1 or newer)."""
    FAIL = "fail"
    """Do not rerun; a person is needed."""
