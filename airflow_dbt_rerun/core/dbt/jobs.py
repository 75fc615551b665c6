"""A job definition and an account, as far as they decide whether runs may start.

Built from API answers (``from_api``); field names as in the dbt Administrative API v2.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dbt_rerun.core.dbt.fields import (
    JsonObject,
    epoch,
    flag,
    identity,
    line,
    moment,
    texts,
    whole_or_none,
)

DELETED = 2
"""The ``state`` of a deleted object; 1 is active."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job definition."""

    id: int
    name: str
    project_id: int | None = None
    environment_id: int | None = None
    execute_steps: tuple[str, ...] = ()
    deactivated: bool = False
    run_failure_count: int = 0
    deleted: bool = False

    @classmethod
    def from_api(cls, data: JsonObject) -> Job:
        """Build from the ``data`` of a job answer.

        :raises FieldError: if ``id`` is no whole number.
        """
        return cls(
            id=identity(data),
            name=line(data, "name") or "",
            project_id=whole_or_none(data, "project_id"),
            environment_id=whole_or_none(data, "environment_id"),
            execute_steps=texts(data, "execute_steps"),
            deactivated=bool(flag(data, "deactivated")),
            run_failure_count=whole_or_none(data, "run_failure_count") or 0,
            deleted=whole_or_none(data, "state") == DELETED,
        )


@dataclass(frozen=True, slots=True)
class Account:
    """An account: the fields that decide whether runs may start.

    ``lock_reason`` and ``lock_cause`` are dbt's own words; ``run_locked_until`` is one of its timestamps.
    """

    id: int
    name: str = ""
    locked: bool = False
    lock_reason: str | None = None
    lock_cause: str | None = None
    run_locked_until: str | None = None
    queue_limit: int | None = None

    @classmethod
    def from_api(cls, data: JsonObject) -> Account:
        """Build from the ``data`` of an account answer.

        :raises FieldError: if ``id`` is no whole number.
        """
        return cls(
            id=identity(data),
            name=line(data, "name") or "",
            locked=bool(flag(data, "locked")),
            lock_reason=line(data, "lock_reason"),
            lock_cause=line(data, "lock_cause"),
            run_locked_until=moment(data, "run_locked_until"),
            queue_limit=whole_or_none(data, "queue_limit"),
        )

    def is_locked(self, now: float) -> bool:
        """Return whether the account is locked, so that no run may start.

        :param now: epoch seconds.
        """
        until = epoch(self.run_locked_until)
        return self.locked or (until is not None and until > now)
