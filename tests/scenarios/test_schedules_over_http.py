"""Random schedules of faults against the local platform itself: real HTTP, both modes, Airflow's retries.

The many thousand schedules of test_schedules.py run on a platform in memory; these show that what holds there holds
where requests really get lost.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from hypothesis import given, settings
from hypothesis import strategies as st
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun import DbtCloudJobOperator, DbtCloudRerunHook, RerunPolicy
from airflow_dbt_rerun.audit import audit
from airflow_dbt_rerun.exceptions import DbtRerunError
from airflow_dbt_rerun.testing import set_testing
from tests.border import TaskInstance, fresh_copy, run_task
from tests.examples import examples
from tests.support import Json, LocalPlatform, local_platform

JOB = "dbt seed; dbt build --exclude resource_type:seed; dbt run --select customers"
NAMES = itertools.count()
TRIES = 8
"""More than the faults of one schedule can spoil."""

TROUBLES = st.lists(
    st.builds(
        lambda node, times, message: {"node": node, "times": times, "message": message},
        st.sampled_from(["stg_orders", "orders", "customers"]),
        st.integers(1, 2),
        st.sampled_from(["Connection reset by peer", "Table with name raw_refunds does not exist!"]),
    ),
    max_size=2,
    unique_by=lambda trouble: trouble["node"],
)
POST_FAULTS = st.sampled_from(
    [{"kind": "lost"}, {"kind": "lost", "status": 504}, {"kind": "drop"}, {"kind": "html"}, {"kind": "malformed"}]
)
GET_FAULTS = st.sampled_from(
    [{"kind": "drop"}, {"kind": "html"}, {"kind": "malformed"}, {"kind": "status", "status": 503}]
)
FAULTS = st.tuples(
    st.lists(st.tuples(st.just("POST"), POST_FAULTS, st.integers(1, 2)), max_size=2),
    st.lists(st.tuples(st.just("GET"), GET_FAULTS, st.integers(1, 3)), max_size=1),
)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """Start one platform for all schedules, in test mode."""
    with (
        pytest.MonkeyPatch.context() as patched,
        set_testing(True),
        local_platform(tmp_path_factory.mktemp("schedules"), "--simulate", jobs={"nightly": JOB}) as platform,
    ):
        platform.connect(patched)
        yield platform


@settings(max_examples=examples(60), deadline=None, derandomize=True, database=None)
@given(
    troubles=TROUBLES,
    faults=FAULTS,
    latest=st.sampled_from(["any_newer", "newer_success"]),
    deferrable=st.booleans(),
)
def test_no_fault_makes_a_run_too_many_or_a_lie(
    simulated: LocalPlatform, troubles: list[Json], faults: Any, latest: str, *, deferrable: bool
) -> None:
    """P1, P2, P6: each run is started once, success means done, failure not done, and no run stays in progress."""
    simulated.behave(latest=latest)
    simulated.trouble(*troubles)
    before = simulated.get("runs/", order_by="-id", limit=1)
    for method, fault, count in itertools.chain(*faults):
        simulated.fault(**fault, method=method, count=count, path="/accounts/.*(runs|jobs)")
    ended = live(simulated, deferrable=deferrable)
    simulated.control("DELETE", "faults")
    runs = runs_since(simulated, before[0]["id"] if before else 0)
    assert all(run["is_complete"] for run in runs)
    assert max(Counter(map(purpose, runs)).values()) == 1
    assert len(runs) <= 3 * TRIES
    done = runs[-1]["status"] == 10 and all(status in ("success", "pass") for status in merged(simulated, runs))
    assert (ended == "green") == done, ended
    if ended == "green":
        found = audit(DbtCloudRerunHook().client, runs[-1]["id"], of_run=runs[0]["id"])
        assert found.is_done, found.to_dict()
    if all("Connection" in trouble["message"] for trouble in troubles):
        assert ended == "green"


def live(platform: LocalPlatform, *, deferrable: bool) -> str:
    """Live through the task's tries, as Airflow would; say how the last one ended."""
    job = DbtCloudJobOperator(
        task_id="t",
        job_id=platform.jobs["nightly"],
        policy=RerunPolicy(wait=wait_fixed(0), stop=stop_after_attempt(3), give_up_after_failed_runs=None),
        deferrable=deferrable,
        check_interval=0.03,
        hook_params={"retry_delay": 0.01},
    )
    instance = TaskInstance(run_id=f"schedule {next(NAMES)}")
    ended = "not tried"
    for _ in range(TRIES):
        try:
            run_task(fresh_copy(job), instance)
        except DbtRerunError as error:
            ended = f"{type(error).__name__}: {error}"
            if isinstance(error, AirflowFailException):
                break
        else:
            return "green"
    return ended


def runs_since(platform: LocalPlatform, run_id: int) -> list[Json]:
    """List the runs that were started since, oldest first."""
    runs = platform.get("runs/", order_by="-id", limit=50, include_related="['trigger']")
    return [run for run in reversed(runs) if run["id"] > run_id]


def purpose(run: Json) -> str:
    """Say what a run was started for: whose repair it is, or the first of its task."""
    return str(run["retrying_run_id"] or run["trigger"]["cause"].split("]")[0])


def merged(platform: LocalPlatform, runs: list[Json]) -> Iterator[str]:
    """Give the newest status of each node, read from the artifacts of all these runs."""
    newest: dict[str, str] = {}
    for run in runs:
        for step in platform.steps(run):
            path = f"runs/{run['id']}/artifacts/run_results.json"
            artifact = platform.send("GET", path, params={"step": step["index"]})
            for result in artifact.json()["results"] if artifact.ok else ():
                newest[result["unique_id"]] = result["status"]
    yield from newest.values()
