"""What would have become of a policy's decision about a failure, as far as the record tells.

The table of all cases, each with a test of its own, is in ``docs/backtest.md``. Where the record does not tell, the
verdict is *not known*: it is never a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from airflow_dbt_rerun.backtest.aftermath import Later, Tells
from airflow_dbt_rerun.backtest.failures import PastFailure
from airflow_dbt_rerun.backtest.history import began_at
from airflow_dbt_rerun.backtest.replay import Planned, Replay, replay
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.policy.conditions import every
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule
from airflow_dbt_rerun.core.signatures import Signature

NEEDS_A_COMMIT = frozenset({Category.CODE, Category.TEST_FAILED})
"""What only another commit mends, if another commit is what was seen to mend it."""


class Verdict(StrEnum):
    """What would have become of a policy's decision."""

    HEALED = "healed"
    IN_VAIN = "in vain"
    RIGHTLY_LEFT = "rightly left"
    WRONGLY_LEFT = "wrongly left"
    NOT_KNOWN = "not known"


class Case(StrEnum):
    """Why: the rows of the table in ``docs/backtest.md``."""

    GONE_BY_THEN = "the cause was gone by then"
    FOLLOWED_TO_SUCCESS = "a newer run was there already, and succeeded"
    STILL_THERE = "the cause was still there after the last attempt"
    NEEDED_A_COMMIT = "another commit mended it"
    STOPPED_BY_PERSON = "a person had stopped it"
    GONE_LATER = "the cause was gone later, but nobody knows since when"
    OTHER_COMMIT = "another commit was the first to succeed"
    NO_SUCCESS = "no later run tells"
    FOLLOWED_TO_FAILURE = "a newer run was there already, and did not succeed"
    NOT_REPLAYED = "the policy cannot be tried on it"


_NOT_KNOWN = dict.fromkeys(
    (Case.GONE_LATER, Case.OTHER_COMMIT, Case.NO_SUCCESS, Case.NOT_REPLAYED), Verdict.NOT_KNOWN
)

OF_RERUNS = {
    Case.GONE_BY_THEN: Verdict.HEALED,
    Case.FOLLOWED_TO_SUCCESS: Verdict.HEALED,
    Case.STILL_THERE: Verdict.IN_VAIN,
    Case.NEEDED_A_COMMIT: Verdict.IN_VAIN,
    Case.FOLLOWED_TO_FAILURE: Verdict.NOT_KNOWN,
    **_NOT_KNOWN,
}
"""The verdict of each case, if the policy would have rerun."""

OF_LEFT = {
    Case.STOPPED_BY_PERSON: Verdict.RIGHTLY_LEFT,
    Case.STILL_THERE: Verdict.RIGHTLY_LEFT,
    Case.NEEDED_A_COMMIT: Verdict.RIGHTLY_LEFT,
    Case.GONE_BY_THEN: Verdict.WRONGLY_LEFT,
    **_NOT_KNOWN,
}
"""The verdict of each case, if the policy would have left the failure to people."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One failure, what the policy would have done, and what would have become of it.

    :param attempt: the rerun that would have healed it at the latest; None if none would.
    :param proof: the later run that the verdict rests on; None if it rests on none.
    :param why: the verdict's reason, in words.
    """

    failure: PastFailure
    replay: Replay
    verdict: Verdict
    case: Case
    why: str
    attempt: Planned | None = None
    proof: Later | None = None

    @property
    def reruns(self) -> bool:
        """Whether the policy would have started a rerun, or followed one."""
        return bool(self.replay.planned)

    @property
    def may_have_healed(self) -> bool:
        """Whether it is not known that the policy's reruns would have healed it, and nothing speaks against it."""
        return self.reruns and self.case is Case.GONE_LATER

    @property
    def earlier(self) -> tuple[float, float]:
        """By how many seconds the work would have been done earlier than it was: at the least, and at the most.

        At the least, if only the rerun healed that is proven to, begun as late as it can have been; at the most, if
        the first one did that is not proven to fail. A rerun is taken to last as long as the run that did the work.
        """
        if not (self.verdict is Verdict.HEALED or self.may_have_healed) or self.proof is None:
            return 0.0, 0.0
        ill = self.failure.last_seen
        own = [each.earliest for each in self.replay.planned if each.follows is None and each.latest > ill]
        started = began_at(self.proof.run)
        least = max(started - self.attempt.latest, 0.0) if self.attempt else 0.0
        return least, max(started - min(own, default=started), 0.0)


def judge_all(
    failures: Sequence[PastFailure], policy: RerunPolicy, signatures: Sequence[Signature] = ()
) -> tuple[Judged, ...]:
    """Return for each failure what a policy would have done about it, and what would have become of that.

    :param signatures: the team's own error signatures, tried first.
    """
    with_all = with_all_rerun(policy)  # once: a policy is checked whenever it is made
    return tuple(_judge(failure, policy, with_all, signatures) for failure in failures)


def _judge(
    failure: PastFailure, policy: RerunPolicy, with_all: RerunPolicy, signatures: Sequence[Signature]
) -> Judged:
    done = replay(failure, policy, signatures)
    if failure.why_unknown:
        return Judged(failure, done, Verdict.NOT_KNOWN, Case.NOT_REPLAYED, failure.why_unknown)
    if failure.run.cancelled_by:
        why = f"{failure.run.cancelled_by} had stopped it"
        return Judged(failure, done, Verdict.RIGHTLY_LEFT, Case.STOPPED_BY_PERSON, why)
    if done.planned:
        return _of_reruns(failure, done)
    return _of_left(failure, done, replay(failure, with_all, signatures).planned)


def with_all_rerun(policy: RerunPolicy) -> RerunPolicy:
    """Return a policy that reruns every failure within the limits of this one: what it could have tried."""
    rule = RerunRule(every(*Category), RerunAction.RERUN_FROM_FAILURE)
    from_step = RerunAction.RERUN_FROM_STEP
    return replace(policy, rules=[rule], on_unknown_cancel=from_step, give_up_after_failed_runs=None)


def _of_reruns(failure: PastFailure, done: Replay) -> Judged:
    followed = done.planned[-1].follows
    if followed is not None and (judged := _of_followed(failure, done, followed)):
        return judged
    found = outcome(failure, done.planned)
    return Judged(failure, done, OF_RERUNS[found.case], found.case, found.why, found.attempt, found.proof)


def _of_followed(failure: PastFailure, done: Replay, run_id: int) -> Judged | None:
    """Judge by the run that the policy would have waited for; None if its record does not tell."""
    later = next((each for each in failure.later if each.run.id == run_id), None)
    if later is None:
        return None
    if later.is_success:
        why = f"it would have waited for run {run_id}, which succeeded"
        return Judged(failure, done, Verdict.HEALED, Case.FOLLOWED_TO_SUCCESS, why, done.planned[-1], proof=later)
    why = f"it would have waited for run {run_id}, which did not succeed"
    return Judged(failure, done, Verdict.NOT_KNOWN, Case.FOLLOWED_TO_FAILURE, why, proof=later)


def _of_left(failure: PastFailure, done: Replay, possible: Sequence[Planned]) -> Judged:
    """Judge a decision to leave a failure to people, by what reruns within the policy's limits would have done."""
    found = outcome(failure, possible)
    return Judged(failure, done, OF_LEFT[found.case], found.case, found.why, found.attempt, found.proof)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What reruns at some moments would have met."""

    case: Case
    why: str
    attempt: Planned | None = None
    proof: Later | None = None


def outcome(failure: PastFailure, planned: Sequence[Planned]) -> Outcome:
    """Return what reruns at these moments would have met, as far as the later runs tell.

    :param planned: in their order; empty if none is possible.
    """
    own = [each for each in planned if each.follows is None]
    gone = next((each for each in failure.later if each.tells is Tells.GONE), None)
    healing = next((each for each in own if gone and each.certain and each.earliest >= gone.moment), None)
    if healing and gone:
        return Outcome(Case.GONE_BY_THEN, f"run {gone.run.id} proves it: {gone.why}", healing, gone)
    ill = next((each for each in reversed(failure.later) if each.tells is Tells.STILL_THERE), None)
    if ill and own and ill.moment >= max(each.latest for each in own):
        return Outcome(Case.STILL_THERE, f"run {ill.run.id} proves it: {ill.why}", proof=ill)
    return _unproven(failure, gone, has_attempts=bool(own))


def _unproven(failure: PastFailure, gone: Later | None, *, has_attempts: bool) -> Outcome:
    """Say what is left if neither health nor failure is proven for the moments of the attempts."""
    success = failure.success
    if success is None:
        return Outcome(Case.NO_SUCCESS, _why_nothing_tells(failure))
    if gone is not None:
        when = "after the last attempt" if has_attempts else "later"
        return Outcome(Case.GONE_LATER, f"the first success, run {success.run.id}, came {when}", proof=gone)
    why = f"run {success.run.id} was the first to succeed; {success.why}"
    needed = failure.diagnosis.verdict in NEEDS_A_COMMIT and success.run.git_sha is not None
    return Outcome(Case.NEEDED_A_COMMIT if needed else Case.OTHER_COMMIT, why, proof=success)


def _why_nothing_tells(failure: PastFailure) -> str:
    if not failure.later:
        return "the job has no later run"
    last = failure.later[-1]
    return f"the job has not succeeded since; of run {last.run.id}: {last.why}"
