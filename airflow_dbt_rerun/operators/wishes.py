"""What a person asked for in Airflow's UI, which this try of the task carries out.

The API server only records the wish and clears the task (``airflow_dbt_rerun.ui.wishes``). It does so in Airflow's
task state store, the one place of a task instance that a clear leaves alone: XComs are deleted when the new try
starts. Older Airflow than 3.3 has no such store, and so no wishes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tenacity import stop_after_attempt, wait_none

from airflow_dbt_rerun.core.dbt.fields import one_line
from airflow_dbt_rerun.core.policy.conditions import RerunState
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule
from airflow_dbt_rerun.engine.starter import Work

KEY = "dbt_rerun_wish"
"""Its name in the task state store."""

GIVE_UP = "give_up"

RERUNS = (RerunAction.RERUN_FROM_FAILURE, RerunAction.RERUN_FROM_START)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wants to happen to a task."""

    action: str
    """``rerun_from_failure``, ``rerun_from_start`` or ``give_up``."""
    run_id: int | None
    """The newest dbt run that the person saw."""
    by: str
    at: float
    """Epoch seconds."""

    @property
    def gives_up(self) -> bool:
        """Whether the task is to end without another run."""
        return self.action == GIVE_UP

    @property
    def words(self) -> str:
        """Who wants what, since when."""
        what = "give up" if self.gives_up else f"{self.action.replace('_', ' ')} (run {self.run_id})"
        moment = datetime.fromtimestamp(self.at, UTC)
        return f"{self.by} asked at {moment:%Y-%m-%d %H:%M} UTC to {what}"

    def applied_to(self, work: Work, *, is_new_request: bool) -> Work:
        """Return the work of repairing the run that the person saw, whatever this task would have done."""
        if self.gives_up or self.run_id is None:
            return work
        asked = {"of_run": self.run_id, "asked_by": self.by, "is_new_request": is_new_request}
        return replace(work, **asked, earlier=(), reattach=False)  # type: ignore[arg-type]

    def applied_to_policy(self, policy: RerunPolicy | None) -> RerunPolicy | None:
        """Return a policy that reruns the first failure as the person wants; later ones are for ``policy``."""
        if self.gives_up:
            return policy
        rest = policy or RerunPolicy(rules=(), stop=stop_after_attempt(2))
        rule = RerunRule(a_person_asked, RerunAction(self.action), wait=wait_none())
        return replace(rest, rules=(rule, *rest.rules), give_up_after_failed_runs=None)


def a_person_asked(state: RerunState) -> bool:
    """Match the failure that a person has seen."""
    return state.attempt_number == 1


setattr(a_person_asked, "words", "a person asked for it")  # noqa: B010 - read by RerunPolicy
setattr(a_person_asked, "is_order", True)  # noqa: B010 - the same


def wish_in(context: Mapping[str, Any], *, retries: int | None) -> Wish | None:
    """Return the wish that this try carries out; None if there is none, or if the task was cleared after it.

    A clear sets ``max_tries`` to the tries so far and the task's ``retries``. Of a running task, that happens only
    once its process has ended, and not at all if it ended by itself: then the number is the old one.

    :param retries: those of the task.
    """
    store = context.get("task_state_store")
    kept = store.get(KEY) if store is not None else None
    if not isinstance(kept, Mapping):
        return None
    instance, after = context["ti"], kept.get("after_try")
    if not isinstance(after, int) or instance.try_number <= after:
        return None
    is_of_this_life = instance.max_tries in (kept.get("max_tries"), after + int(retries or 0))
    return wish_from(kept) if is_of_this_life else None


def wish_from(kept: Mapping[str, Any]) -> Wish | None:
    """Read a stored wish; None if it is none of ours."""
    run_id, at = kept.get("run_id"), kept.get("at")
    if kept.get("action") not in (*RERUNS, GIVE_UP) or not isinstance(at, (int, float)):
        return None
    if kept["action"] in RERUNS and not isinstance(run_id, int):
        return None
    return Wish(str(kept["action"]), run_id, one_line(str(kept.get("by"))), float(at))
