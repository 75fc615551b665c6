"""Switches for what dbt's documents leave open.

The defaults are the likeliest reading of dbt's documentation. A client that works only under the defaults works by
luck, so its tests should run under the alternatives as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One answer to each open question.

    - ``refused_retry_status``: HTTP status of a refused ``POST runs/{id}/retry/``
    - ``refused_start_status``: HTTP status when the job is deactivated, the account is locked or its queue is full
    - ``deleted_job_status``: HTTP status of ``GET jobs/{id}/`` for a deleted job; with 200 the job is shown
    - ``latest``: which newer run of its job keeps a run from being retried: any, or only one that succeeded
    - ``rerun_when_not_retryable``: what ``POST jobs/{id}/rerun/`` does if the newest run cannot be resumed
    - ``retrying_run_id_filled``: whether a retry names the run that it retries
    - ``retry_keeps_overrides``: whether a retry keeps the overrides of the run that it retries
    - ``retry_runs``: whether a retry runs what is unfinished, everything or nothing, as dbt v2 (Fusion) might
    - ``retry_step_name``: whether the resumed step is called ``dbt retry`` or by its original command
    - ``retry_details``: whether ``GET runs/{id}/retry/`` lists commands or step names
    - ``skipped_step_status``: status of the steps after a failed one; None leaves them out of ``run_steps``
    - ``results_outlive_steps``: whether a step that writes no node results shows those of the step before it
    - ``over_scheduling``: whether dbt's scheduler, queueing a run, cancels the older runs of the job that it queued
    - ``cancelled_finished_at_filled``: whether a cancelled run has ``finished_at``
    - ``job_embed``: whether the ``job`` inside a run is complete or lacks ``execute_steps``
    - ``pk_in_understood``: whether the list of runs honours the documented ``pk__in`` or ignores it
    """

    refused_retry_status: Literal[400, 403, 404, 409, 422] = 400
    refused_start_status: Literal[400, 402, 403, 409, 422, 429] = 400
    deleted_job_status: Literal[404, 200] = 404
    latest: Literal["any_newer", "newer_success"] = "any_newer"
    rerun_when_not_retryable: Literal["full", "refuse"] = "full"
    retrying_run_id_filled: Literal[True, False] = True
    retry_keeps_overrides: Literal[True, False] = True
    retry_runs: Literal["unfinished", "everything", "nothing"] = "unfinished"
    retry_step_name: Literal["dbt retry", "command"] = "dbt retry"
    retry_details: Literal["commands", "names"] = "commands"
    skipped_step_status: Literal[1, 30] | None = None
    results_outlive_steps: Literal[True, False] = False
    over_scheduling: Literal["queue", "cancel_older"] = "queue"
    cancelled_finished_at_filled: Literal[True, False] = True
    job_embed: Literal["full", "partial"] = "full"
    pk_in_understood: Literal[True, False] = True

    def changed(self, changes: Mapping[str, Any]) -> Behaviour:
        """Return a copy with some switches changed.

        :raises ValueError: if a switch does not exist or does not have the value
        """
        for name, value in changes.items():
            if name not in _CHOICES:
                raise ValueError(f"unknown switch {name!r}; the switches are {', '.join(_CHOICES)}")
            if value not in _CHOICES[name]:
                raise ValueError(f"{name} must be one of {_CHOICES[name]}, not {value!r}")
        return replace(self, **changes)


def _choices(hint: Any) -> tuple[Any, ...]:
    """Return the values that a type allows: 1, 2 and None for ``Literal[1, 2] | None``."""
    if hint is type(None):
        return (None,)
    parts = get_args(hint)
    return parts if get_origin(hint) is Literal else tuple(choice for part in parts for choice in _choices(part))


_CHOICES = {name: _choices(hint) for name, hint in get_type_hints(Behaviour).items()}
