"""Whether one run stands for another: only if it did the same work in the same place.

What counts is what is in force: the override of the run's trigger or, without one, the job's own setting. Threads,
timeouts and the generation of docs change how a run works, not what it builds.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from airflow_dbt_rerun.core.dbt.commands import words_of
from airflow_dbt_rerun.core.dbt.executed import executed, is_of_another_definition, is_whole, leaves_out
from airflow_dbt_rerun.core.dbt.models import Run

PULL_REQUESTS = (
    "github_pull_request_id",
    "gitlab_merge_request_id",
    "azure_pull_request_id",
    "non_native_pull_request_id",
)


HOW = frozenset({"threads_override", "generate_docs_override", "timeout_seconds_override", "steps_override"})
"""Overrides of how a run works, and of its commands: a resumed run needs none of them to do the same work."""


def override(name: str) -> Callable[[Run], Any]:
    """Read a field of the request that started a run; None where it was not given."""
    return lambda run: overrides_of(run).get(name)


def overrides_of(run: Run) -> Mapping[str, Any]:
    """Return the overrides that a run was started with, as far as its trigger is known."""
    return (run.trigger.overrides or {}) if run.trigger else {}


def _commands(run: Run) -> tuple[tuple[str, ...], ...]:
    return tuple(map(words_of, run.commands))


IN_FORCE: Mapping[str, Callable[[Run], Any]] = {
    "job": lambda run: run.job_id,
    "environment": lambda run: run.environment_id,
    "schema": override("schema_override"),
    "target": lambda run: overrides_of(run).get("target_name_override") or run.job_target,
    "dbt version": lambda run: overrides_of(run).get("dbt_version_override") or run.job_dbt_version,
    "branch": lambda run: overrides_of(run).get("git_branch") or run.git_branch,
    "commit": override("git_sha"),
    **{name.replace("_id", "").replace("_", " "): override(name) for name in PULL_REQUESTS},
    "commands": _commands,
}
"""What two runs must have in common, and how each is read from a run."""


def differences(ours: Run, other: Run, begun: Sequence[str] = ()) -> tuple[str, ...]:
    """Name what another run does otherwise than ours; nothing if it does the same work.

    :param ours: a run with its trigger and its job.
    :param other: another one, read the same way, or with its steps.
    :param begun: the commands that ours executed until it failed, as far as they are known.
    """
    if not (ours.commands and other.commands) or is_of_another_definition(ours):
        return ("the commands are not known",)
    if other.trigger is None:
        return ("it is not known how it was started",)
    if is_of_another_definition(other) or leaves_out(begun, other):
        return (f"commands {'; '.join(executed(other))} instead of {'; '.join(ours.commands)}",)
    return tuple(_said(name, ours, other) for name in IN_FORCE if _differs(name, ours, other))


def stand_in(ours: Run, newer: Iterable[Run], begun: Sequence[str] = ()) -> Run | None:
    """Return the newest run that stands for ours, if any: a whole run of the same work.

    :param newer: newer runs of the job, with their triggers and their job.
    :param begun: the commands that ours executed until it failed, as far as they are known.
    """
    candidates = (run for run in newer if is_whole(run) and not differences(ours, run, begun))
    return max(candidates, key=lambda run: run.id, default=None)


def place_of(run: Run) -> tuple[str, ...]:
    """Name the overrides of a run that decide where and from what it builds."""
    return tuple(name for name in overrides_of(run) if name not in HOW)


def is_in_same_place(one: Run, other: Run) -> bool:
    """Return whether two runs have the same overrides of where and from what they build."""
    return {name: overrides_of(one)[name] for name in place_of(one)} == {
        name: overrides_of(other)[name] for name in place_of(other)
    }


def chose_its_code(run: Run) -> bool:
    """Return whether a run was started for a branch, a commit or a pull request of its own, as a rule may order."""
    return any(overrides_of(run).get(name) for name in ("git_branch", "git_sha", *PULL_REQUESTS))


def moved_by(overrides: Mapping[str, Any], run: Run) -> tuple[str, ...]:
    """Name the overrides of where and from what a run builds that differ from these.

    :param overrides: those that the first run of the work was started with.
    """
    if run.trigger is None:
        return ()
    ours, its = dict(overrides), overrides_of(run)
    names = dict.fromkeys(name for name in (*ours, *its) if name not in HOW)
    return tuple(name for name in names if ours.get(name) != its.get(name))


def _differs(name: str, ours: Run, other: Run) -> bool:
    one, two = IN_FORCE[name](ours), IN_FORCE[name](other)
    if name == "branch" and None in (one, two):  # a run that has not cloned yet: then only an override tells
        return any(overrides_of(run).get("git_branch") for run in (ours, other))
    return bool(one != two)


def _said(name: str, ours: Run, other: Run) -> str:
    shown = _joined if name == "commands" else _shown
    return f"{name} {shown(IN_FORCE[name](other))} instead of {shown(IN_FORCE[name](ours))}"


def _shown(value: Any) -> str:
    return "the job's own" if value is None else str(value)


def _joined(commands: Iterable[tuple[str, ...]]) -> str:
    return "; ".join(map(shlex.join, commands))
