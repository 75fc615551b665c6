"""A whole history: its size, its rates, and what is never so in it, whatever the seed."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from airflow_dbt_rerun.local.history.job_life import FROM_FAILURE, FROM_START, SCHEDULED
from airflow_dbt_rerun.local.history.jobs import CommandNodes
from airflow_dbt_rerun.local.history.make_history import EXAMPLE_PROJECT, History, make_history
from airflow_dbt_rerun.local.history.office_hours import DAY
from airflow_dbt_rerun.local.history.outcomes import RAN, outcomes
from airflow_dbt_rerun.local.history.runs import HistoricRun
from airflow_dbt_rerun.local.history.to_records import run_records, step_records
from airflow_dbt_rerun.local.history.truth import truth
from airflow_dbt_rerun.local.simulated.project import SimulatedProject

UNTIL = datetime(2026, 11, 30, 12, 7, tzinfo=UTC)
NODES = CommandNodes(SimulatedProject(EXAMPLE_PROJECT))


@pytest.fixture(scope="module")
def quarter() -> History:
    """Return 90 days of twenty jobs."""
    return make_history(days=90, until=UNTIL)


@pytest.fixture(scope="module", params=(1, 2))
def history(request: pytest.FixtureRequest) -> History:
    """Return a month of twenty jobs."""
    return make_history(days=30, until=UNTIL, seed=request.param)


def of_jobs(history: History) -> list[list[HistoricRun]]:
    """Return the runs of each job, in the order of their ids."""
    return [[run for run in history.runs if run.job is job] for job in history.jobs]


def test_a_quarter_has_ten_thousand_runs_and_a_few_hundred_failures(quarter: History) -> None:
    """All kinds of trouble occur, and neither success nor failure is the exception that nobody would believe."""
    by_status = Counter(int(run.status) for run in quarter.runs)
    assert 10_000 < len(quarter.runs) < 11_000
    assert 250 < by_status[20] < 650
    assert 15 < by_status[30] < 90
    failures = truth(quarter)["failures"]
    assert {"transient", "throttled", "timed_out", "test_failed", "code", "access", "resources", "cancelled"} == {
        failure["category"] for failure in failures
    }
    assert sum(not failure["signature_known"] for failure in failures) > 15
    assert sum(failure["healable_at"] is None for failure in failures) > 20
    assert {failure["next"]["kind"] for failure in failures} == {SCHEDULED, FROM_START, FROM_FAILURE, "nothing"}
    assert any(failure["next"]["commit_between"] for failure in failures)


def test_one_job_is_chronic(quarter: History) -> None:
    """It fails on about half of all nights, and nearly each time it is green again afterwards."""
    chronic = [run for run in quarter.failures if run.main_trouble.chronic]
    assert len({run.job.number for run in chronic}) == 1
    nights = {run.created // DAY for run in chronic if run.by == SCHEDULED}
    assert 28 <= len(nights) <= 60
    assert sum(run.following is not None and run.following.is_success for run in chronic) > len(chronic) / 2


def test_a_warehouse_that_is_down_fails_several_jobs(quarter: History) -> None:
    """Runs of different jobs share the number of the trouble."""
    jobs: dict[int, set[int]] = {}
    for run in quarter.failures:
        jobs.setdefault(run.main_trouble.number, set()).add(run.job.number)
    assert sum(len(hit) > 1 for hit in jobs.values()) >= 5


def test_the_same_arguments_give_the_same_history() -> None:
    """Every row and the whole truth are equal, and another seed gives others."""
    one, same, other = (make_history(days=9, until=UNTIL, jobs=6, seed=seed) for seed in (4, 4, 5))
    assert list(run_records(one, "1")) == list(run_records(same, "1"))
    assert list(step_records(one)) == list(step_records(same))
    assert json.dumps(truth(one)) == json.dumps(truth(same)) != json.dumps(truth(other))


@pytest.mark.parametrize(("days", "jobs"), [(1, 1), (2, 3), (365, 1), (3, 40)])
def test_any_size_is_possible(days: int, jobs: int) -> None:
    """A day of one job is a history, too."""
    history = make_history(days=days, until=UNTIL, jobs=jobs)
    assert len(history.jobs) == jobs
    assert history.runs
    assert truth(history)["runs"] == len(history.runs)


def test_a_project_without_nodes_has_a_history(tmp_path: Path) -> None:
    """Commands then have nothing to do, but jobs still meet what fails before the first node."""
    (tmp_path / "dbt_project.yml").write_text("name: empty\nprofile: empty\n")
    history = make_history(days=60, until=UNTIL, project=tmp_path)
    assert history.failures
    assert not any(run.failed_nodes for run in history.runs)


def test_runs_of_a_job_never_overlap(history: History) -> None:
    """A run starts after the one before it has ended, and everything in it is in order of time."""
    for runs in of_jobs(history):
        for earlier, later in pairwise(runs):
            assert earlier.finished < later.started
            assert earlier.created <= later.created
            assert earlier.following is later
        assert runs[-1].following is None
    for run in history.runs:
        moments = [run.created, run.started, *(at for step in run.steps for at in (step.started, step.finished))]
        assert moments == sorted(moments)
        assert moments[-1] == run.finished < history.period.ends


def test_ids_follow_the_order_of_creation(history: History) -> None:
    """Ids are unique, and a newer run has a greater one; so have steps."""
    created = [(run.id, run.created) for run in history.runs]
    assert [each[0] for each in created] == list(range(created[0][0], created[0][0] + len(created)))
    assert [each[1] for each in created] == sorted(each[1] for each in created)
    steps = [(step.id, step.run_id, step.index) for step in step_records(history)]
    assert len({step for step, _, _ in steps}) == len(steps)
    assert [place[1:] for place in steps] == sorted(place[1:] for place in steps)


def test_only_the_last_step_fails_a_run(history: History) -> None:
    """A run that succeeded has no failed step; one that did not has one, and its last."""
    for run in history.runs:
        assert [step.status for step in run.steps[:-1]] == [10] * (len(run.steps) - 1)
        assert run.steps[-1].status == run.status
        assert bool(run.troubles) is not run.is_success


def test_a_rerun_from_failure_takes_up_what_was_not_done(history: History) -> None:
    """It resumes the latest run of its job, holds the failed and skipped nodes only, then the skipped commands."""
    reruns = [run for run in history.runs if run.by == FROM_FAILURE]
    assert len(reruns) > 5
    for run in reruns:
        failed = run.retry_of
        assert failed is not None
        assert failed.is_error
        assert failed.following is run
        assert run.retried_step == len(failed.steps)
        last = failed.steps[-1]
        assert last.place is not None
        assert run.commands == (last.command, *failed.commands[last.place + 1 :])
        ending = failed.endings[len(failed.steps)]
        assert ending.cause is None
        assert last.command is not None
        nodes = NODES(last.command) if ending.nodes is None else ending.nodes
        blocks = last.command.startswith("dbt build")
        became = dict(outcomes(NODES.project, nodes, ending.failures, tests_block=blocks))
        unfinished = {node for node, how in became.items() if how != RAN}
        assert set(ending.failures) <= unfinished
        assert run.nodes == unfinished | {node for command in run.commands[1:] for node in NODES(command)}


def test_people_rerun_failed_runs_only(history: History) -> None:
    """Nobody touches a job that is green, and most reruns of what failed at night happen after nine."""
    reruns = [run for run in history.runs if run.by != SCHEDULED]
    before = {run.following: run for run in history.runs}
    assert all(not before[run].is_success for run in reruns)
    hours = Counter(datetime.fromtimestamp(run.created, UTC).hour for run in reruns)
    assert hours[9] > len(reruns) / 3
    assert sum(hours[hour] for hour in (*range(5), 23)) < len(reruns) / 10


def test_a_run_has_the_newest_commit(history: History) -> None:
    """Runs of all jobs agree on the commit at any moment."""
    for run in history.runs[::10]:
        assert run.commit == [commit for commit in history.commits if commit.at <= run.started][-1]
    assert history.commits[-1].sha == "f" * 40


# --- the truth


def test_no_run_meets_a_trouble_after_it_was_healable(history: History) -> None:
    """From that moment an identical rerun does not meet it again."""
    for runs in of_jobs(history):
        for position, run in enumerate(runs):
            healable = None if run.is_success else history.healable_at(run)
            if healable is None:
                continue
            assert healable >= run.finished
            later = (
                each for each in runs[position + 1 :] if each.commit == run.commit and each.started >= healable
            )
            assert not any(set(each.troubles) & set(run.troubles) for each in later)


def test_what_only_a_commit_heals_stays_red_until_a_commit(quarter: History) -> None:
    """Every later run of the same nodes at the same commit fails or is stopped."""
    seen = 0
    for runs in of_jobs(quarter):
        for position, run in enumerate(runs):
            if run.is_success or quarter.healable_at(run) is not None:
                continue
            later = [each for each in runs[position + 1 :] if each.commit == run.commit and each.nodes >= run.nodes]
            assert not any(each.is_success for each in later)
            seen += len(later)
    assert seen


def test_before_it_is_healable_an_identical_rerun_fails(history: History) -> None:
    """A run that starts while the trouble lasts, and ends before it is over, does not succeed."""
    for runs in of_jobs(history):
        for position, run in enumerate(runs):
            healable = None if run.is_success else history.healable_at(run)
            if healable is not None:
                for each in runs[position + 1 :]:
                    is_same = each.commit == run.commit and each.nodes >= run.nodes
                    assert not (is_same and each.finished < healable and each.is_success)
