"""The runs that the auditor reads: those of the work, also where dbt does not record what a rerun resumes."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.api.endpoints import retry_run, trigger_job
from airflow_dbt_rerun.audit import audit
from airflow_dbt_rerun.core.heal.lineage import Marker
from tests.scenarios.simulated_platform import JOB_ID, End, Fate, Schedule, SimulatedPlatform

BROKEN, FINE = Fate(End.TRANSIENT, 1), Fate()
CAUSE = Marker.of("a dag").cause("nightly")


def platform(*fates: Fate, names_resumed_run: bool) -> SimulatedPlatform:
    """A platform where any failed run can be resumed that no newer run has succeeded after."""
    return SimulatedPlatform(
        Schedule(fates=fates, names_resumed_run=names_resumed_run, latest="newer_success", shows_retry=False)
    )


def start(dbt: SimulatedPlatform) -> int:
    """Run the job to its end."""
    return _ended(dbt, dbt.send(trigger_job(JOB_ID, cause=CAUSE)).id)


def resume(dbt: SimulatedPlatform, run_id: int) -> int:
    """Resume a run, to the end."""
    return _ended(dbt, dbt.send(retry_run(run_id)).id)


def _ended(dbt: SimulatedPlatform, run_id: int) -> int:
    dbt.sleep(dbt.run(run_id).ends - dbt.now + 1)
    return run_id


@pytest.mark.parametrize("names_resumed_run", [True, False])
def test_chain_of_reruns_is_read_to_its_first_run(*, names_resumed_run: bool) -> None:
    """Each rerun resumes the one before."""
    dbt = platform(BROKEN, BROKEN, FINE, names_resumed_run=names_resumed_run)
    last = resume(dbt, resume(dbt, start(dbt)))
    found = audit(dbt, last, of_run=1)
    assert found.run_ids == (1, 2, 3)
    assert found.is_done


@pytest.mark.parametrize("names_resumed_run", [True, False])
def test_two_reruns_of_one_run_are_told_apart_by_time(*, names_resumed_run: bool) -> None:
    """The second was created while the first was in progress, so it cannot have resumed that one."""
    dbt = platform(BROKEN, BROKEN, FINE, names_resumed_run=names_resumed_run)
    first = start(dbt)
    dbt.send(retry_run(first))
    second = resume(dbt, first)
    found = audit(dbt, second, of_run=first)
    assert found.run_ids == (first, second)
    assert found.is_done


def test_unnamed_rerun_is_not_that_of_a_stranger() -> None:
    """With the work's first run given, other people's failed runs of the job do not count."""
    dbt = platform(BROKEN, BROKEN, FINE, names_resumed_run=False)
    ours, _ = start(dbt), start(dbt)
    last = resume(dbt, ours)
    assert audit(dbt, last, of_run=ours).run_ids == (ours, last)


def test_unnamed_rerun_without_a_given_work_resumes_the_newest_failure() -> None:
    """That is what dbt's *Rerun* button does."""
    dbt = platform(BROKEN, BROKEN, FINE, names_resumed_run=False)
    start(dbt)
    newest = start(dbt)
    last = resume(dbt, newest)
    assert audit(dbt, last).run_ids == (newest, last)
