"""Read and check request bodies."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request

from airflow_dbt_rerun.local.dbt.commands import dbt_arguments
from airflow_dbt_rerun.local.runs.records import JOB_TYPES
from airflow_dbt_rerun.local.server.envelope import Refusal

Check = Callable[[Any], str | None]
"""Returns what is wrong with a value, or None if it is valid."""


def _typed(*types: type) -> Check:
    """Return a check of the type; a boolean does not count as an integer."""

    def check(value: Any) -> str | None:
        is_valid = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        return None if is_valid else f"must be of type {types[0].__name__}"

    return check


def _job_type(value: Any) -> str | None:
    return None if value in JOB_TYPES else f"{value!r} is not one of {', '.join(JOB_TYPES)}"


def _commands(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(command, str) for command in value):
        return "must be a list of dbt commands"
    try:
        for command in value:
            dbt_arguments(command)
    except ValueError as error:
        return str(error)
    return None


TRIGGER_FIELDS: Mapping[str, Check] = {
    "git_sha": _typed(str),
    "git_branch": _typed(str),
    "azure_pull_request_id": _typed(int),
    "github_pull_request_id": _typed(int),
    "gitlab_merge_request_id": _typed(int),
    "non_native_pull_request_id": _typed(int),
    "schema_override": _typed(str),
    "dbt_version_override": _typed(str),
    "threads_override": _typed(int),
    "target_name_override": _typed(str),
    "generate_docs_override": _typed(bool),
    "timeout_seconds_override": _typed(int),
    "steps_override": _commands,
}
_JOB_FIELDS: Mapping[str, Check] = {
    "name": _typed(str),
    "description": _typed(str),
    "dbt_version": _typed(str),
    "deferring_environment_id": _typed(int),
    "deferring_job_definition_id": _typed(int),
    "execute_steps": _commands,
    "execution": _typed(dict),
    "generate_docs": _typed(bool),
    "job_type": _job_type,
    "lifecycle_webhooks": _typed(bool),
    "run_compare_changes": _typed(bool),
    "compare_changes_flags": _typed(str),
    "run_generate_sources": _typed(bool),
    "run_lint": _typed(bool),
    "errors_on_lint_failure": _typed(bool),
    "cost_optimization_features": _typed(list),
    "settings": _typed(dict),
    "state": _typed(int),
    "triggers_on_draft_pr": _typed(bool),
    "triggers": _typed(dict),
    "schedule": _typed(dict),
    "generate_sources": _typed(bool),
}


async def read_trigger(request: Request) -> tuple[str, dict[str, Any]]:
    """Read the cause and the overrides of a trigger. Nulls and unknown names are ignored.

    :raises Refusal: 400, if there is no cause or a value is invalid
    """
    body = await read_object(request)
    cause = body.get("cause")
    if not isinstance(cause, str) or not cause:
        raise Refusal(400, "cause: This field is required.")
    return cause, _checked(body, TRIGGER_FIELDS)


async def read_job(request: Request) -> dict[str, Any]:
    """Read the settings of a job. Nulls and unknown names are ignored.

    :raises Refusal: 400, if a value is invalid
    """
    return _checked(await read_object(request), _JOB_FIELDS)


async def read_object(request: Request) -> dict[str, Any]:
    """Read a JSON object.

    :raises Refusal: 400, if the body is not a JSON object
    """
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise Refusal(400, f"The request body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refusal(400, "The request body is not a JSON object.")
    return body


def _checked(body: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    given = {name: body[name] for name in checks if body.get(name) is not None}
    for name, value in given.items():
        problem = checks[name](value)
        if problem:
            raise Refusal(400, f"{name}: {problem}")
    return given
