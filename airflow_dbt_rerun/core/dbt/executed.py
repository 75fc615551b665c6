"""What a run executed, by its own steps: the job that is shown with it is the job as it is defined now.

Somebody can edit a job while a run of it waits to be rerun. The platform then shows the new commands with the old
run, and with every other one. The steps of a run are its own record; the commands of a trigger request are, too.
"""

from __future__ import annotations

from collections.abc import Sequence

from airflow_dbt_rerun.core.dbt.commands import words_of
from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import GOING_STATUSES, Run, RunStatus, RunStep

_BOXES = (("dbt", "deps"), ("dbt", "source", "freshness"), ("dbt", "docs", "generate"))
"""Commands that the platform also runs because of a job's other settings.

Such a step may fail without failing the run (docs.getdbt.com/docs/deploy/job-commands).
"""

_DID_NOT_SUCCEED = frozenset({RunStatus.ERROR, RunStatus.CANCELLED})


def executed(run: Run) -> tuple[str, ...]:
    """Return the commands that a run has executed, in order, without those that the platform may have added."""
    return tuple(step.command for step in run.steps if step.command and words_of(step.command) not in _BOXES)


def is_of_another_definition(run: Run) -> bool:
    """Return whether a run executed something else than the commands that are shown with it.

    A run that resumes another one executes a part of its commands, and is not judged. The name of a step may hold
    options that the platform added, so it has to hold the words of the command, and may hold more.
    """
    done = [words_of(step.command) for step in run.steps if step.command]
    if not (run.commands and done) or not is_whole(run):
        return False
    place = 0
    for command in done:
        if place < len(run.commands) and set(words_of(run.commands[place])) <= set(command):
            place += 1
        elif command not in _BOXES:
            return True
    left = (command for command in run.commands[place:] if words_of(command) not in _BOXES)
    return run.is_success and any(left)


def was_edited_since(run: Run, began: str | None) -> bool:
    """Return whether the job that is shown with a run was changed after a moment, as far as dbt says."""
    changed, since = epoch(run.job_updated_at), epoch(began)
    return changed is not None and since is not None and changed > since


def did_not_finish(owed: Sequence[str], run: Run) -> bool:
    """Return whether a run left out commands after the first of those that it was to run or to resume.

    The first one may be named ``dbt retry`` in a run that resumes another.
    """
    tail = tuple(words_of(command) for command in owed[1:] if words_of(command) not in _BOXES)
    after = tuple(map(words_of, executed(run)))
    return bool(after) and bool(tail) and after[-len(tail) :] != tail


def leaves_out(done: Sequence[str], run: Run) -> bool:
    """Return whether a whole run executed other commands than another run of its work had begun with.

    :param done: what the other run executed until it failed; empty if that is not known.
    """
    after = executed(run)
    return bool(done) and bool(after) and tuple(map(words_of, after[: len(done)])) != tuple(map(words_of, done))


def contradicting_step(run: Run) -> RunStep | None:
    """Return the first step whose own status contradicts the success of its run; None if there is none."""
    return next((step for step in run.steps if step.status in _DID_NOT_SUCCEED and not _is_box(step)), None)


def unfinished_step(run: Run) -> RunStep | None:
    """Return the first step that is still in progress although its run is over; None if there is none."""
    return next((step for step in run.steps if run.is_terminal and step.status in GOING_STATUSES), None)


def _is_box(step: RunStep) -> bool:
    return step.command is not None and words_of(step.command) in _BOXES


def is_whole(run: Run) -> bool:
    """Return whether a run is a run of its own, not the *rerun from failure* of another one."""
    return run.retrying_run_id is None and not (run.trigger and run.trigger.cause_category == "rerun")
