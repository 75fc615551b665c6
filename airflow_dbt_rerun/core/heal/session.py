"""The memory of one heal: its attempts and the planned rerun. Reads and writes plain JSON."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise, takewhile
from typing import Any, Self

from airflow_dbt_rerun.core.dbt.definition import Definition
from airflow_dbt_rerun.core.dbt.executed import executed
from airflow_dbt_rerun.core.dbt.fields import epoch
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.attempt import GIVEN, RUNS_EVERYTHING, SUPERSEDED_BY, TRIGGERED, Attempt
from airflow_dbt_rerun.core.heal.planned import PlannedRerun
from airflow_dbt_rerun.core.heal.possible_rerun import commands_from_failed_step
from airflow_dbt_rerun.core.heal.wording import action_in
from airflow_dbt_rerun.core.policy.policy import RerunAction

SESSION_VERSION = 2


@dataclass(frozen=True, slots=True)
class RerunSession:
    """The memory of one heal: the attempts so far and the planned rerun. Plain JSON with :meth:`to_dict`."""

    started_at: float
    """Epoch seconds from which the limits count: when attempt 1 was first seen, or when this try renewed them."""
    deadline: float | None = None
    """Epoch seconds after which to stop waiting."""
    attempts: tuple[Attempt, ...] = ()
    plan: PlannedRerun | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)
    """The overrides that attempt 1 was triggered with; a rerun from start carries them again."""
    executed: tuple[str, ...] = ()
    """The commands that attempt 1 executed until it failed: the job may be edited meanwhile."""
    definition: Definition | None = None
    """What attempt 1 was started to do; None if the job was edited before it was read for the first time."""
    environment_id: int | None = None
    """Where attempt 1 ran: the job may be moved meanwhile."""
    project_id: int | None = None
    git_branch: str | None = None
    """The branch that attempt 1 was made of, as far as dbt names it."""
    created_at: str | None = None
    """When dbt created attempt 1, as dbt writes it."""
    adopted: bool = False
    """Whether an earlier try of the task left the newest run behind, and none has been started since."""
    spent: int = 0
    """Attempts that earlier tries of the task used up: reported, but no longer counted against the limits."""
    first_at: float | None = None
    """Epoch seconds at which attempt 1 was first seen, if the limits count from another moment."""
    job_name: str | None = None
    """The job's name, once dbt has told it."""
    open_posts: int = 0
    """POSTs of this try that no new run has followed, each counted before it was sent: they count as attempts."""

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
        """Epoch seconds at which attempt 1 was first seen, regardless of when the limits start."""
        return self.started_at if self.first_at is None else self.first_at

    @property
    def counted(self) -> tuple[Attempt, ...]:
        """The attempts that count against the limits."""
        return self.attempts[self.spent :]

    @property
    def attempt_number(self) -> int:
        """How many attempts count against the limits, POSTs without a new run included."""
        return len(self.counted) + self.open_posts

    @property
    def theirs(self) -> frozenset[int]:
        """The runs of this work that were started outside this task."""
        return frozenset(attempt.run_id for attempt in self.attempts if not attempt.ours)

    def remembering(self, run: Run) -> RerunSession:
        """Keep what attempt 1 was defined to do and, once it is over, what it executed and where."""
        if not (self.attempts and self.attempts[0].run_id == run.id):
            return self
        session = replace(self, definition=self.definition or Definition.of(run))
        if not (run.is_terminal and run.steps):
            return session
        return replace(
            session,
            executed=executed(run),
            environment_id=run.environment_id,
            project_id=run.project_id,
            git_branch=run.git_branch,
            created_at=run.created_at,
        )

    def as_defined(self, run: Run) -> Run:
        """Return attempt 1 with the commands that it was started with, instead of those of the job as it is now."""
        is_first = bool(self.attempts) and self.attempts[0].run_id == run.id
        return replace(run, commands=self.definition.commands) if is_first and self.definition else run

    def edited(self, run: Run) -> str | None:
        """Say what was edited in the job since attempt 1 was started; None if nothing was, or nobody knows."""
        return self.definition.edited(run, self.overrides) if self.definition else None

    def kind_of(self, run_id: int) -> str | None:
        """Return the kind of a run of this work, also of one that was planned and is not recorded yet."""
        known = next((attempt.kind for attempt in self.attempts if attempt.run_id == run_id), None)
        return known or (str(self.plan.action) if self.plan else None)

    def repaired_by(self, run_id: int) -> tuple[int, ...]:
        """Return the runs, oldest first, whose work ``run_id`` continues; empty if it runs everything."""
        found: list[int] = []
        repairs = {a.run_id: a.of_run for a in self.attempts if a.of_run and a.kind not in RUNS_EVERYTHING}
        if self.plan is not None and run_id != self.run_id and self.plan.action not in RUNS_EVERYTHING:
            repairs[run_id] = self.plan.run_id
        while run_id in repairs:
            run_id = repairs.pop(run_id)
            found.append(run_id)
        return tuple(reversed(found))

    def continued_by(self, run_id: int) -> tuple[int, ...]:
        """Return the runs, oldest first, whose unfinished work ``run_id`` is to do: all if it runs everything."""
        earlier = tuple(takewhile(lambda known: known != run_id, (attempt.run_id for attempt in self.attempts)))
        return self.repaired_by(run_id) or earlier

    def renewed(self, now: float) -> RerunSession:
        """Renew the limits for this try of the task: earlier attempts are reported but do not count."""
        spent = len(self.attempts) - 1
        return replace(self, adopted=False, spent=spent, started_at=now, first_at=self.began_at, open_posts=0)

    def asked_again(self, now: float) -> RerunSession:
        """Renew the limits before the newest run is examined, since a person asks for a rerun of its work."""
        return replace(self, spent=len(self.attempts), started_at=now, first_at=self.began_at)

    def answered(self, action: RerunAction, by: str, now: float) -> RerunSession:
        """Plan what a person answered. The time that the question took does not count against the limits.

        :param by: who answered, in words.
        :param now: epoch seconds.
        """
        assert self.plan is not None
        assert self.plan.question is not None
        waited = max(now - self.plan.question.asked_at, 0.0)
        plan = replace(
            self.plan, action=action, not_before=now, wait_seconds=waited, reason=by, by_person=True, question=None
        )
        started_at = min(self.started_at + waited, now)
        first_at = self.began_at
        session = replace(self, plan=plan, started_at=started_at, first_at=first_at)
        return session.with_current(decision=f"{action}: {by}", by_person=True)

    def overrides_of(
        self, action: RerunAction, commands: tuple[str, ...], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the overrides of attempt 1 plus those of a rule; none for a resumed run, which takes none."""
        if action is RerunAction.RERUN_FROM_FAILURE:
            return {}
        these = {"steps_override": list(commands)} if commands else {}
        return {**self.overrides, **these, **wanted}

    def to_dict(self) -> dict[str, Any]:
        """Return the session as plain JSON values."""
        plain: dict[str, Any] = json.loads(json.dumps({"version": SESSION_VERSION, **asdict(self)}))
        return plain

    @classmethod
    def of_chain(
        cls,
        runs: Sequence[Run],
        *,
        now: float,
        deadline: float | None,
        given: bool = False,
        asked_by: str | None = None,
        uncertain: Collection[int] = (),
    ) -> RerunSession:
        """Rebuild the session from the platform's record: the runs of one piece of work, oldest first, with steps.

        The newest run is left out, since it has not been examined yet.

        :param given: whether the first of them was there before this work began.
        :param asked_by: who asked to rerun that one, if a person did.
        :param uncertain: those that may as well be the rerun of a run outside this work.
        """
        started_at = epoch(runs[1 if given else 0].created_at)
        session = cls(now if started_at is None else min(started_at, now), deadline)
        for run, following in pairwise(runs):
            session = session.following(run).remembering(run)
            if given and len(session.attempts) == 1:
                session = session.with_current(kind=GIVEN, ours=False, asked_by=asked_by)
            session = session.planning(following, after=run, certain=following.id not in uncertain)
        return replace(session, adopted=True)

    @classmethod
    def of_given(cls, run: Run, *, now: float, deadline: float | None, asked_by: str | None = None) -> RerunSession:
        """Return a session that begins with a run that was there before this work, which must not be cancelled.

        :param asked_by: who asked to rerun it, if a person did.
        """
        session = cls(now, deadline).following(run)
        return session.with_current(kind=GIVEN, ours=False, asked_by=asked_by)

    def following(self, run: Run) -> RerunSession:
        """Append ``run`` as an attempt: the planned rerun, the first run, or one started outside this task."""
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
                ours=plan.certain and not plan.by_other and (failed.ours or not plan.starter_unknown),
                of_run=plan.run_id,
                resumes=plan.commands,
                waited=plan.wait_seconds,
                certain=plan.certain,
            )
        adopted = plan is not None and plan.of_earlier_try
        return replace(self, attempts=(*self.attempts, attempt), plan=None, adopted=adopted)

    def planning(
        self,
        rerun: Run,
        *,
        after: Run,
        why: str = "it had already started when this try of the task began",
        certain: bool = True,
    ) -> RerunSession:
        """Record a rerun that was started before this session began, or outside this task, as a plan."""
        action = _action_of(rerun, after.id)
        resumed = action is RerunAction.RERUN_FROM_FAILURE
        commands = commands_from_failed_step(after, self.attempts[-1].resumes) if resumed else rerun.commands
        commands = () if action is RerunAction.RERUN_FROM_START else commands
        by_other = resumed and bool(rerun.started_by and after.started_by) and rerun.started_by != after.started_by
        plan = PlannedRerun(
            after.id, action, 0.0, 0.0, why, commands, of_earlier_try=True, certain=certain, by_other=by_other
        )
        return replace(
            self.with_current(status=after.status_name, git_sha=after.git_sha, decision=f"{action}: {plan.reason}"),
            plan=plan,
        )

    def recalling(self, diagnosis: Diagnosis) -> RerunSession:
        """Restore the diagnosis of an attempt that was made before this session began."""
        plain = diagnosis.to_dict()
        attempts = (
            replace(a, diagnosis=plain, fingerprint=diagnosis.fingerprint) if a.run_id == diagnosis.run_id else a
            for a in self.attempts
        )
        return replace(self, attempts=tuple(attempts))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` wrote.

        :raises ValueError: if it has another format version.
        """
        if data.get("version") != SESSION_VERSION:
            raise ValueError(
                f"the session has version {data.get('version')!r}, but this package reads version {SESSION_VERSION}"
            )
        return cls(
            started_at=data["started_at"],
            deadline=data["deadline"],
            attempts=tuple(map(Attempt.from_dict, data["attempts"])),
            plan=PlannedRerun.from_dict(data["plan"]) if data["plan"] else None,
            overrides=dict(data["overrides"]),
            executed=tuple(data.get("executed", ())),
            definition=Definition.from_dict(data["definition"]) if data.get("definition") else None,
            environment_id=data.get("environment_id"),
            project_id=data.get("project_id"),
            git_branch=data.get("git_branch"),
            created_at=data.get("created_at"),
            adopted=data["adopted"],
            spent=data["spent"],
            first_at=data["first_at"],
            job_name=data.get("job_name"),
            open_posts=data.get("open_posts", 0),
        )

    def with_current(self, **changes: Any) -> RerunSession:
        """Return the session with changes to its newest attempt."""
        return replace(self, attempts=(*self.attempts[:-1], replace(self.attempts[-1], **changes)))


def _action_of(rerun: Run, of_run: int) -> RerunAction:
    """Return the kind of a recorded rerun; those that this package triggered name it in their cause."""
    cause = rerun.trigger
    if cause is None or cause.cause_category == "rerun" or rerun.retrying_run_id is not None:
        return RerunAction.RERUN_FROM_FAILURE
    return action_in(cause.cause, of_run) or RerunAction.RERUN_FROM_STEP
