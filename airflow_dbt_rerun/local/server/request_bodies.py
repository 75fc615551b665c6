"""Request bodies, read and checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request

from airflow_dbt_rerun.local.dbt.commands import dbt_arguments
from airflow_dbt_rerun.local.runs.records import JOB_TYPES
from airflow_dbt_rerun.local.server.envelope import Refusal

Check = Callable[[Any], str | None]
"""Says what is wrong with a value; None if nothing is."""


def _of(*types: type) -> Check:
    """Check for a type; a boolean is not a number here."""

    def check(value: Any) -> str | None:
        is_right = isinstance(value, types) and (bool in types or not isinstance(value, bool))
        return None if is_right else f"{types[0].__name__} is expected"

    return check


def _job_type(value: Any) -> str | None:
    return None if value in JOB_TYPES else f"{value!r} is not one of {', '.join(JOB_TYPES)}"


def _commands(value: Any) -> str | None:
    if not isinstance(value, list) or not all(isinstance(command, str) for command in value):
        return "a list of dbt commands is expected"
    try:
        for command in value:
            dbt_arguments(command)
    except ValueError as error:
        return str(error)
    return None


TRIGGER_FIELDS: Mapping[str, Check] = {
    "git_sha": _of(str),
    "git_branch": _of(str),
    "azure_pull_request_id": _of(int),
    "github_pull_request_id": _of(int),
    "gitlab_merge_request_id": _of(int),
    "non_native_pull_request_id": _of(int),
    "schema_override": _of(str),
    "dbt_version_override": _of(str),
    "threads_override": _of(int),
    "target_name_override": _of(str),
    "generate_docs_override": _of(bool),
    "timeout_seconds_override": _of(int),
    "steps_override": _commands,
}
_JOB: Mapping[str, Check] = {
    "name": _of(str),
    "description": _of(str),
    "dbt_version": _of(str),
    "deferring_environment_id": _of(int),
    "deferring_job_definition_id": _of(int),
    "execute_steps": _commands,
    "execution": _of(dict),
    "generate_docs": _of(bool),
    "job_type": _job_type,
    "lifecycle_webhooks": _of(bool),
    "run_compare_changes": _of(bool),
    "compare_changes_flags": _of(str),
    "run_generate_sources": _of(bool),
    "run_lint": _of(bool),
    "errors_on_lint_failure": _of(bool),
    "cost_optimization_features": _of(list),
    "settings": _of(dict),
    "state": _of(int),
    "triggers_on_draft_pr": _of(bool),
    "triggers": _of(dict),
    "schedule": _of(dict),
    "generate_sources": _of(bool),
}


async def read_trigger(request: Request) -> tuple[str, dict[str, Any]]:
    """Read a trigger request: its cause and its overrides. Nulls and unknown names say nothing.

    :raises Refusal: 400, if it has no cause, or a value of the wrong kind
    """
    body = await read_object(request)
    cause = body.get("cause")
    if not isinstance(cause, str) or not cause:
        raise Refusal(400, "cause: This field is required.")
    return cause, _known(body, TRIGGER_FIELDS)


async def read_job(request: Request) -> dict[str, Any]:
    """Read what is set of a job. Nulls and unknown names say nothing.

    :raises Refusal: 400, if a value is of the wrong kind
    """
    return _known(await read_object(request), _JOB)


async def read_object(request: Request) -> dict[str, Any]:
    """Read a JSON object.

    :raises Refusal: 400, if it is none
    """
    try:
        body = json.loads(await request.body())
    except ValueError as error:
        raise Refusal(400, f"The request body is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise Refusal(400, "The request body is not a JSON object.")
    return body


def _known(body: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    given = {name: body[name] for name in checks if body.get(name) is not None}
    for name, value in given.items():
        problem = checks[name](value)
        if problem:
            raise Refusal(400, f"{name}: {problem}")
    return given
