"""Read and check request bodies."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from airflow_dbt_rerun.local.server.envelope import Refusal
from airflow_dbt_rerun.local.server.values import (
    Check,
    a_cause,
    a_job_type,
    a_state,
    an_id,
    commands,
    mapping,
    typed,
    unusable,
    whole_number,
)

LARGEST_BODY = 2_000_000
"""Bytes. The body of a trigger or a job has a few kilobytes."""

_MOST_READ = 100_000_000
"""Bytes that are read of a body that is too large: a client that is still sending may not hear the answer."""

_SECONDS = whole_number(0)  # 0 means no limit of its own
_THREADS = whole_number(1)
_ON_OFF = typed(bool)

TRIGGER_FIELDS: Mapping[str, Check] = {
    "git_sha": typed(str),
    "git_branch": typed(str),
    "azure_pull_request_id": an_id,
    "github_pull_request_id": an_id,
    "gitlab_merge_request_id": an_id,
    "non_native_pull_request_id": an_id,
    "schema_override": typed(str),
    "dbt_version_override": typed(str),
    "threads_override": _THREADS,
    "target_name_override": typed(str),
    "generate_docs_override": _ON_OFF,
    "timeout_seconds_override": _SECONDS,
    "steps_override": commands,
}
_JOB_FIELDS: Mapping[str, Check] = {
    "name": typed(str),
    "description": typed(str),
    "dbt_version": typed(str),
    "deferring_environment_id": an_id,
    "deferring_job_definition_id": an_id,
    "execute_steps": commands,
    "execution": mapping({"timeout_seconds": _SECONDS}),
    "generate_docs": _ON_OFF,
    "job_type": a_job_type,
    "lifecycle_webhooks": _ON_OFF,
    "run_compare_changes": _ON_OFF,
    "compare_changes_flags": typed(str),
    "run_generate_sources": _ON_OFF,
    "run_lint": _ON_OFF,
    "errors_on_lint_failure": _ON_OFF,
    "cost_optimization_features": typed(list),
    "settings": mapping({"threads": _THREADS, "target_name": typed(str)}),
    "state": a_state,
    "triggers_on_draft_pr": _ON_OFF,
    "triggers": mapping(dict.fromkeys(("github_webhook", "git_provider_webhook", "schedule", "on_merge"), _ON_OFF)),
    "schedule": typed(dict),
    "generate_sources": _ON_OFF,
}


async def read_trigger(request: Request) -> tuple[str, dict[str, Any]]:
    """Read the cause and the overrides of a trigger. Nulls and unknown names are ignored.

    :raises Refusal: 400, if there is no cause or a value is invalid
    """
    body = await read_object(request)
    if problem := a_cause(body.get("cause")):
        raise Refusal(400, f"cause: {problem}")
    return body["cause"], checked(body, TRIGGER_FIELDS)


async def read_job(request: Request) -> dict[str, Any]:
    """Read the settings of a job. Nulls and unknown names are ignored.

    :raises Refusal: 400, if a value is invalid
    """
    return checked(await read_object(request), _JOB_FIELDS)


async def read_object(request: Request) -> dict[str, Any]:
    """Read a JSON object.

    :raises Refusal: 400, if the body is not a JSON object, or nothing could store it; 413, if it is too large
    """
    try:
        body = json.loads(await _read_body(request))
    except (ValueError, RecursionError) as error:
        told = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise Refusal(400, f"The request body is not JSON: {told}") from error
    if not isinstance(body, dict):
        raise Refusal(400, "The request body is not a JSON object.")
    if problem := unusable(body):
        raise Refusal(400, problem)
    return body


async def _read_body(request: Request) -> bytes:
    body, size = bytearray(), 0
    async for part in request.stream():
        size += len(part)
        if size <= LARGEST_BODY:
            body += part
        elif size > _MOST_READ:
            break
    if size > LARGEST_BODY:
        raise Refusal(413, f"The request body has more than {LARGEST_BODY:,} bytes.")
    return bytes(body)


def checked(body: Mapping[str, Any], checks: Mapping[str, Check]) -> dict[str, Any]:
    """Return the fields of a body that have a check. Nulls and other names are ignored.

    :raises Refusal: 400, naming the first field whose value is invalid
    """
    given = {name: body[name] for name in checks if body.get(name) is not None}
    for name, value in given.items():
        problem = checks[name](value)
        if problem:
            raise Refusal(400, f"{name}: {problem}")
    return given
