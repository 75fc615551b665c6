"""What is remembered of one heal: its attempts, and the rerun that is planned. Plain JSON in and out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from typing import Any, Self

from airflow_dbt_rerun.core.dbt.models import Run, epoch
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.rerun_kind import commands_from_failed_step
from airflow_dbt_rerun.core.heal.wording import action_in
from airflow_dbt_rerun.core.policy.policy import RerunAction

SESSION_VERSION = 2

RUNS_EVERYTHING = frozenset({RerunAction.RERUN_FROM_START})
"""Kinds of rerun that owe no single node, since they run all of them."""

TRIGGERED = "trigger"
GIVEN = "given"
SUPERSEDED_BY = "superseded_by"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One dbt run for this work, and what came of it."""

    run_id: int
    kind: str
    """``trigger``, ``given`` (a run that somebody else started), ``superseded_by``, or the :class:`RerunAction`."""
    url: str | None = None
    ours: bool = True
    """Whether we started it, and so may cancel it."""
    of_run: int | None = None
    resumes: tuple[str, ...] = ()
    """The commands that a rerun runs or takes up: the failed one and those after it; none if from start."""
    git_sha: str | None = None
    status: str | None = None
    diagnosis: Mapping[str, Any] | None = None
    fingerprint: str | None = None
    progress: str | None = None
    """What this rerun healed of what the attempt before had left undone."""
    decision: str | None = None
    waited: float = 0.0
    verification: str | None = None
    hollow: bool = False
    """Whether dbt said success while the owed work was not done."""
    seconds: float | None = None
    """How long dbt ran, from start to end."""
    nodes_run: int | None = None
    nodes_saved: int | None = None


@dataclass(frozen=True, slots=True)
class PlannedRerun:
    """A rerun that was decided on and waits for its moment."""

    run_id: int
    action: RerunAction
    not_before: float
    wait_seconds: float
    reason: str
    commands: tuple[str, ...] = ()
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """What the rule changes for this rerun: fields of dbt's trigger request."""
    of_earlier_try: bool = False
    """Whether an earlier try of the task carried it out."""

    @property
    def of_whom_nobody_knows(self) -> bool:
        """Whether it was carried out before this try of the task began, in a way that bears no marker."""
        return self.of_earlier_try and self.action is RerunAction.RERUN_FROM_FAILURE

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a plan as JSON has it."""
        return cls(**{**data, "action": RerunAction(data["action"]), "commands": tuple(data["commands"])})


@dataclass(frozen=True, slots=True)
class RerunSession:
    """The memory of one heal: attempts so far, and what is planned. Plain JSON with :meth:`to_dict`."""

    started_at: float
    """Epoch seconds from which the limits count: when attempt 1 was seen first, or when this try renewed them."""
    deadline: float | None = None
    """Epoch seconds after which to stop waiting."""
    attempts: tuple[Attempt, ...] = ()
    plan: PlannedRerun | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """The overrides that attempt 1 was triggered with; a rerun from start carries them again."""
    adopted: bool = False
    """Whether the newest run was left behind by an earlier try of the task, and none has been started since."""
    spent: int = 0
    """Attempts that an earlier try of the task used up: they are told, but no longer count against the limits."""
    first_at: float | None = None
    """Epoch seconds at which attempt 1 was seen first, where the limits count from another moment."""

    @property
    def current(self) -> Attempt | None:
        """The newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def run_id(self) -> int | None:
        """The run id of the newest attempt."""
        return self.current.run_id if self.current else None

    @property
    def began_at(self) -> float:
        """Epoch seconds at which attempt 1 was seen first, whatever the limits count from."""
        return self.started_at if self.first_at is None else self.first_at

    @property
    def counted(self) -> tuple[Attempt, ...]:
        """The attempts that count against the limits."""
        return self.attempts[self.spent :]

    @property
    def theirs(self) -> frozenset[int]:
        """The runs of this work that somebody else started."""
        return frozenset(attempt.run_id for attempt in self.attempts if not attempt.ours)

    def repaired_by(self, run_id: int) -> tuple[int, ...]:
        """Name the runs, oldest first, whose work ``run_id`` takes up: none, if it runs everything."""
        found: list[int] = []
        repairs = {a.run_id: a.of_run for a in self.attempts if a.of_run and a.kind not in RUNS_EVERYTHING}
        if self.plan is not None and run_id != self.run_id and self.plan.action not in RUNS_EVERYTHING:
            repairs[run_id] = self.plan.run_id
        while run_id in repairs:
            run_id = repairs.pop(run_id)
            found.append(run_id)
        return tuple(reversed(found))

    def renewed(self, now: float) -> RerunSession:
        """Give this try of the task limits of its own: what earlier tries used up is told, but does not count."""
        spent = len(self.attempts) - 1
        return replace(self, adopted=False, spent=spent, started_at=now, first_at=self.began_at)

    def overrides_of(
        self, action: RerunAction, commands: tuple[str, ...], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Carry over what attempt 1 was triggered with, and what a rule adds; a resumed run takes nothing."""
        if action is RerunAction.RERUN_FROM_FAILURE:
            return {}
        these = {"steps_override": list(commands)} if commands else {}
        return {**self.overrides, **these, **wanted}

    def to_dict(self) -> dict[str, Any]:
        """Give the session as plain JSON values."""
        plain: dict[str, Any] = json.loads(json.dumps({"version": SESSION_VERSION, **asdict(self)}))
        return plain

    @classmethod
    def of_chain(
        cls, runs: Sequence[Run], *, now: float, deadline: float | None, given: bool = False
    ) -> RerunSession:
        """Rebuild the memory from the platform's own: the runs of one piece of work, oldest first, with steps.

        The newest run is left out: it is still to be looked at.

        :param given: whether somebody else started the first of them.
        """
        started_at = epoch(runs[1 if given else 0].created_at)
        session = cls(now if started_at is None else min(started_at, now), deadline)
        for run, following in pairwise(runs):
            session = session.following(run)
            if given and len(session.attempts) == 1:
                session = session.with_current(kind=GIVEN, ours=False)
            session = session.planning(following, after=run)
        return replace(session, adopted=True)

    @classmethod
    def of_given(cls, run: Run, *, now: float, deadline: float | None) -> RerunSession:
        """Begin with a run that somebody else started, and that is not ours to cancel."""
        session = cls(now, deadline).following(run)
        return session.with_current(kind=GIVEN, ours=False)

    def following(self, run: Run) -> RerunSession:
        """Append the attempt that ``run`` is: the one that was planned, the first, or somebody else's."""
        plan, failed = self.plan, self.current
        if failed is None:
            overrides = dict(run.trigger.overrides or {}) if run.trigger else {}
            return replace(self, attempts=(Attempt(run.id, TRIGGERED, run.href),), overrides=overrides)
        if plan is None:
            attempt = Attempt(run.id, SUPERSEDED_BY, run.href, ours=False, of_run=failed.run_id)
        else:
            attempt = Attempt(
                run.id,
                str(plan.action),
                run.href,
                ours=failed.ours or not plan.of_whom_nobody_knows,
                of_run=plan.run_id,
                resumes=plan.commands,
                waited=plan.wait_seconds,
            )
        adopted = plan is not None and plan.of_earlier_try
        return replace(self, attempts=(*self.attempts, attempt), plan=None, adopted=adopted)

    def planning(
        self, rerun: Run, *, after: Run, why: str = "that was there when this try of the task began"
    ) -> RerunSession:
        """Remember a plan that was carried out before this memory began, or by somebody else."""
        action = _action_of(rerun, after.id)
        resumed = action is RerunAction.RERUN_FROM_FAILURE
        commands = commands_from_failed_step(after, self.attempts[-1].resumes) if resumed else rerun.commands
        commands = () if action is RerunAction.RERUN_FROM_START else commands
        plan = PlannedRerun(after.id, action, 0.0, 0.0, why, commands, of_earlier_try=True)
        return replace(
            self.with_current(status=after.status_name, git_sha=after.git_sha, decision=f"{action}: {plan.reason}"),
            plan=plan,
        )

    def recalling(self, diagnosis: Diagnosis) -> RerunSession:
        """Remember again why an attempt failed that was made before this memory began."""
        told = diagnosis.to_dict()
        attempts = (
            replace(a, diagnosis=told, fingerprint=diagnosis.fingerprint) if a.run_id == diagnosis.run_id else a
            for a in self.attempts
        )
        return replace(self, attempts=tuple(attempts))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote.

        :raises ValueError: if another version of this package wrote it.
        """
        if data.get("version") != SESSION_VERSION:
            raise ValueError(f"a session of version {data.get('version')!r}; this is version {SESSION_VERSION}")
        return cls(
            started_at=data["started_at"],
            deadline=data["deadline"],
            attempts=tuple(Attempt(**{**each, "resumes": tuple(each["resumes"])}) for each in data["attempts"]),
            plan=PlannedRerun.from_dict(data["plan"]) if data["plan"] else None,
            overrides=dict(data["overrides"]),
            adopted=data["adopted"],
            spent=data["spent"],
            first_at=data["first_at"],
        )

    def with_current(self, **changes: Any) -> RerunSession:
        """Change what is known of the newest attempt."""
        return replace(self, attempts=(*self.attempts[:-1], replace(self.attempts[-1], **changes)))


def _action_of(rerun: Run, of_run: int) -> RerunAction:
    """Tell which kind of rerun the platform has on record: ours say so in their cause."""
    cause = rerun.trigger
    if cause is None or cause.cause_category == "rerun" or rerun.retrying_run_id is not None:
        return RerunAction.RERUN_FROM_FAILURE
    return action_in(cause.cause, of_run) or RerunAction.RERUN_FROM_STEP
