"""Which kind of rerun is possible for a failed run: the table from "why not from failure" to what to do instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.core.findings import Diagnosis
from airflow_dbt_rerun.core.models import RetryNotSupported, Run
from airflow_dbt_rerun.core.policy import RerunAction

WHY_NOT_FROM_FAILURE = {
    RetryNotSupported.NO_RUN_RESULTS: "it died before its first node, so there is nothing to resume",
    RetryNotSupported.UNSUPPORTED_CMD: "dbt retry does not know the command that failed",
    RetryNotSupported.UNSUPPORTED_VERSION: "its dbt version cannot retry",
    RetryNotSupported.NOT_LATEST_RUN: "the job has a newer run",
    RetryNotSupported.NOT_FAILED_RUN: "the platform does not count it as failed",
}
"""The platform's five reasons (spec: ``RetryNotSupportedReasonEnum``), in words."""

NEEDS_NEW_COMMANDS = frozenset(
    {
        RetryNotSupported.NO_RUN_RESULTS,
        RetryNotSupported.UNSUPPORTED_CMD,
        RetryNotSupported.UNSUPPORTED_VERSION,
    }
)
"""The reasons for which the failed command can be run again as a whole."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The kind of rerun to make, and why it is not the one that was wanted."""

    action: RerunAction
    why_not_wanted: str | None = None
    superseded: bool = False


def choose_kind(
    wanted: RerunAction,
    run: Run,
    diagnosis: Diagnosis,
    fallback: RerunAction,
    overrides: Mapping[str, Any] | None = None,
) -> Choice:
    """Pick the kind of rerun that the platform and dbt allow.

    :param wanted: what the policy asked for.
    :param run: the failed run, read a moment ago.
    :param fallback: what to do where the run cannot be resumed but its commands can run again.
    :param overrides: what the rule wants to change for the rerun; a resumed run keeps its own settings.
    """
    reason = run.retry_not_supported_reason
    if reason == RetryNotSupported.NOT_LATEST_RUN:
        return Choice(RerunAction.FAIL, WHY_NOT_FROM_FAILURE[RetryNotSupported.NOT_LATEST_RUN], superseded=True)
    if wanted is not RerunAction.RERUN_FROM_FAILURE:
        return Choice(wanted)
    if overrides:
        changed = ", ".join(overrides)
        return Choice(fallback, f"a resumed run keeps its own settings, and the rule changes {changed}")
    if diagnosis.only_hooks_failed:
        return Choice(fallback, "only a hook failed, which dbt retry would not run again")
    if run.can_retry is not False:
        return Choice(wanted)
    if reason in NEEDS_NEW_COMMANDS:
        return Choice(fallback, WHY_NOT_FROM_FAILURE[RetryNotSupported(reason)])
    words = WHY_NOT_FROM_FAILURE.get(reason) if reason in set(RetryNotSupported) else None  # type: ignore[call-overload]
    return Choice(RerunAction.FAIL, words or f"the platform refuses a retry ({reason or 'no reason given'})")


def commands_from_failed_step(run: Run, resumed: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Name the failed command and those after it: what a rerun from the failed step has to run.

    When a built-in step failed (clone, profile, deps) no command had run, so these are all commands.

    :param run: the failed run with its steps and commands.
    :param resumed: the commands that this run took up, if it is a rerun from failure. The run itself does not tell:
        its first step may be named ``dbt retry``, and the platform may show the job's commands instead.
    """
    commands = resumed or run.commands
    step = run.stopping_step
    if step is None or step.command is None:
        return commands
    return commands[_position(run, commands, resumed=bool(resumed)) :]


def _position(run: Run, commands: tuple[str, ...], *, resumed: bool) -> int:
    """Find the failed step's place among the commands, by walking both lists side by side.

    Looking the name up would be wrong for a job that runs the same command twice.
    """
    position = 0
    for step in run.steps:
        command = step.command or ""
        if resumed and command.startswith("dbt retry"):
            command = commands[0]
        found = command in commands[position:]
        if found:
            position += commands[position:].index(command)
        if step == run.stopping_step:
            break
        position += 1 if found else 0
    return position
