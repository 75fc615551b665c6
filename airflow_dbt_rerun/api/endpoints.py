"""The endpoints of the dbt Administrative API that this package uses, as values.

The functions send nothing: each returns an :class:`Endpoint`, which holds the request and the parser of its answer.
The blocking and the async client (:mod:`.client`) send the same values. To add an endpoint, add a function.

Ids may be numbers or text, since templates render to text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote, urlencode

from airflow_dbt_rerun.api.answer_checks import answer_named, listed_in, run_after, run_of_job
from airflow_dbt_rerun.core.dbt.fields import (
    FieldError,
    JsonObject,
    identity,
    line,
    part,
    parts,
    texts,
    whole_or_none,
)
from airflow_dbt_rerun.core.dbt.jobs import Account, Job
from airflow_dbt_rerun.core.dbt.models import GOING_STATUSES, TERMINAL_STATUSES, Run, RunStep, WatchedRun
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.heal.lineage import CAUSE_MAX_LENGTH
from airflow_dbt_rerun.exceptions import DbtConfigError

T = TypeVar("T")
Id = int | str
Moment = datetime | str

PAGE = 100
"""Elements in one page of a list; the platform returns no more."""

_AHEAD = timedelta(days=366)
"""A time range needs an end; this one is later than any that is asked for."""

ANY_TYPE = "*/*"

FULL_RUN = ("trigger", "job", "audit", "run_steps")
"""``include_related`` for a diagnosis: the run's trigger, job, audit (who cancelled it) and steps with logs."""


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[T]):
    """A request, and the parser of its answer's body.

    ``path`` is relative to the account. ``json`` stays out of the repr: overrides may carry ``--vars``.
    """

    method: Literal["GET", "POST"]
    path: str
    parse: Callable[[bytes], T] = field(repr=False)
    params: Mapping[str, Any] = field(default_factory=dict)
    json: Mapping[str, Any] | None = field(default=None, repr=False)
    accept: str = "application/json"
    version: str = "v2"

    def __str__(self) -> str:
        """Return a name for messages: ``GET runs/123/``."""
        return f"{self.method} {self.path or 'account'}"

    @property
    def is_repeatable(self) -> bool:
        """Whether the request may safely be sent twice. No POST of this API may."""
        return self.method == "GET"

    @property
    def is_artifact(self) -> bool:
        """Whether the answer is a file, which may be large, instead of an API object."""
        return self.accept == ANY_TYPE

    def location(self, account_id: int) -> str:
        """Return path and query, from ``/api`` on."""
        query = urlencode({name: _encoded(value) for name, value in self.params.items() if value is not None})
        return f"/api/{self.version}/accounts/{account_id}/{self.path}" + (f"?{query}" if query else "")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. ``total`` is the number of elements on all pages, or None if the platform omits it."""

    items: tuple[T, ...]
    total: int | None = None

    def __iter__(self) -> Iterator[T]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True, slots=True)
class Resource:
    """A project or environment, with the fields needed to find it by name."""

    id: int
    name: str
    project_id: int | None = None

    @classmethod
    def from_api(cls, data: JsonObject) -> Resource:
        """Build from the ``data`` of an answer.

        :raises FieldError: if ``id`` is no whole number.
        """
        return cls(identity(data), line(data, "name") or "", whole_or_none(data, "project_id"))


@dataclass(frozen=True, slots=True)
class RetryPreview:
    """What a retry of a run would do: the names of steps, as the platform shows them."""

    failed_step: str | None
    skipped_steps: tuple[str, ...]

    @classmethod
    def from_api(cls, data: JsonObject) -> RetryPreview:
        """Build from the ``data`` of ``GET runs/{id}/retry/``."""
        return cls(line(data, "failed_step"), texts(data, "skipped_steps"))


def get_account() -> Endpoint[Account]:
    """Read the account. A service token may lack this permission and still run jobs."""
    return Endpoint("GET", "", _data(Account.from_api))


def list_projects(*, name_contains: str | None = None, offset: int = 0) -> Endpoint[Page[Resource]]:
    """List projects; ``name_contains`` ignores case. Uses v3, since the list of v2 is deprecated."""
    params = {"name__icontains": name_contains, "limit": PAGE, "offset": offset}
    return Endpoint("GET", "projects/", _page(Resource.from_api), params, version="v3")


def get_project(project_id: Id) -> Endpoint[Resource]:
    """Read a project. Uses v3, as above."""
    wanted = number("project_id", project_id)
    parse = _data(answer_named(wanted, Resource.from_api))
    return Endpoint("GET", f"projects/{wanted}/", parse, version="v3")


def list_environments(
    project_id: Id, *, name_contains: str | None = None, offset: int = 0
) -> Endpoint[Page[Resource]]:
    """List a project's environments; ``name_contains`` ignores case. Uses v3, as above."""
    params = {"name__icontains": name_contains, "limit": PAGE, "offset": offset}
    path = f"projects/{number('project_id', project_id)}/environments/"
    return Endpoint("GET", path, _page(Resource.from_api), params, version="v3")


def get_environment(project_id: Id, environment_id: Id) -> Endpoint[Resource]:
    """Read an environment of a project. Uses v3, as above."""
    wanted = number("environment_id", environment_id)
    path = f"projects/{number('project_id', project_id)}/environments/{wanted}/"
    return Endpoint("GET", path, _data(answer_named(wanted, Resource.from_api)), version="v3")


def get_job(job_id: Id) -> Endpoint[Job]:
    """Read a job's definition."""
    wanted = number("job_id", job_id)
    return Endpoint("GET", f"jobs/{wanted}/", _data(answer_named(wanted, Job.from_api)))


def list_jobs(
    *,
    project_id: Id | None = None,
    environment_id: Id | None = None,
    name_contains: str | None = None,
    order_by: str | None = None,
    limit: int = PAGE,
    offset: int = 0,
) -> Endpoint[Page[Job]]:
    """List the jobs that are not deleted; ``name_contains`` ignores case."""
    params = {
        "project_id": _number_or_none("project_id", project_id),
        "environment_id": _number_or_none("environment_id", environment_id),
        "name__icontains": name_contains,
        "order_by": order_by,
        "limit": limit,
        "offset": offset,
    }
    return Endpoint("GET", "jobs/", _page(Job.from_api), params)


def trigger_job(job_id: Id, *, cause: str, overrides: Mapping[str, Any] | None = None) -> Endpoint[Run]:
    """Start a run of a job. ``overrides`` are fields of dbt's trigger request; None values are left out."""
    given = {name: value for name, value in (overrides or {}).items() if value is not None}
    body = {**given, "cause": cause[:CAUSE_MAX_LENGTH]}
    wanted = number("job_id", job_id)
    return Endpoint("POST", f"jobs/{wanted}/run/", _data(run_of_job(wanted)), json=body)


def rerun_job(job_id: Id) -> Endpoint[Run]:
    """Resume the job's *latest* run if that failed, else start a whole new run. Prefer :func:`retry_run`."""
    wanted = number("job_id", job_id)
    return Endpoint("POST", f"jobs/{wanted}/rerun/", _data(run_of_job(wanted)))


def get_run(run_id: Id, *, include_related: Sequence[str] = ()) -> Endpoint[Run]:
    """Read a run. It has steps, trigger, job and audit only if requested: see :data:`FULL_RUN`."""
    params = {"include_related": _related(include_related)}
    wanted = number("run_id", run_id)
    return Endpoint("GET", f"runs/{wanted}/", _data(answer_named(wanted, Run.from_api)), params)


def list_runs(
    *,
    ids: Sequence[Id] | None = None,
    job_id: Id | None = None,
    project_id: Id | None = None,
    environment_id: Id | None = None,
    status: int | None = None,
    status_in: Sequence[int] | None = None,
    id_gt: int | None = None,
    created_at: tuple[Moment, Moment] | None = None,
    finished_at: tuple[Moment, Moment] | None = None,
    include_related: Sequence[str] = (),
    order_by: str = "-id",
    limit: int = PAGE,
    offset: int = 0,
) -> Endpoint[Page[Run]]:
    """List runs, newest first. Only ``trigger``, ``job`` and ``audit`` can be related: a list has no steps.

    ``created_at`` and ``finished_at`` are ranges; runs in progress are in no ``finished_at`` range.
    """
    params = {
        "pk__in": None if ids is None else [number("run_id", one) for one in ids],
        "job_definition_id": _number_or_none("job_id", job_id),
        "project_id": _number_or_none("project_id", project_id),
        "environment_id": _number_or_none("environment_id", environment_id),
        "status": status,
        "status__in": status_in,
        "id__gt": id_gt,
        "created_at__range": created_at,
        "finished_at__range": finished_at,
        "include_related": _related(include_related),
        "order_by": order_by,
        "limit": limit,
        "offset": offset,
    }
    return Endpoint("GET", "runs/", _page(Run.from_api), params)


def query_runs(params: Mapping[str, Any]) -> Endpoint[Page[Run]]:
    """Read one page of runs by a query in dbt's own terms; a list in it is sent as ``include_related`` is."""
    sent = {name: _related(value) if name == "include_related" else value for name, value in params.items()}
    return Endpoint("GET", "runs/", _page(Run.from_api), sent)


def get_run_state(run_id: Id) -> Endpoint[WatchedRun]:
    """Read the fields of a run that watching needs."""
    wanted = number("run_id", run_id)
    return Endpoint("GET", get_run(wanted).path, _data(answer_named(wanted, WatchedRun.from_api)))


def list_run_states(ids: Sequence[Id]) -> Endpoint[Page[WatchedRun]]:
    """List these runs, at most :data:`PAGE` of them, with the fields that watching needs."""
    return Endpoint("GET", "runs/", _states, list_runs(ids=ids, limit=len(ids)).params)


def list_watched_runs(
    *,
    statuses: Iterable[int],
    ids: Sequence[Id] | None = None,
    id_gt: int | None = None,
    ended_since: float | None = None,
    limit: int = PAGE,
    offset: int = 0,
) -> Endpoint[Page[WatchedRun]]:
    """List runs, earliest end first, with the fields that watching needs; ``ended_since`` is in epoch seconds."""
    ended = None
    if ended_since is not None:
        since = datetime.fromtimestamp(ended_since, UTC)
        ended = (since, since + _AHEAD)
    params = list_runs(
        ids=ids,
        status_in=sorted(statuses),
        id_gt=id_gt,
        finished_at=ended,
        order_by="finished_at",
        limit=limit,
        offset=offset,
    ).params
    return Endpoint("GET", "runs/", _states, params)


def list_going_runs(*, offset: int = 0) -> Endpoint[Page[WatchedRun]]:
    """List all runs of the account that are in progress, with the fields that watching needs."""
    params = list_runs(status_in=sorted(GOING_STATUSES), offset=offset).params
    return Endpoint("GET", "runs/", _states, params)


def list_ended_runs() -> Endpoint[Page[WatchedRun]]:
    """List all ended runs of the account, latest end first, with the fields that watching needs."""
    params = list_runs(status_in=sorted(TERMINAL_STATUSES), order_by="-finished_at").params
    return Endpoint("GET", "runs/", _states, params)


def preview_retry(run_id: Id) -> Endpoint[RetryPreview]:
    """Read what a retry of this run would do. Retries nothing."""
    return Endpoint("GET", f"runs/{number('run_id', run_id)}/retry/", _data(RetryPreview.from_api))


def retry_run(run_id: Id) -> Endpoint[Run]:
    """Resume exactly this run from its point of failure, as a new run. Takes no cause and no overrides."""
    resumed = number("run_id", run_id)
    return Endpoint("POST", f"runs/{resumed}/retry/", _data(run_after(resumed)))


def cancel_run(run_id: Id) -> Endpoint[Run]:
    """Cancel a run. The answer may still show it as in progress."""
    wanted = number("run_id", run_id)
    return Endpoint("POST", f"runs/{wanted}/cancel/", _data(answer_named(wanted, Run.from_api)))


def get_step(step_id: Id, *, debug_logs: bool = False) -> Endpoint[RunStep]:
    """Read one step of a run by the step's own id (not its index), with its log."""
    params = {"include_related": _related(("debug_logs",) if debug_logs else ())}
    wanted = number("step_id", step_id)
    return Endpoint("GET", f"steps/{wanted}/", _data(answer_named(wanted, RunStep.from_api)), params)


def list_artifacts(run_id: Id, *, step: int | None = None) -> Endpoint[tuple[str, ...]]:
    """List the paths of the artifacts of a step, by its index, or of the last; empty if none were saved."""
    path = f"runs/{number('run_id', run_id)}/artifacts/"
    return Endpoint("GET", path, _json(lambda envelope: texts(envelope, "data")), {"step": step})


def get_artifact(run_id: Id, path: str, *, step: int | None = None) -> Endpoint[bytes]:
    """Fetch one artifact as bytes. ``step`` is a step's 1-based index; by default the last step."""
    return _artifact(run_id, path, step, bytes)


def get_json_artifact(run_id: Id, path: str, *, step: int | None = None) -> Endpoint[Any]:
    """Fetch one artifact and decode it from JSON."""
    return _artifact(run_id, path, step, json.loads)


def get_step_results(
    run_id: Id, *, step: int | None = None, path: str = "run_results.json", created_at: str | None = None
) -> Endpoint[StepResults]:
    """Read the result of each node in a step: ``run_results.json``, or ``sources.json`` for freshness.

    :param created_at: when the run was created; results that were written before count as none.
    """

    def read(file: Any) -> StepResults:
        wanted = number("run_id", run_id)
        return StepResults.from_artifact(file, step_index=step, run_id=wanted, created_at=created_at)

    return _artifact(run_id, path, step, _json(read))


def next_page(endpoint: Endpoint[Page[T]], page: Page[T]) -> Endpoint[Page[T]] | None:
    """Return the endpoint of the page after ``page``, or None at the end. An empty page is always the end."""
    seen = int(endpoint.params.get("offset") or 0) + len(page)
    full = len(page) >= int(endpoint.params.get("limit") or PAGE)
    more = bool(page) and (full if page.total is None else seen < page.total)
    return replace(endpoint, params={**endpoint.params, "offset": seen}) if more else None


def number(name: str, value: Id) -> int:
    """Return an id as a number; it may be text.

    :raises DbtConfigError: if it is not a whole number above zero.
    """
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and int(text)):
        raise DbtConfigError(f"{name} must be a number, not {value!r}")
    return int(text)


def _number_or_none(name: str, value: Id | None) -> int | None:
    return None if value is None else number(name, value)


def _artifact(run_id: Id, path: str, step: int | None, parse: Callable[[bytes], T]) -> Endpoint[T]:
    # No slash at the end, and any type accepted: artifacts are files, not API objects.
    where = f"runs/{number('run_id', run_id)}/artifacts/{quote(path.lstrip('/'))}"
    return Endpoint("GET", where, parse, {"step": step}, accept=ANY_TYPE)


def _related(names: Sequence[str] | str | None) -> str | None:
    # Clients use four spellings; this is that of dbt Labs' own client.
    if isinstance(names, str):
        return names
    return "[" + ",".join(f"'{name}'" for name in names) + "]" if names else None


def _encoded(value: Any) -> str:
    # Lists are sent as one JSON array, as every known client does.
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=_iso)


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise DbtConfigError(f"cannot send a {type(value).__name__} to dbt")


def _json(parse: Callable[[Any], T]) -> Callable[[bytes], T]:
    return lambda body: parse(json.loads(body))


def _data(parse: Callable[[JsonObject], T]) -> Callable[[bytes], T]:
    return _json(lambda envelope: parse(_object(envelope["data"])))


def _page(parse: Callable[[JsonObject], T]) -> Callable[[bytes], Page[T]]:
    def read(envelope: JsonObject) -> Page[T]:
        listed = listed_in(envelope)
        total = whole_or_none(part(part(envelope, "extra"), "pagination"), "total_count")
        return Page(tuple(map(parse, parts({"data": listed}, "data"))), total)

    return _json(read)


def _states(body: bytes) -> Page[WatchedRun]:
    """Read a list of states. An unreadable entry is left out, so that its run is asked for singly."""

    def read(entry: object) -> WatchedRun | None:
        try:
            return WatchedRun.from_api(_object(entry))
        except FieldError:
            return None

    envelope = json.loads(body)
    total = whole_or_none(part(part(envelope, "extra"), "pagination"), "total_count")
    return Page(tuple(found for found in map(read, listed_in(envelope)) if found is not None), total)


def _object(value: Any) -> JsonObject:
    if not isinstance(value, Mapping):
        raise FieldError("'data' is no object")
    return value
