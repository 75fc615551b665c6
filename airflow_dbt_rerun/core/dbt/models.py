"""Jobs, runs and steps of the dbt platform, as values.

Built from API answers (``from_api``). Unknown fields are ignored, and unknown statuses are kept unchanged: they
count neither as success nor as failure.

Field names and numbers: dbt Administrative API v2 (``RunResponse``, ``RunStepResponse``). Each field is checked by
:mod:`.fields`: an id or a status of another type is refused, any other such field counts as missing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, NamedTuple

from airflow_dbt_rerun.core.dbt.fields import (
    FieldError,
    JsonObject,
    block,
    epoch,
    flag,
    identity,
    line,
    link,
    moment,
    one_line,
    part,
    parts,
    texts,
    whole,
    whole_or_none,
    wholes,
    words,
)

_COMMAND_IN_STEP_NAME = re.compile(r"`([^`]+)`")


class RunStatus(IntEnum):
    """The six statuses a run can have (API field ``status``)."""

    QUEUED = 1
    STARTING = 2
    RUNNING = 3
    SUCCESS = 10
    ERROR = 20
    CANCELLED = 30


TERMINAL_STATUSES = frozenset({RunStatus.SUCCESS, RunStatus.ERROR, RunStatus.CANCELLED})
GOING_STATUSES = frozenset({RunStatus.QUEUED, RunStatus.STARTING, RunStatus.RUNNING})


class RetryNotSupported(StrEnum):
    """Why the platform cannot resume a run (API field ``retry_not_supported_reason``)."""

    UNSUPPORTED_CMD = "RETRY_UNSUPPORTED_CMD"
    UNSUPPORTED_VERSION = "RETRY_UNSUPPORTED_VERSION"
    NOT_LATEST_RUN = "RETRY_NOT_LATEST_RUN"
    NOT_FAILED_RUN = "RETRY_NOT_FAILED_RUN"
    NO_RUN_RESULTS = "RETRY_NO_RUN_RESULTS"


@dataclass(frozen=True, slots=True)
class RunStep:
    """One step of a run: a built-in one (clone, profile, deps) or one dbt command."""

    id: int
    index: int
    name: str
    status: int
    logs: str = ""

    @property
    def command(self) -> str | None:
        """The dbt command between the backquotes of the step's name, or None for a built-in step."""
        found = _COMMAND_IN_STEP_NAME.search(self.name)
        return found.group(1) if found else None

    @property
    def title(self) -> str:
        """The step's name for people, on one line of bounded length."""
        return one_line(self.name)

    @property
    def is_error(self) -> bool:
        """Whether dbt reports this step as failed."""
        return self.status == RunStatus.ERROR

    @classmethod
    def from_api(cls, data: JsonObject) -> RunStep:
        """Build a step from an element of ``run_steps`` or from ``steps/{id}/``.

        :raises FieldError: if ``id``, ``index`` or ``status`` is no whole number.
        """
        return cls(
            id=identity(data),
            index=whole(data, "index"),
            name=words(data, "name") or "",
            status=whole(data, "status"),
            logs=block(data, "logs", limit=None) or "",
        )


OVERRIDE_FIELDS = (
    "git_sha",
    "git_branch",
    "azure_pull_request_id",
    "github_pull_request_id",
    "gitlab_merge_request_id",
    "non_native_pull_request_id",
    "schema_override",
    "dbt_version_override",
    "threads_override",
    "target_name_override",
    "generate_docs_override",
    "timeout_seconds_override",
    "steps_override",
)
"""What a trigger request can change for one run, besides its cause (spec: ``TriggerRunRequest``)."""


@dataclass(frozen=True, slots=True)
class RunTrigger:
    """Who or what started a run, and with which overrides."""

    cause: str = ""
    cause_category: str | None = None
    overrides: Mapping[str, Any] | None = None

    @classmethod
    def from_api(cls, data: JsonObject) -> RunTrigger:
        """Build from the ``trigger`` object of a run."""
        overrides = {name: data[name] for name in OVERRIDE_FIELDS if _is_override(data.get(name))}
        return cls(line(data, "cause") or "", line(data, "cause_category"), overrides)


def _is_override(value: Any) -> bool:
    """Return whether a field of a trigger holds what a trigger request can: a text, a number, a flag, commands."""
    if isinstance(value, list):
        return bool(texts({"": value}, ""))
    return isinstance(value, bool | int) or bool(words({"": value}, ""))


@dataclass(frozen=True, slots=True)
class Run:
    """One execution of a job, as the platform reports it."""

    id: int
    job_id: int
    status: int
    status_message: str | None = None
    account_id: int | None = None
    project_id: int | None = None
    environment_id: int | None = None
    href: str | None = None
    git_sha: str | None = None
    git_branch: str | None = None
    dbt_version: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    finished_at: str | None = None
    updated_at: str | None = None
    can_retry: bool | None = None
    retry_not_supported_reason: str | None = None
    retrying_run_id: int | None = None
    trigger: RunTrigger | None = None
    steps: tuple[RunStep, ...] = ()
    commands: tuple[str, ...] = ()
    started_by: tuple[str, ...] = ()
    """Who started it, by type, id and name; empty if dbt names nobody, or the audit was not requested."""
    cancelled_by: str | None = None
    cancelled_by_starter: bool = False
    """Whether the user or token that started it also cancelled it, as a task does that is killed or times out."""
    blocked_by: tuple[int, ...] = ()
    """The runs that a queued run waits for, since a job's runs run one after the other."""
    job_name: str | None = None
    """The job's name, if the job was requested with the run."""
    job_commands: tuple[str, ...] = ()
    """The job's own commands, if the job was requested with the run."""
    job_target: str | None = None
    """The job's target name, if the job was requested with the run."""
    job_dbt_version: str | None = None
    """The job's dbt version, if the job was requested with the run; None if the environment's version applies."""
    job_updated_at: str | None = None
    """When the job's definition was changed last."""
    failed_runs: int | None = None
    """Failed runs of the job in a row (the job's ``run_failure_count``); dbt deactivates a job at 100."""

    @property
    def is_terminal(self) -> bool:
        """Whether the run is over. A status this package does not know is not over."""
        return self.status in TERMINAL_STATUSES

    @property
    def is_success(self) -> bool:
        """Whether dbt reports success: status 10 and nothing else."""
        return self.status == RunStatus.SUCCESS

    @property
    def is_error(self) -> bool:
        """Whether dbt reports failure: status 20 and nothing else."""
        return self.status == RunStatus.ERROR

    @property
    def is_cancelled(self) -> bool:
        """Whether the run was stopped, by a person, a timeout or the platform: status 30."""
        return self.status == RunStatus.CANCELLED

    @property
    def status_name(self) -> str:
        """dbt's name of the status, for example ``Error``."""
        try:
            return RunStatus(self.status).name.capitalize()
        except ValueError:
            return f"status {self.status} (unknown to this version)"

    @property
    def seconds(self) -> float | None:
        """The seconds from the run's start to its end; None before the end."""
        began, ended = epoch(self.started_at), epoch(self.finished_at)
        return None if began is None or ended is None else max(ended - began, 0.0)

    @property
    def stopping_step(self) -> RunStep | None:
        """The step that ended the run: the last one that failed, or the first one that was cancelled.

        A failed step before it did not stop the job: dbt's "run source freshness" box may fail without
        failing the run (docs.getdbt.com/docs/deploy/job-commands).
        """
        if self.is_cancelled:
            return next((step for step in self.steps if step.status == RunStatus.CANCELLED), None)
        return self.failed_steps[-1] if self.failed_steps else None

    @property
    def failed_steps(self) -> tuple[RunStep, ...]:
        """The steps with status 20, in order. The first may not be the one that stopped the run."""
        return tuple(step for step in self.steps if step.is_error)

    @classmethod
    def from_api(cls, data: JsonObject) -> Run:
        """Build a run from the ``data`` of a run answer or an element of a list of runs.

        :raises FieldError: if ``id`` or ``status`` is no whole number.
        """
        job, trigger = part(data, "job"), part(data, "trigger")
        return cls(
            id=identity(data),
            job_id=whole_or_none(data, "job_definition_id") or whole_or_none(data, "job_id") or 0,
            status=_status(data),
            status_message=block(data, "status_message"),
            account_id=whole_or_none(data, "account_id"),
            project_id=whole_or_none(data, "project_id"),
            environment_id=whole_or_none(data, "environment_id"),
            href=link(data, "href"),
            git_sha=line(data, "git_sha"),
            git_branch=words(data, "git_branch"),
            dbt_version=words(data, "dbt_version"),
            created_at=moment(data, "created_at"),
            started_at=moment(data, "started_at"),
            finished_at=moment(data, "finished_at"),
            updated_at=moment(data, "updated_at"),
            can_retry=flag(data, "can_retry"),
            retry_not_supported_reason=line(data, "retry_not_supported_reason"),
            retrying_run_id=whole_or_none(data, "retrying_run_id"),
            trigger=RunTrigger.from_api(trigger) if trigger else None,
            steps=tuple(map(RunStep.from_api, parts(data, "run_steps"))),
            commands=texts(trigger, "steps_override") or texts(job, "execute_steps"),
            started_by=_identity(_actor(data, "trigger")),
            cancelled_by=_name(_actor(data, "cancellation")),
            cancelled_by_starter=_is_same(_actor(data, "cancellation"), _actor(data, "trigger")),
            blocked_by=wholes(data, "blocked_by"),
            job_name=line(job, "name"),
            job_commands=texts(job, "execute_steps"),
            job_target=words(part(job, "settings"), "target_name"),
            job_dbt_version=words(job, "dbt_version"),
            job_updated_at=moment(job, "updated_at"),
            failed_runs=whole_or_none(job, "run_failure_count"),
        )


class WatchedRun(NamedTuple):
    """The fields of a run that watching needs, and no more: thousands are read per minute."""

    id: int
    status: int
    started_at: str | None = None
    finished_at: str | None = None

    @property
    def is_terminal(self) -> bool:
        """Whether the run is over. A status this package does not know is not over."""
        return self.status in TERMINAL_STATUSES

    @classmethod
    def from_api(cls, data: JsonObject) -> WatchedRun:
        """Build from the ``data`` of a run answer or an element of a list of runs.

        :raises FieldError: if ``id`` or ``status`` is no whole number.
        """
        return cls(identity(data), _status(data), moment(data, "started_at"), moment(data, "finished_at"))


_FLAGS: Mapping[int, Mapping[str, bool]] = {
    RunStatus.SUCCESS: {"is_success": True, "is_error": False, "is_cancelled": False, "in_progress": False},
    RunStatus.ERROR: {"is_success": False, "is_error": True, "is_cancelled": False, "in_progress": False},
    RunStatus.CANCELLED: {"is_success": False, "is_error": False, "is_cancelled": True, "in_progress": False},
}
"""What dbt says of a run that is over besides its status."""


_NAMES = {status.name.capitalize(): status for status in RunStatus}


def _status(data: JsonObject) -> int:
    """Return the status of a run.

    :raises FieldError: if it is no whole number, or dbt's own words or flags contradict it: one of them is wrong.
    """
    status = whole(data, "status")
    said = line(data, "status_humanized")
    if said in _NAMES and _NAMES[said] != status:
        raise FieldError(f"'status' is {status}, but 'status_humanized' is {said!r}")
    for name, value in _FLAGS.get(status, {}).items():
        if flag(data, name) is (not value):
            raise FieldError(f"'status' is {status}, but {name!r} is {not value}")
    return status


def _actor(data: JsonObject, deed: str) -> JsonObject:
    """Return who triggered or cancelled the run; empty if a timeout or the platform ended it."""
    return part(part(part(data, "audit"), deed), "actor")


def _name(actor: JsonObject) -> str | None:
    number = whole_or_none(actor, "id")
    return line(actor, "name") or line(actor, "type") or (str(number) if number else None)


def _identity(actor: JsonObject) -> tuple[str, ...]:
    return tuple(str(actor.get(part)) for part in ("type", "id", "name")) if _name(actor) is not None else ()


def _is_same(one: JsonObject, other: JsonObject) -> bool:
    return _name(one) is not None and all(one.get(part) == other.get(part) for part in ("id", "type", "name"))
