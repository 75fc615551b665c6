"""Choose the kind of rerun that is possible for a failed run: from "why not from failure" to the alternative."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from airflow_dbt_rerun.core.dbt.commands import forgotten_options, warns_as_errors
from airflow_dbt_rerun.core.dbt.executed import is_of_another_definition
from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.models import RetryNotSupported, Run
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.rebuild import rebuild
from airflow_dbt_rerun.core.heal.same_work import place_of
from airflow_dbt_rerun.core.policy.policy import RerunAction

WHY_NOT_FROM_FAILURE = {
    RetryNotSupported.NO_RUN_RESULTS: "it failed before its first node ran, so there is nothing to resume",
    RetryNotSupported.UNSUPPORTED_CMD: "dbt retry does not support the failed command",
    RetryNotSupported.UNSUPPORTED_VERSION: "its dbt version does not support retry",
    RetryNotSupported.NOT_LATEST_RUN: "the job has a newer run",
    RetryNotSupported.NOT_FAILED_RUN: "the platform does not count it as failed",
}
"""The platform's five reasons (spec: ``RetryNotSupportedReasonEnum``), in words."""

INTERRUPTED = "dbt was interrupted, so its unfinished nodes are not all recorded"
"""Why neither a resume nor a build of named nodes is enough."""

UNRECORDED = "the node results do not hold everything that the command left undone"
"""The same for dbt v2, whose results may lack the very node that failed."""

NEEDS_NEW_COMMANDS = frozenset(
    {
        RetryNotSupported.NO_RUN_RESULTS,
        RetryNotSupported.UNSUPPORTED_CMD,
        RetryNotSupported.UNSUPPORTED_VERSION,
    }
)
"""Reasons after which the failed command can still be run again as a whole."""

_CANNOT_RESUME = re.compile(
    r"\bCould not find previous run in\b|\bNo failed nodes found in run_results\.json\b"
    r"|\bCouldn.t find model .{1,200}\bdoes it exist or is it disabled\b"
    r"|\bFailed to read file: .{0,300}\brun_results\.json\b"
    r"|\bCannot retry command\b|\bNo such option: .?--no-static\b"
    r"|\bExpected a schema version of\b.{1,200}\brun-results\b|\bCould not read RunResultsArtifact\b"
)
"""What ``dbt retry`` prints when the retry itself failed, not the work (dbt-core 1.11, 1.12 and dbt v2)."""


@dataclass(frozen=True, slots=True)
class RerunChoice:
    """The kind of rerun to start, and why it is not the wanted one."""

    action: RerunAction
    why_not_wanted: str | None = None
    commands: tuple[str, ...] = ()
    """The commands that it runs or resumes; empty for a rerun from start."""


EDITED = "the job was edited after this run had started"
NOT_KNOWN = "what was left of its commands is not known"
WHAT_TO_DO = "rerun it in dbt, or clear this task to run the job as it is now"


def choose_kind(
    wanted: RerunAction,
    run: Run,
    diagnosis: Diagnosis,
    fallback: RerunAction,
    overrides: Mapping[str, Any] | None = None,
    *,
    resumed: Sequence[str] = (),
    facts: ManifestFacts | None = None,
    why_superseded: str | None = None,
    edited: str | None = None,
) -> RerunChoice:
    """Choose the kind of rerun that the platform and dbt allow.

    :param wanted: the action that the policy asked for.
    :param run: the failed run, just read, with its steps.
    :param fallback: what to do if the wanted kind is impossible but commands can run again.
    :param overrides: what the rule changes for the rerun; a resumed run keeps its own settings.
    :param resumed: the commands that this run resumed, if it is itself a rerun from failure.
    :param facts: what the run's manifest adds, if it was read.
    :param why_superseded: why a run that is not the latest cannot be left to the newer one, if that is the case.
    :param edited: what was edited in the job since the first run of this work was started, if that is known.
    """
    commands = commands_from_failed_step(run, tuple(resumed))
    if edited:
        choice = _resume(run, diagnosis, RerunAction.FAIL, overrides or {}, commands)
        return _of_edited_job(wanted, choice, edited, why_superseded)
    if not resumed and is_of_another_definition(run):
        command = (run.stopping_step.command if run.stopping_step else None) or ""
        choice = replace(_resume(run, diagnosis, RerunAction.FAIL, overrides or {}, (command,)), commands=())
        return _of_edited_job(wanted, choice, NOT_KNOWN, why_superseded)
    if wanted is RerunAction.REBUILD_TESTED:
        choice = _rebuild(commands, diagnosis, fallback, facts)
    elif wanted is RerunAction.RERUN_FROM_FAILURE and why_superseded:
        choice = RerunChoice(fallback, why_superseded, commands=commands)
    elif wanted is RerunAction.RERUN_FROM_FAILURE:
        choice = _resume(run, diagnosis, fallback, overrides or {}, commands)
    else:
        choice = RerunChoice(wanted, commands=commands)
    return _with_commands(choice)


def _of_edited_job(wanted: RerunAction, resume: RerunChoice, what: str, why_superseded: str | None) -> RerunChoice:
    """Resume a run whose job was edited since it started, or leave it to a person.

    A resumed run goes on with the commands that it was started with; any other kind would run other work, or undo
    what a person has just changed.
    """
    cannot = why_superseded or resume.why_not_wanted
    if wanted is RerunAction.RERUN_FROM_FAILURE and cannot is None:
        return resume
    also = f" ({cannot})" if cannot and wanted is RerunAction.RERUN_FROM_FAILURE else ""
    return RerunChoice(RerunAction.FAIL, f"{EDITED}, and {what}{also}: {WHAT_TO_DO}")


def _rebuild(
    commands: tuple[str, ...], diagnosis: Diagnosis, fallback: RerunAction, facts: ManifestFacts | None
) -> RerunChoice:
    if not commands:
        return RerunChoice(RerunAction.REBUILD_TESTED)
    if diagnosis.interrupted or diagnosis.unrecorded:
        why_not = INTERRUPTED if diagnosis.interrupted else UNRECORDED
        return RerunChoice(fallback, why_not, commands=commands)
    made = rebuild(commands[0], diagnosis, facts)
    if made.command is None:
        return RerunChoice(RerunAction.FAIL if made.hopeless else fallback, made.why_not, commands=commands)
    return RerunChoice(RerunAction.REBUILD_TESTED, commands=(made.command, *commands[1:]))


def _resume(
    run: Run, diagnosis: Diagnosis, fallback: RerunAction, overrides: Mapping[str, Any], commands: tuple[str, ...]
) -> RerunChoice:
    reason = run.retry_not_supported_reason
    if run.is_error and run.can_retry is False and reason not in NEEDS_NEW_COMMANDS:
        return RerunChoice(RerunAction.FAIL, _refusal_text(reason))
    why_not = _why_not_resume(run, diagnosis, overrides, commands)
    return RerunChoice(fallback if why_not else RerunAction.RERUN_FROM_FAILURE, why_not, commands=commands)


def _why_not_resume(
    run: Run, diagnosis: Diagnosis, overrides: Mapping[str, Any], commands: tuple[str, ...]
) -> str | None:
    """Return what rules out ``dbt retry``: the platform's reason, or a case where it would silently do nothing."""
    if overrides:
        return f"a resumed run keeps its own settings, but the rule changes {', '.join(overrides)}"
    if place := place_of(run):
        return f"dbt does not document that a resumed run keeps {', '.join(place)}"
    if run.is_cancelled:
        return "a cancelled run cannot be resumed"
    if run.can_retry is False:
        return _refusal_text(run.retry_not_supported_reason)
    return _why_not_by_evidence(diagnosis, commands[0] if commands else "")


def _why_not_by_evidence(diagnosis: Diagnosis, command: str) -> str | None:
    """Return why ``dbt retry`` would leave something out: see the table in ``docs/rerunning.md``."""
    if diagnosis.only_hooks_failed:
        return "only a hook failed, and dbt retry does not rerun hooks"
    if diagnosis.start_hook_failed:
        return "a hook failed before the first node ran, and the nodes it blocked are not all recorded"
    if diagnosis.interrupted:
        return INTERRUPTED
    if diagnosis.unrecorded:
        return UNRECORDED
    if diagnosis.undone is None:
        return "no failed node is recorded, so dbt retry would find nothing to do"
    if forgotten := forgotten_options(command, diagnosis.keeps):
        return f"dbt retry would forget {', '.join(forgotten)}, which the node results do not hold"
    if warns_as_errors(command):
        return "dbt retry ignores --warn-error, so it would succeed despite the same warnings"
    return None


def _refusal_text(reason: str | None) -> str:
    known = {str(each): words for each, words in WHY_NOT_FROM_FAILURE.items()}
    return known.get(reason or "", f"the platform refuses a retry ({reason or 'no reason given'})")


def _with_commands(choice: RerunChoice) -> RerunChoice:
    """Refuse a kind that needs commands if none could be read."""
    if choice.action in (RerunAction.RERUN_FROM_STEP, RerunAction.REBUILD_TESTED) and not choice.commands:
        return RerunChoice(RerunAction.FAIL, "the job's commands could not be read")
    return choice


def could_not_resume(diagnosis: Diagnosis) -> str | None:
    """Return dbt's message if a rerun from failure failed because dbt could not resume it; else None."""
    if diagnosis.names_nodes:
        return None
    return next((f.message for f in diagnosis.findings if _CANNOT_RESUME.search(f.message)), None)


def commands_from_failed_step(run: Run, resumed: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the failed command and those after it: what a rerun from the failed step has to run.

    If a built-in step failed (clone, profile, deps), no command had run, so all commands are returned.

    :param run: the failed run with its steps and commands.
    :param resumed: the commands that this run resumed, if it is a rerun from failure. They cannot be read from the
        run: its first step may be named ``dbt retry``, and the platform may show the job's commands instead.
    """
    commands = resumed or run.commands
    step = run.stopping_step
    if step is None or step.command is None:
        return commands
    return commands[_position(run, commands, resumed=bool(resumed)) :]


def _position(run: Run, commands: tuple[str, ...], *, resumed: bool) -> int:
    """Return the failed step's position among the commands, by walking both lists in parallel.

    A search by name would be wrong for a job that runs the same command twice.
    """
    places, stopping, position = _places(commands), run.stopping_step, 0
    for step in run.steps:
        command = step.command or ""
        if resumed and command.startswith("dbt retry"):
            command = commands[0]
        those = places.get(command, ())
        later = bisect_left(those, position)
        found = later < len(those)
        position = those[later] if found else position
        if step is stopping:
            break
        position += 1 if found else 0
    return position


def _places(commands: tuple[str, ...]) -> Mapping[str, list[int]]:
    """Return the positions of each command, in ascending order."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for place, command in enumerate(commands):
        found[command].append(place)
    return found
