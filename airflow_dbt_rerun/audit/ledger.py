"""The books of one piece of work: what its commands owe, and which run paid for it.

Pure values. A command is settled by a step that ran it as a whole and succeeded, or by steps whose artifacts show
each owed node as done. What the record does not cover is never taken for done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from airflow_dbt_rerun.audit.records import Debt, Record, StepRecord, same_command
from airflow_dbt_rerun.core.dbt.models import Run, RunStatus
from airflow_dbt_rerun.core.messages import counted, listed

_SHOWN = 5
_RESUMED = "dbt retry"


class Finding(StrEnum):
    """What the record says of a command, or of the whole work."""

    DONE = "done"
    NOT_DONE = "not done"
    NOT_VERIFIABLE = "not verifiable"


@dataclass(frozen=True, slots=True)
class CommandAudit:
    """What the record says of one command."""

    command: str
    finding: Finding
    evidence: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """What the record says of one piece of work."""

    run_ids: tuple[int, ...]
    """The runs that were read, oldest first; the first defines the work."""
    commands: tuple[CommandAudit, ...]
    problem: str | None = None
    """Why the record as a whole cannot be judged, if so."""

    @property
    def finding(self) -> Finding:
        """The finding for the whole work: that of its worst command."""
        if any(each.finding is Finding.NOT_DONE for each in self.commands):
            return Finding.NOT_DONE
        clear = bool(self.commands) and all(each.finding is Finding.DONE for each in self.commands)
        return Finding.DONE if clear and not self.problem else Finding.NOT_VERIFIABLE

    @property
    def is_done(self) -> bool:
        """Whether the record shows all of the work as done."""
        return self.finding is Finding.DONE

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "finding": str(self.finding),
            "runs": list(self.run_ids),
            "problem": self.problem,
            "commands": [
                {
                    "command": each.command,
                    "finding": str(each.finding),
                    "evidence": each.evidence,
                    "warnings": list(each.warnings),
                }
                for each in self.commands
            ],
        }


class Ledger:
    """Settles the commands of one piece of work, run after run.

    :param commands: what the work consists of.
    :param place: the overrides of the first run: where it builds.
    :param where: the environment, the project and the branch of the first run.
    :param still_there: returns which of some nodes are in the project of a run; None if that is not known.
    """

    def __init__(
        self,
        commands: Sequence[str],
        place: Mapping[str, Any],
        where: tuple[object, ...] = (),
        *,
        still_there: Callable[[int, frozenset[str]], frozenset[str] | None] = lambda *_: frozenset(),
    ) -> None:
        self._still_there = still_there
        self._debts = [Debt(command) for command in commands]
        self._paid: dict[int, str] = {}
        self._warnings: dict[int, list[str]] = {}
        self._place = dict(place)
        self._where = where
        self.doubt: str | None = None

    def enter(self, record: Record) -> None:
        """Book one run of the work, oldest first."""
        if any(
            None not in pair and pair[0] != pair[1] for pair in zip(self._where, where_of(record.run), strict=False)
        ):
            return  # the job was moved to another environment, project or branch
        if dict(record.place) != self._place:
            if record.is_resumed and not record.place:
                self.doubt = f"dbt does not record whether run {record.run.id} kept the overrides that it resumes"
            return  # built elsewhere, or in an unknown place: it settles nothing
        position = 0
        for step in record.steps:
            position = self._book(record, step, position)

    def _book(self, record: Record, step: StepRecord, position: int) -> int:
        """Book one step; return the place of the command after it."""
        place = self._place_of(record, step, position)
        if place is None:
            self._pay_by_nodes(record, step)
            return position
        debt = self._debts[place]
        whole = same_command(step.command, debt.command) and not record.is_resumed
        self._note_failures(place, record, step)
        if step.step.status != RunStatus.SUCCESS:
            self._owe(debt, step, resumed=record.is_resumed)
        elif whole or not debt.has_run:  # a resumed run goes on with the commands that had not run
            self._pay_whole(place, record, step)
        else:
            self._pay(place, record, step)
        debt.unreadable = step.step.status == RunStatus.SUCCESS and step.nodes is None
        debt.has_run = True
        return place + 1

    def _place_of(self, record: Record, step: StepRecord, position: int) -> int | None:
        """Return which command of the work a step is about; None where it is none of them."""
        if record.is_resumed and (step.command.startswith(_RESUMED) or position == 0):
            return next((place for place, debt in enumerate(self._debts) if not debt.is_settled), None)
        for place in range(position, len(self._debts)):
            if same_command(step.command, self._debts[place].command):
                return place
        return None

    def _owe(self, debt: Debt, step: StepRecord, *, resumed: bool) -> None:
        """Note what a failed step left undone: by its nodes where the artifact is complete, else all of it."""
        debt.builds_nothing = any(node.not_built for node in (step.nodes or {}).values())
        undone = {name for name, node in (step.nodes or {}).items() if not node.is_ok}
        hooks = any(name.startswith("operation.") for name in undone)
        if not step.is_complete or not undone or hooks or step.forgets(debt.command):
            debt.whole, debt.nodes = True, set()
        elif not (
            resumed and debt.whole and debt.has_run
        ):  # a resumed command cannot show what an interrupted one had left
            debt.whole, debt.nodes = False, undone

    def _pay_whole(self, place: int, record: Record, step: StepRecord) -> None:
        """Settle a command that ran as a whole, except for owed nodes that it left out although they exist."""
        debt = self._debts[place]
        absent = frozenset(debt.nodes - (step.nodes or {}).keys()) if step.nodes is not None else frozenset()
        left = self._still_there(record.run.id, absent) if absent else frozenset()
        if left is None:
            self.doubt = (
                f"run {record.run.id} ran without {listed(sorted(absent), _SHOWN)}; its manifest is unreadable"
            )
            left = absent
        debt.whole, debt.nodes = False, set(left)
        if not left:
            self._paid[place] = f"run {record.run.id} ran it as a whole"

    def _pay(self, place: int, record: Record, step: StepRecord) -> None:
        """Settle the owed nodes that a resumed step has done."""
        debt = self._debts[place]
        if debt.whole:
            return
        done = _done(step, debt)
        paid = debt.nodes & done
        debt.nodes -= paid
        if not debt.nodes:
            self._paid[place] = f"run {record.run.id} did the {len(paid)} nodes that were left"

    def _pay_by_nodes(self, record: Record, step: StepRecord) -> None:
        """Settle owed nodes by a command that the work does not have: a build of what failed tests check."""
        if step.step.status != RunStatus.SUCCESS:
            return
        for place, debt in enumerate(self._debts):
            if not debt.is_settled:
                self._pay(place, record, step)

    def _note_failures(self, place: int, record: Record, step: StepRecord) -> None:
        """A green step whose artifact holds a failed node: dbt counts it as success, a person may not."""
        failed = [n.name for n in (step.nodes or {}).values() if n.is_failed]
        if failed and step.step.status == RunStatus.SUCCESS:
            told = f"run {record.run.id} is green, but {listed(failed, _SHOWN)} failed"
            self._warnings.setdefault(place, []).append(told)

    def close(self) -> tuple[CommandAudit, ...]:
        """Return the finding for each command."""
        return tuple(self._judge(place, debt) for place, debt in enumerate(self._debts))

    def _judge(self, place: int, debt: Debt) -> CommandAudit:
        warnings = tuple(self._warnings.get(place, ()))
        if debt.is_settled:
            return CommandAudit(
                debt.command, Finding.DONE, self._paid.get(place, "nothing was left to do"), warnings
            )
        finding = Finding.NOT_VERIFIABLE if self.doubt or debt.unreadable else Finding.NOT_DONE
        return CommandAudit(debt.command, finding, _owed(debt), warnings)


def where_of(run: Run) -> tuple[object, ...]:
    """Return in which environment and project a run built, and of which branch; None for what dbt does not name."""
    return run.environment_id, run.project_id, run.git_branch


def _owed(debt: Debt) -> str:
    if debt.unreadable:
        return "it was resumed, but there is no record of what the resumed command did"
    if debt.nodes:
        return f"{counted(len(debt.nodes), 'node')} left to do: {listed(sorted(debt.nodes), _SHOWN)}"
    return "it failed, and what it left undone is not all on record" if debt.has_run else "it has not run"


def _done(step: StepRecord, debt: Debt) -> set[str]:
    """Return the nodes that a step did in the sense of the command: a warning or compiling may be no success."""
    strict = "--warn-error" in debt.command
    return {
        name
        for name, node in (step.nodes or {}).items()
        if node.is_ok and not (strict and node.status == "warn") and (debt.builds_nothing or not node.not_built)
    }
