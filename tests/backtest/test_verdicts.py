"""The table of cases in ``docs/backtest.md``, a test a row: what would have become of a policy's decision.

The default policy reruns a dropped connection 30 to 45 s, and again 60 to 75 s, after it has noticed the failure.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun.backtest.collected import Details
from airflow_dbt_rerun.backtest.verdicts import Case, Verdict
from airflow_dbt_rerun.core.dbt.models import RunStatus, RunTrigger
from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults
from airflow_dbt_rerun.core.policy.conditions import every
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule
from tests.backtest.past import OTHER_COMMIT, SYNTAX, at, collected, failures, green, judged, red, resumed

HOURLY = RerunPolicy(stop=stop_after_attempt(4), wait=wait_fixed(3600))
NEVER = RerunPolicy(rules=())
STRANGE = "The moon was in the wrong house"


# --- The policy reruns


def test_gone_by_an_attempt() -> None:
    """A person's rerun of the same commit was green, and had begun before one of the policy's attempts."""
    found = judged(red(1, 0), resumed(green(2, 30), 1), policy=HOURLY)
    assert (found.verdict, found.case) == (Verdict.HEALED, Case.GONE_BY_THEN)
    assert found.attempt is found.replay.planned[0]


def test_gone_by_an_attempt_proven_by_a_whole_run() -> None:
    """A whole run comes to the node that had failed only later: it proves health from then on."""
    by_hand = green(2, 90, lasts=60.0, trigger=RunTrigger("by Ada", "ui", {}))
    found = judged(red(1, 0, lasts=50.0), by_hand, policy=HOURLY)
    assert (found.verdict, found.case) == (Verdict.HEALED, Case.GONE_BY_THEN)
    assert found.attempt is found.replay.planned[1], "at minute 110, that run had not come to the node yet"


def test_a_newer_run_succeeded() -> None:
    """The next scheduled run was there before the attempt: the policy waits for it, and it did the work."""
    found = judged(red(1, 0), green(2, 30, git_sha=OTHER_COMMIT), policy=HOURLY)
    assert (found.verdict, found.case) == (Verdict.HEALED, Case.FOLLOWED_TO_SUCCESS)
    assert found.replay.planned[-1].follows == 2


def test_a_newer_run_did_not_succeed() -> None:
    """The policy would have waited for the next scheduled run, which failed: what then would have come is open."""
    found = judged(red(1, 0), red(2, 30), policy=HOURLY)
    assert (found.verdict, found.case) == (Verdict.NOT_KNOWN, Case.FOLLOWED_TO_FAILURE)


@pytest.mark.parametrize("sha", [None, OTHER_COMMIT])
def test_still_there(sha: str | None) -> None:
    """The same node failed in the same way after the last attempt, whatever the commit."""
    found = judged(red(1, 0), resumed(red(2, 30, git_sha=sha), 1), resumed(green(3, 60), 2))
    assert (found.verdict, found.case) == (Verdict.IN_VAIN, Case.STILL_THERE)
    assert len(found.replay.planned) == 2
    assert found.proof is not None
    assert found.proof.run.id == 2


def test_still_there_between_two_attempts_only() -> None:
    """Between the first and the last attempt it was seen to be there still: after the last one, it is not known."""
    found = judged(red(1, 0), resumed(red(2, 90), 1), resumed(green(3, 600), 2), policy=HOURLY)
    assert (found.verdict, found.case) == (Verdict.NOT_KNOWN, Case.GONE_LATER)


def test_code_that_another_commit_mended() -> None:
    """An error in the code, and another commit succeeds first: a policy that reruns that does so in vain."""
    eager = RerunPolicy.from_dict({"rules": [{"when": {"every": "code"}, "action": "rerun_from_failure"}]})
    found = judged(red(1, 0, SYNTAX), green(2, 600, git_sha=OTHER_COMMIT), policy=eager)
    assert (found.verdict, found.case) == (Verdict.IN_VAIN, Case.NEEDED_A_COMMIT)


def test_gone_only_after_the_last_attempt() -> None:
    """An hour later the cause was gone. Whether it was gone after a minute, nobody knows."""
    found = judged(red(1, 0), resumed(green(2, 60), 1))
    assert (found.verdict, found.case) == (Verdict.NOT_KNOWN, Case.GONE_LATER)
    assert found.may_have_healed


def test_another_commit_was_the_first_to_succeed() -> None:
    """A passing error, and the first success is of another commit: it may have passed, or been mended."""
    found = judged(red(1, 0), green(2, 600, git_sha=OTHER_COMMIT))
    assert (found.verdict, found.case) == (Verdict.NOT_KNOWN, Case.OTHER_COMMIT)
    assert not found.may_have_healed


@pytest.mark.parametrize("change", [{"git_branch": "b"}, {"environment_id": 9}, {"status": RunStatus.CANCELLED}])
def test_no_later_run_tells(change: dict[str, object]) -> None:
    """Runs of other work, and cancelled ones, tell nothing; nor does one that failed otherwise."""
    found = judged(red(1, 0), green(2, 600, **change), red(3, 700, STRANGE))
    assert (found.verdict, found.case) == (Verdict.NOT_KNOWN, Case.NO_SUCCESS)


def test_no_later_run() -> None:
    """The last run of the time that was read has no aftermath."""
    found = judged(red(1, 0))
    assert (found.verdict, found.case, found.why) == (
        Verdict.NOT_KNOWN,
        Case.NO_SUCCESS,
        "the job has no later run",
    )


def test_hollow_rerun_proves_nothing() -> None:
    """A person's rerun that is green and did nothing is no success."""
    hollow = resumed(green(2, 30), 1)
    nothing = StepResults(5, (NodeResult("model.shop.orders", "skipped", None, 5),), "duckdb", run_id=2)
    found = judged(red(1, 0), Details(hollow.run, (nothing,)), policy=HOURLY)
    assert (found.verdict, found.case) == (Verdict.NOT_KNOWN, Case.NO_SUCCESS)
    assert "hollow" in found.why


def test_failure_after_a_success_is_another_one() -> None:
    """The same error a day later says nothing about the first, once the job has succeeded in between."""
    found = judged(red(1, 0), green(2, 600, git_sha=OTHER_COMMIT), red(3, 700))
    assert found.case is Case.OTHER_COMMIT


# --- The policy leaves it to people


def test_wrongly_left() -> None:
    """An identical rerun went green in the time in which this policy would have tried, had a rule matched."""
    never = replace(HOURLY, rules=())
    found = judged(red(1, 0), resumed(green(2, 30), 1), policy=never)
    assert (found.verdict, found.case) == (Verdict.WRONGLY_LEFT, Case.GONE_BY_THEN)


def test_rightly_left_because_it_was_still_there() -> None:
    """Identical reruns stayed red for longer than the policy would have tried."""
    found = judged(red(1, 0, STRANGE), resumed(red(2, 30, STRANGE), 1), resumed(green(3, 60), 2), policy=NEVER)
    assert (found.verdict, found.case) == (Verdict.RIGHTLY_LEFT, Case.STILL_THERE)


def test_rightly_left_because_it_needed_a_commit() -> None:
    """An error in the code, and the first success is of another commit."""
    found = judged(red(1, 0, SYNTAX), green(2, 600, git_sha=OTHER_COMMIT))
    assert (found.verdict, found.case) == (Verdict.RIGHTLY_LEFT, Case.NEEDED_A_COMMIT)


def test_code_without_another_commit_is_not_known() -> None:
    """An error in the code that passed without a commit much later: a person may have mended the data."""
    found = judged(red(1, 0, SYNTAX), green(2, 600))
    assert (found.verdict, found.case) == (Verdict.NOT_KNOWN, Case.GONE_LATER)
    assert not found.may_have_healed, "the policy would not have rerun it"


def test_asking_a_person_is_leaving_it() -> None:
    """A policy that asks has not rerun: what a rerun would have done is said all the same."""
    asks = replace(HOURLY, rules=[RerunRule(every("transient"), RerunAction.ASK)])
    found = judged(red(1, 0), resumed(green(2, 30), 1), policy=asks)
    assert (found.replay.action, found.verdict) == ("ask", Verdict.WRONGLY_LEFT)


def test_stopped_by_a_person() -> None:
    """A run that a person cancelled is that person's business."""
    stopped = green(1, 0, status=RunStatus.CANCELLED, cancelled_by="Ada", steps=())
    found = judged(stopped, green(2, 1))
    assert (found.verdict, found.case) == (Verdict.RIGHTLY_LEFT, Case.STOPPED_BY_PERSON)


def test_edited_job() -> None:
    """The job was edited after the run, so the commands that were left are not known: no policy can be tried."""
    edited = red(1, 0, commands=("dbt run",), job_commands=("dbt run",), job_updated_at=at(100))
    found = judged(edited, green(2, 30, commands=("dbt run",)))
    assert (found.verdict, found.case) == (Verdict.NOT_KNOWN, Case.NOT_REPLAYED)


# --- What counts as the same


def test_commit_of_a_run_that_failed_before_it_had_cloned() -> None:
    """Such a run has none: the commit before and after it is taken, if that is one and the same."""
    found = judged(green(1, -60), red(2, 0, git_sha=None), resumed(green(3, 30), 2), policy=HOURLY)
    assert found.verdict is Verdict.HEALED
    found = judged(green(1, -60, git_sha=OTHER_COMMIT), red(2, 0, git_sha=None), green(3, 900))
    assert found.case is Case.OTHER_COMMIT


def test_reruns_are_no_failures_of_their_own() -> None:
    """A failed rerun is part of what became of the first failure; the next scheduled failure is another one."""
    found = failures(red(1, 0), resumed(red(2, 30), 1), red(3, 1440))
    assert [failure.run.id for failure in found] == [1, 3]


def test_seen_as_it_was_then() -> None:
    """Today dbt says that each of these runs is not the latest: then it was, and could be resumed."""
    first, second = failures(red(1, 0), red(2, 60))
    assert (first.run.can_retry, first.run.retry_not_supported_reason) == (True, None)
    assert (first.run.failed_runs, second.run.failed_runs) == (1, 2)


def test_hours_earlier() -> None:
    """At the most, the first rerun would have healed; at the least, the one from which on that is proven."""
    perhaps = judged(red(1, 0), resumed(green(2, 62, lasts=2), 1))
    assert perhaps.earlier == pytest.approx((0.0, 3600 - 37), abs=9)
    healed = judged(red(1, 0), resumed(green(2, 50, lasts=30), 1), policy=HOURLY)
    assert healed.earlier == (0.0, 0.0), "the first attempt, at minute 62, would have taken half an hour, too"


def test_same_each_time() -> None:
    """A policy's jitter does not change what a backtest says."""
    past = (red(1, 0), resumed(green(2, 60), 1))
    assert judged(*past).replay == judged(*past).replay


def test_collected_is_listed_without_steps() -> None:
    """The builders of these tests list runs as dbt does: without steps and job."""
    listed = collected(red(1, 0)).runs[0]
    assert (listed.steps, listed.commands, listed.job_name) == ((), (), None)
