"""Find a job by its name and those of its project and environment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from airflow_dbt_rerun.api.endpoints import Resource, list_environments, list_jobs, list_projects
from airflow_dbt_rerun.core.dbt.jobs import Job
from airflow_dbt_rerun.exceptions import DbtConfigError

if TYPE_CHECKING:
    from airflow_dbt_rerun.api.client import DbtClient

T = TypeVar("T", Resource, Job)


def find_job_id(client: DbtClient, *, project_name: str, environment_name: str, job_name: str) -> int:
    """Return the id of the job with this name in this environment of this project.

    :raises DbtConfigError: if one of the three names matches nothing or several; it lists the candidates.
    """
    project = _only("project_name", project_name, client.collect(list_projects(name_contains=project_name)))
    environments = client.collect(list_environments(project.id, name_contains=environment_name))
    environment = _only("environment_name", environment_name, environments)
    jobs = client.collect(list_jobs(project_id=project.id, environment_id=environment.id, name_contains=job_name))
    return _only("job_name", job_name, jobs).id


def _only(parameter: str, wanted: str, found: Sequence[T]) -> T:
    # The platform's filter is "contains, ignoring case"; here the name must match exactly.
    exact = [each for each in found if each.name == wanted]
    if len(exact) == 1:
        return exact[0]
    if exact:
        ids = ", ".join(str(each.id) for each in exact)
        raise DbtConfigError(f"{parameter}={wanted!r} is ambiguous: it names {ids}; use job_id instead")
    near = ", ".join(repr(each.name) for each in found[:10]) or "no similar name"
    raise DbtConfigError(f"{parameter}={wanted!r} was not found; the nearest names: {near}")
