"""Parallel runs of one job for several tenants: each task heals its own work and no other's (P2, P11)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.core.heal.lineage import Marker
from airflow_dbt_rerun.engine.starter import Work
from tests.examples import examples
from tests.scenarios.siblings import Sibling, live_together
from tests.scenarios.simulated_platform import (
    JOB_ID,
    NODES,
    Deed,
    End,
    Fate,
    RunRecord,
    Schedule,
    SimulatedPlatform,
    Trouble,
)
from tests.scenarios.test_schedules import (
    DEEDS,
    KILLS,
    POSTS,
    RETRY_DELAY,
    TRIES,
    Ended,
    Task,
    audited,
    fates,
    first_of,
    try_once,
)

TENANTS = ("client_a", "client_b", "client_c", None)
"""The schemas of the tasks; one builds where the job builds."""


def work_of(number: int) -> Work:
    """Describe one tenant's work."""
    schema = TENANTS[number]
    return Work(JOB_ID, Marker.of("siblings", number), "a test", {"schema_override": schema} if schema else {})


def story(number: int, *, deferrable: bool) -> Callable[[Sibling], Ended]:
    """Live one task's life, with Airflow's retries."""

    def live(sibling: Sibling) -> Ended:
        ended = Ended("never")
        for _ in range(TRIES):
            ended = try_once(sibling, Task(deferrable=deferrable), work_of(number))
            if ended.final:
                break
            sibling.sleep(RETRY_DELAY)
        return ended

    return live


def runs_of(platform: SimulatedPlatform, number: int) -> list[RunRecord]:
    """Return the runs that a task started."""
    return [run for run in platform.runs if run.by == f"task {number}"]


def broken_promises(platform: SimulatedPlatform, number: int, ended: Ended) -> Iterator[str]:
    """Compare one task's end with the platform's own record."""
    ours, schema = runs_of(platform, number), TENANTS[number]
    for run in ours:
        if run.place != schema:
            yield f"task {number} started run {run.id} in {run.place}"
    firsts = [run for run in ours if run.resumes is None and ">" not in run.trigger["cause"].split("]")[0]]
    if len(firsts) > 1:
        yield f"task {number} started {len(firsts)} first runs"
    repaired = Counter(run.resumes.id if run.resumes else run.trigger["cause"].split("]")[0] for run in ours)
    for of_run, times in repaired.items():
        if times > 1:
            yield f"task {number} repaired {of_run} {times} times"
    if ended.run_id is None:
        return
    nodes: dict[str, str] = {}
    counted: list[RunRecord] = []
    for run in platform.runs:
        if run in ours or run.id == ended.run_id or run.resumes in counted:
            counted.append(run)
            nodes |= run.nodes if run.place == schema and platform.now >= run.ends else {}
    if any(nodes.get(name) != "success" for name in NODES):
        yield f"task {number} is green, and its work is not done"


def cancelled_by_others(platform: SimulatedPlatform) -> Iterator[str]:
    """P9: a task cancels its own runs only."""
    for post in platform.posts:
        if post.path.endswith("/cancel/") and platform.run(int(post.path.split("/")[1])).by != post.by:
            yield f"{post.by} cancelled a run that is not its own: {post.path}"


def check(schedule: Schedule, order: list[int], *, tasks: int, deferrable: bool) -> list[Ended]:
    """Live through a schedule with several tasks, then look at what is on record."""
    platform = SimulatedPlatform(schedule)
    stories = [story(number, deferrable=deferrable) for number in range(tasks)]
    ends = live_together(platform, stories, order)
    broken = [each for number, ended in enumerate(ends) for each in broken_promises(platform, number, ended)]
    assert [*broken, *cancelled_by_others(platform)] == [], (ends, platform.posts)
    for number, ended in enumerate(ends):
        if ended.run_id is not None:
            found = audited(platform, ended.run_id, first_of(platform, work_of(number).marker))
            assert found.is_done, (number, found.to_dict(), platform.posts)
    return ends


HEALS = st.sampled_from([End.SUCCESS, End.TRANSIENT, End.STRANGE, End.NO_NODES, End.HOLLOW])
SCHEDULES = st.builds(
    Schedule,
    fates=fates(HEALS),
    posts=POSTS,
    gets=KILLS,
    deeds=DEEDS,
    names_resumed_run=st.booleans(),
    keeps_overrides=st.booleans(),
    latest=st.sampled_from(["any_newer", "newer_success"]),
)


@settings(
    max_examples=examples(1000),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)
@given(SCHEDULES, st.lists(st.integers(0, 7), max_size=12), st.integers(2, len(TENANTS)), st.booleans())
def test_each_does_its_own_work_under_faults(
    schedule: Schedule,
    order: list[int],
    tasks: int,
    deferrable: bool,  # noqa: FBT001
) -> None:
    """No duplicate, no false green, nothing built elsewhere: under lost answers, deaths and strangers."""
    check(schedule, order, tasks=tasks, deferrable=deferrable)


@pytest.mark.parametrize("latest", ["any_newer", "newer_success"])
@pytest.mark.parametrize("names_resumed_run", [True, False])
@pytest.mark.parametrize("lost", [None, 1, 4, 5])
def test_all_heal_with_an_exact_count_of_runs(latest: str, lost: int | None, *, names_resumed_run: bool) -> None:
    """Two of four tenants fail once: four first runs, two reruns, all green; also if an answer is lost."""
    fails = Fate(End.TRANSIENT, 1)
    schedule = Schedule(
        fates=(fails, Fate(), fails, Fate()),
        posts={} if lost is None else {lost: Trouble.LOST_AFTER},
        latest=latest,
        names_resumed_run=names_resumed_run,
    )
    for deferrable in (False, True):
        platform = SimulatedPlatform(schedule)
        ends = live_together(platform, [story(n, deferrable=deferrable) for n in range(4)], [0, 1, 2, 3])
        assert [ended.kind for ended in ends] == ["green"] * 4
        assert len(platform.runs) == 6
        assert [post for post in platform.posts if post.path.endswith("/cancel/")] == []


def test_green_of_another_tenant_is_not_ours() -> None:
    """The issue's example: client_a fails for a passing reason while client_b succeeds."""
    schedule = Schedule(fates=(Fate(End.TRANSIENT, 1),), deeds={4: Deed.RUN_ELSEWHERE})
    (ended,) = check(schedule, [0], tasks=1, deferrable=False)
    assert ended.kind == "green"


def test_newer_run_that_did_part_of_the_work_is_not_ours() -> None:
    """A stranger runs the first command only; our failed work is rerun."""
    platform = SimulatedPlatform(Schedule(fates=(Fate(End.TRANSIENT, 1),), deeds={4: Deed.RUN_PART}))
    (ended,) = live_together(platform, [story(3, deferrable=False)], [0])
    assert platform.run(ended.run_id or 0).by == "task 0"
    assert platform.run(ended.run_id or 0).status(platform.now) == RunStatus.SUCCESS


def test_check_can_fail() -> None:
    """The check itself sees a run that was built elsewhere."""
    platform = SimulatedPlatform(Schedule())
    live_together(platform, [story(0, deferrable=False)], [0])
    platform.runs[0].trigger["schema_override"] = "client_b"
    assert list(broken_promises(platform, 0, replace(Ended("green"), run_id=1)))
