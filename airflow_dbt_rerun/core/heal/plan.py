"""Preview the rerun of a failed run before anything is started, for people and for the log."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_dbt_rerun.core.dbt.merging import undone
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import short_name
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis, Finding
from airflow_dbt_rerun.core.heal.loop import diagnosed, next_step
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Fail, NextStep, Rerun, WaitForRun
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.messages import and_more, listed
from airflow_dbt_rerun.core.policy.action_words import ACTION_WORDS
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class RerunPlan:
    """What would be done about a run, and why."""

    run: Run
    action: str
    """A :class:`RerunAction`, or ``nothing``, ``wait`` (it is in progress) or ``adopt`` (a newer run decides)."""
    reason: str
    why_not_wanted: str | None = None
    failed_step: str | None = None
    skipped_steps: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    """The commands that the rerun runs or resumes; empty if it runs the job's own commands."""
    nodes: tuple[str, ...] = ()
    """The failed and skipped nodes: a rerun from failure runs exactly these, any other kind at least these."""
    overrides: dict[str, Any] = field(default_factory=dict)
    diagnosis: Diagnosis | None = None

    @property
    def starts_something(self) -> bool:
        """Whether carrying out the plan would start a run."""
        return self.action in {str(action) for action in ACTION_WORDS}

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain JSON values. Of many nodes it lists the first; ``nodes_found`` counts all."""
        return {
            "run_id": self.run.id,
            "url": self.run.href,
            "job_id": self.run.job_id,
            "status": self.run.status_name,
            "action": self.action,
            "reason": self.reason,
            "why_not_wanted": self.why_not_wanted,
            "failed_step": self.failed_step,
            "skipped_steps": list(self.skipped_steps),
            "commands": list(self.commands),
            "nodes": list(self.nodes[:_SHOWN]),
            "nodes_found": len(self.nodes),
            "overrides": dict(self.overrides),
            "diagnosis": self.diagnosis.to_dict() if self.diagnosis else None,
        }

    def lines(self) -> Iterator[str]:
        """Yield the plan as lines for people."""
        yield f"dbt run {self.run.id} is {self.run.status_name} ({self.run.href})"
        if self.failed_step:
            yield f"  failed step: {self.failed_step}"
        for step in self.skipped_steps:
            yield f"  skipped step: {step}"
        if self.diagnosis is not None:
            yield f"  diagnosis: {self.diagnosis.verdict}: {self.diagnosis.summary}"
            yield from self._finding_lines(self.diagnosis.findings)
        yield self._action_line()
        if self.why_not_wanted:
            yield f"  not as requested: {self.why_not_wanted}"
        yield from (f"  runs: {command}" for command in self.commands)
        if self.nodes and self.starts_something:
            shown = listed([short_name(node) for node in self.nodes], _SHOWN)
            which = "these" if self.action == RerunAction.RERUN_FROM_FAILURE else "at least these"
            yield f"  {which} {len(self.nodes)} nodes will run: {shown}"

    @staticmethod
    def _finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
        yield from (f"    {finding}" for finding in findings[:_SHOWN])
        if len(findings) > _SHOWN:
            yield f"    {and_more(len(findings) - _SHOWN)}"

    def _action_line(self) -> str:
        if self.starts_something:
            return f"Plan: rerun {ACTION_WORDS[RerunAction(self.action)].how}, since {self.reason}"
        return f"Plan: start nothing, since {self.reason}"


def plan_rerun(
    session: RerunSession,
    seen: RunSeen,
    policy: RerunPolicy | None,
    now: float,
    *,
    signatures: Sequence[Signature] = (),
    failed_step: str | None = None,
    skipped_steps: Sequence[str] = (),
) -> RerunPlan:
    """Return what the loop would do about a run. Nothing is started.

    :param failed_step: the failed step that the platform reports for a retry (``GET runs/{id}/retry/``), if any.
    :param skipped_steps: the skipped steps from the same response.
    """
    session, step = next_step(session, seen, policy, now, signatures=signatures)
    if isinstance(step, WaitForRun) and session.plan is not None:  # a rerun is planned: evaluate it at its due time
        session, step = next_step(session, seen, policy, session.plan.not_before, signatures=signatures)
    run, stopped = seen.run, seen.run.stopping_step
    action, reason = _answer(step, run)
    return RerunPlan(
        run,
        action,
        reason,
        why_not_wanted=step.why_not_wanted if isinstance(step, Rerun) else None,
        failed_step=failed_step or (stopped.name if stopped else None),
        skipped_steps=tuple(skipped_steps),
        commands=session.plan.commands if isinstance(step, Rerun) and session.plan else (),
        nodes=undone(seen.results) if run.is_error else (),
        overrides=dict(step.overrides) if isinstance(step, Rerun) else {},
        diagnosis=diagnosed(seen, signatures) if run.is_error or run.is_cancelled else None,
    )


def _answer(step: NextStep, run: Run) -> tuple[str, str]:
    match step:
        case Rerun():
            return str(step.action), step.reason
        case WaitForRun() if step.run_id != run.id:
            return "adopt", f"the job has a newer run ({step.run_id}), whose result decides"
        case WaitForRun():
            return "wait", "it is still in progress"
        case AskPerson():
            return str(RerunAction.ASK), "the policy asks a person"
        case Fail():
            return "nothing", step.reason
    return "nothing", getattr(step, "reason", "there is nothing to rerun")
