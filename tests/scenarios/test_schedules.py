"""Thousands of schedules of faults, kills and strangers: the promises hold on the platform's own record."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_dbt_rerun.api.endpoints import cancel_run
from airflow_dbt_rerun.audit import Audit, audit
from airflow_dbt_rerun.core.dbt.models import RunStatus
from airflow_dbt_rerun.core.heal.lineage import Marker
from airflow_dbt_rerun.core.heal.next_steps import Fail, Succeed, WaitForRun
from airflow_dbt_rerun.core.heal.report import report
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, Superseded
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.driver import Driver
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import DbtApiError
from airflow_dbt_rerun.operators.base import ERRORS
from tests.examples import examples, sample, sampled
from tests.scenarios.simulated_platform import (
    JOB_ID,
    NODES,
    Deed,
    End,
    Fate,
    Killed,
    RunRecord,
    Schedule,
    SimulatedPlatform,
    Trouble,
)

MARKER = Marker.of("a dag", "a run", "a task", -1, 0)
WORK = Work(JOB_ID, MARKER, "a test")
ATTEMPTS = 3
"""The default policy's."""
TRIES = 4
RETRY_DELAY = 60.0
"""Seconds between two tries: longer than the platform takes to list a run whose POST it answered too late."""
A_WEEK = 604_800.0
POLICIES = (
    RerunPolicy(),
    RerunPolicy(on_unknown_cancel=RerunAction.RERUN_FROM_STEP, fallback=RerunAction.RERUN_FROM_START),
    RerunPolicy(superseded=Superseded.RERUN_FROM_START),
    RerunPolicy(superseded=Superseded.FAIL),
)


class Quiet:
    """A log that discards its lines."""

    def info(self, message: str, /, *values: Any) -> None:
        """Keep still."""

    def warning(self, message: str, /, *values: Any) -> None:
        """Keep still."""

    def error(self, message: str, /, *values: Any) -> None:
        """Keep still."""


@dataclass(frozen=True, slots=True)
class Task:
    """How the task is written."""

    policy: RerunPolicy = POLICIES[0]
    timeout: float = A_WEEK
    deferrable: bool = False


@dataclass(frozen=True, slots=True)
class Ended:
    """How a try ended: ``kind`` is green, killed, api_error, or the kind of a Fail."""

    kind: str
    run_id: int | None = None
    final: bool = False


# --- The task's life, as Airflow and the operator lead it


def live(platform: SimulatedPlatform, task: Task) -> Ended:
    """Try, and try again, as long as Airflow would."""
    while True:
        platform.tries += 1
        ended = try_once(platform, task)
        if ended.final or platform.tries == TRIES:
            return ended
        platform.sleep(RETRY_DELAY)


def try_once(platform: Any, task: Task, work: Work = WORK) -> Ended:
    """Run the task once."""
    try:
        return execute(platform, task, work)
    except Killed:
        return Ended("killed")
    except DbtApiError:
        return Ended("api_error")


def execute(platform: Any, task: Task, work: Work) -> Ended:
    """Do what the operator does, blocking or with a new worker after each wait."""
    driver = new_driver(platform, task, work)
    session, seen = driver.begin(deadline=platform.clock() + task.timeout)
    session, step = driver.advance(session, seen)
    while isinstance(step, WaitForRun):
        if task.deferrable:
            session = RerunSession.from_dict(json.loads(json.dumps(session.to_dict())))
            driver = new_driver(platform, task, work)
        session, step = driver.advance(session, driver.wait(session, step))
    assert isinstance(step, (Succeed, Fail))
    json.dumps(report(session, step, platform.clock()))
    return give_up(platform, session, step) if isinstance(step, Fail) else succeed(step)


def new_driver(platform: Any, task: Task, work: Work) -> Driver:
    """Start on a new worker."""
    return Driver(
        platform,
        work,
        task.policy,
        pace=Pace(tolerance=120.0),
        log=Quiet(),
        clock=platform.clock,
        sleep=platform.sleep,
    )


def succeed(step: Succeed) -> Ended:
    """End green."""
    return Ended("green", step.run_id, final=True)


def give_up(platform: Any, session: RerunSession, step: Fail) -> Ended:
    """Fail, cancelling the run in progress."""
    if step.kind == "timeout" and session.current and session.current.ours:
        try:
            platform.send(cancel_run(session.current.run_id))
        except DbtApiError:
            return Ended("timeout")
    if step.kind == "timeout" and step.run is None and session.current:  # the time was over in an outage
        return Ended("unwatchable")
    unsure = step.kind == "cancelled" and step.retryable
    return Ended(step.kind, final=not unsure and issubclass(ERRORS[step.kind], AirflowFailException))


# --- What must hold, by the platform's own record


def chain(platform: SimulatedPlatform) -> list[RunRecord]:
    """Find the runs of this work: those that the task started, and what resumed one of them."""
    found: list[RunRecord] = []
    for run in platform.runs:
        if run.by_task or run.resumes in found:
            found.append(run)
    return found


def repaired(run: RunRecord) -> str | None:
    """Return the run that this one repairs; None for a first run."""
    if run.resumes is not None:
        return str(run.resumes.id)
    prefix = f"[dbt-rerun {MARKER.key}"
    cause = run.trigger["cause"]
    assert cause.startswith(prefix), f"run {run.id} cannot be known again"
    return cause[len(prefix) + 1 : cause.index("]")] or None


def is_done(runs: list[RunRecord], now: float) -> bool:
    """Whether these runs together did all the work."""
    nodes: dict[str, str] = {}
    for run in runs:
        nodes |= run.nodes if now >= run.ends and run.place is None else {}
    return all(nodes.get(name) == "success" for name in NODES)


def broken_promises(platform: SimulatedPlatform, ended: Ended) -> Iterator[str]:
    """Compare what happened with what was promised."""
    yield from never_twice(platform)
    yield from reruns_of_what_failed(platform)
    yield from after_a_no(platform)
    yield from green_or_red(platform, ended)
    yield from left_going(platform, ended)


def never_twice(platform: SimulatedPlatform) -> Iterator[str]:
    """P2, P5: one first run, one rerun of each failed run, and no more than the policy allows in each try."""
    ours = [run for run in platform.runs if run.by_task]
    for of_run, times in Counter(map(repaired, ours)).items():
        if times > 1:
            yield f"{times} runs were started {f'to repair run {of_run}' if of_run else 'as the first'}"
    if len(ours) > 1 + (ATTEMPTS - 1) * platform.tries:
        yield f"{len(ours)} runs were started"


def reruns_of_what_failed(platform: SimulatedPlatform) -> Iterator[str]:
    """P1, P3: what is rerun is ours, and is over without having done its work."""
    for post in platform.posts:
        if post.about is None or post.path.endswith("/cancel/"):
            continue
        run = platform.run(post.about)
        if run not in chain(platform):
            yield f"run {run.id}, which is not ours, was rerun"
        unexplained = post.status_then == RunStatus.CANCELLED and run.fate.end is not End.STOPPED
        hollow = post.status_then == RunStatus.SUCCESS and run.is_hollow
        if post.status_then != RunStatus.ERROR and not hollow and not unexplained:
            yield f"run {run.id} was rerun when it was {post.status_then!r}"


def after_a_no(platform: SimulatedPlatform) -> Iterator[str]:
    """P1, P5: no retry is posted again once it was refused in this try, and nothing after a person's stop."""
    stops = [run.ends for run in chain(platform) if run.fate.end is End.STOPPED]
    refused = set()
    for post in platform.posts:
        if post.path.endswith("/cancel/"):
            continue
        if any(moment <= post.time for moment in stops):
            yield f"POST {post.path} came after a person's cancellation"
        if (post.tries, post.path) in refused:
            yield f"POST {post.path} came again after it was refused"
        if post.refused:
            refused.add((post.tries, post.path))


def green_or_red(platform: SimulatedPlatform, ended: Ended) -> Iterator[str]:
    """P6, P7: green if the work is done, and red only if it is not."""
    ours = chain(platform)
    done = is_done(ours, platform.now)
    if ended.run_id is not None:
        run = platform.run(ended.run_id)
        adopted = run not in ours and run.status(platform.now) == RunStatus.SUCCESS and is_done([run], platform.now)
        if not done and not adopted:
            yield "the task is green and the work is not done"
    healed = ours and ours[-1].by_task and ours[-1].status(platform.now) == RunStatus.SUCCESS
    if healed and done and ended.kind not in {"green", "killed", "unwatchable", "api_error"}:
        yield f"the work is done and the task ended as {ended.kind}"


def is_overtaken(platform: SimulatedPlatform, run: RunRecord) -> bool:
    """Whether somebody resumed the failed run again after we did, and our worker may have died before it knew.

    dbt records both reruns alike, so the next try follows the newer one: ours ends by itself.
    """
    unknown = platform.tries > 1 or bool(platform.schedule.posts)
    newer = platform.runs[run.id :]
    return unknown and any(run.resumes and other.resumes is run.resumes and not other.by_task for other in newer)


def left_going(platform: SimulatedPlatform, ended: Ended) -> Iterator[str]:
    """P9: no run of ours continues without its task, and no foreign run is cancelled."""
    cancelled = {post.about for post in platform.posts if post.path.endswith("/cancel/")}
    ours = chain(platform)
    for run_id in cancelled - {run.id for run in ours}:
        yield f"run {run_id}, which is not ours, was cancelled"
    for run in ours:
        goes_on = run.by_task and platform.now < run.ends and run.id not in cancelled
        if goes_on and not is_overtaken(platform, run) and ended.kind not in {"killed", "unwatchable", "api_error"}:
            yield f"run {run.id} goes on, and the task ended as {ended.kind}"


def check(schedule: Schedule, task: Task) -> None:
    """Run a schedule, then check the records."""
    platform = SimulatedPlatform(schedule)
    ended = live(platform, task)
    assert list(broken_promises(platform, ended)) == [], (ended, platform.posts)
    if ended.run_id is not None:
        found = audited(platform, ended.run_id, first_of(platform, MARKER))
        assert found.is_done, (found.to_dict(), ended, platform.posts)


def audited(platform: SimulatedPlatform, run_id: int, of_run: int) -> Audit:
    """Ask the auditor about a green task, once the platform is quiet."""
    platform.schedule = replace(platform.schedule, posts={}, gets={}, outage=(0, 0), deeds={})
    platform.now += 1000.0
    return audit(platform, run_id, of_run=of_run)


def first_of(platform: SimulatedPlatform, marker: Marker) -> int:
    """Return the id of the first run that was started for a piece of work."""
    return next(run.id for run in platform.runs if run.trigger["cause"].startswith(f"[dbt-rerun {marker.key}]"))


# --- The schedules

GET_TROUBLES = (
    *(Trouble.UNREACHABLE, Trouble.GATEWAY, Trouble.THROTTLED, Trouble.NOT_FOUND, Trouble.BAD_ANSWER),
    Trouble.KILLED_BEFORE,
)
HEALING = st.sampled_from([End.TRANSIENT, End.STRANGE, End.NO_CLONE, End.NO_NODES, End.HOLLOW])
"""Fates that prolong a heal: drawn often, since others end it soon."""


def fates(ends: st.SearchStrategy[End]) -> st.SearchStrategy[list[Fate]]:
    """Draw the fates of the first runs; at least one is not a plain success."""
    place, seconds = st.integers(0, len(NODES) - 1), st.sampled_from([30.0, 90.0, 400.0])
    return st.lists(st.builds(Fate, ends, place, seconds), min_size=1, max_size=4)


HEALING_FATES = fates(HEALING)
FATES = fates(HEALING | HEALING | st.sampled_from(End))
POSTS = st.dictionaries(st.integers(0, 5), st.sampled_from(Trouble), max_size=4)
GETS = st.dictionaries(st.integers(0, 50), st.sampled_from(GET_TROUBLES), max_size=5)
KILLS = st.dictionaries(st.integers(0, 50), st.just(Trouble.KILLED_BEFORE), max_size=3)
OUTAGES = st.tuples(st.integers(1, 40), st.integers(0, 30)).map(lambda at: (at[0], at[0] + at[1]))
DEEDS = st.dictionaries(st.integers(0, 50), st.sampled_from(Deed), max_size=3)
TASKS = st.builds(
    Task,
    policy=st.sampled_from(POLICIES),
    timeout=st.sampled_from([A_WEEK, 200.0, 500.0]),
    deferrable=st.booleans(),
)


def schedules(**parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Schedule]:
    """Draw schedules in which these things happen, on platforms of every behaviour."""
    return st.builds(
        Schedule,
        names_resumed_run=st.booleans(),
        latest=st.sampled_from(["any_newer", "newer_success"]),
        shows_retry=st.booleans(),
        refusal=st.sampled_from([400, 403, 404, 409]),
        **parts,
    )


many = settings(
    max_examples=examples(600),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
)


@many
@given(schedules(fates=HEALING_FATES, posts=POSTS), TASKS)
def test_lost_answers_and_kills_around_posts(schedule: Schedule, task: Task) -> None:
    """P2, P6: whatever becomes of a POST and of who sent it, each piece of work is started once."""
    check(schedule, task)


@many
@given(schedules(fates=FATES, gets=GETS, outage=OUTAGES), TASKS)
def test_unreadable_answers(schedule: Schedule, task: Task) -> None:
    """P1, P7: what cannot be read is neither failed nor done."""
    check(schedule, task)


@many
@given(schedules(fates=FATES, deeds=DEEDS, posts=POSTS, gets=KILLS), TASKS)
def test_strangers(schedule: Schedule, task: Task) -> None:
    """P3, P9: other people's runs of the job are not rerun, not cancelled, and not taken for ours."""
    check(schedule, task)


@many
@given(schedules(fates=FATES, posts=POSTS, gets=GETS, outage=OUTAGES, deeds=DEEDS), TASKS)
def test_everything_at_once(schedule: Schedule, task: Task) -> None:
    """P1 to P9 under all of it, in both modes."""
    check(schedule, task)


HEALED = (Fate(End.TRANSIENT, 1),)
HOLLOW = (Fate(End.TRANSIENT, 1), Fate(End.HOLLOW))
HEALED_STEP_BY_STEP = (Fate(End.TRANSIENT, 0), Fate(End.TRANSIENT, 1))
FROM_THE_STEP = (Fate(End.NO_NODES),)


@pytest.mark.parametrize("fates", [HEALED, HOLLOW, HEALED_STEP_BY_STEP, FROM_THE_STEP])
@pytest.mark.parametrize("trouble", Trouble)
def test_one_trouble_at_each_request(fates: Sequence[Fate], trouble: Trouble) -> None:
    """P1, P2, P6: no single request of a heal is one that must not fail."""
    for place in range(5):
        check(Schedule(fates=fates, posts={place: trouble}), Task())
    for place in range(30 if trouble in GET_TROUBLES else 0):
        check(Schedule(fates=fates, gets={place: trouble}), Task())


@sampled
@pytest.mark.parametrize("fates", [HEALED, HOLLOW, HEALED_STEP_BY_STEP])
@pytest.mark.parametrize("names_resumed_run", [True, False])
def test_somebody_else_at_each_request(fates: Sequence[Fate], *, names_resumed_run: bool) -> None:
    """P3, P6: who else runs or reruns the job may do so at any moment, also while our worker dies."""
    others = (fates[0], Fate(End.TRANSIENT, 1, 30.0), Fate(End.TRANSIENT, 3, 30.0))
    for place, kind, dies, laid_down in sample(product(range(14), range(3), (False, True), (fates, others))):
        deeds = ({place: Deed.RUN}, {place: Deed.RERUN}, {place: Deed.RUN, place + 4: Deed.RERUN})[kind]
        gets = {place + 2: Trouble.KILLED_BEFORE} if dies else {}
        schedule = Schedule(fates=laid_down, deeds=deeds, gets=gets, names_resumed_run=names_resumed_run)
        check(schedule, Task())
