"""Check an answer against the question: one about another object, or another job, is no answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from airflow_dbt_rerun.core.dbt.fields import FieldError, JsonObject, identity, part, whole_or_none
from airflow_dbt_rerun.core.dbt.models import Run

T = TypeVar("T")


def answer_named(wanted: int, parse: Callable[[JsonObject], T]) -> Callable[[JsonObject], T]:
    """Read what was asked for; another object's answer is none."""

    def read(data: JsonObject) -> T:
        if identity(data) != wanted:
            raise FieldError("'id' is another one than was asked for")
        return parse(data)

    return read


def run_of_job(job_id: int) -> Callable[[JsonObject], Run]:
    """Read a new run of a job."""

    def read(data: JsonObject) -> Run:
        run = Run.from_api(data)
        if run.job_id != job_id:
            raise FieldError("'job_definition_id' is that of another job")
        return run

    return read


def run_after(resumed: int) -> Callable[[JsonObject], Run]:
    """Read the run that resumes another one: it is a newer one."""

    def read(data: JsonObject) -> Run:
        run = Run.from_api(data)
        if run.id <= resumed or run.retrying_run_id not in (None, resumed):
            raise FieldError("'id' or 'retrying_run_id' is that of another run")
        return run

    return read


def listed_in(envelope: JsonObject) -> Sequence[Any]:
    """Return the elements of a list. An answer that does not say what the list holds is none: not an empty list.

    :raises FieldError: if ``data`` is no list, the envelope speaks of a failure, or it counts elements that are not
        there.
    """
    data, status = envelope["data"], part(envelope, "status")
    if not isinstance(data, list):
        raise FieldError("'data' is no list")
    if status.get("is_success") is False:
        raise FieldError("'status' says that the request failed")
    pagination = part(part(envelope, "extra"), "pagination")
    offset = whole_or_none(part(part(envelope, "extra"), "filters"), "offset") or 0
    if not data and not offset and (whole_or_none(pagination, "total_count") or 0) > 0:
        raise FieldError("'data' is empty, but 'total_count' is not 0")
    return data
