"""Workers and triggerers that die: at any point, the work is done once, and no run stays in progress."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_fixed

from airflow_dbt_rerun import DbtCloudJobOperator, DbtCloudRerunHook, RerunPolicy
from airflow_dbt_rerun.audit import audit
from tests.border import TaskInstance, run_task
from tests.examples import sample, sampled
from tests.scenarios.crashing import Border, History, run_through_deaths
from tests.support import EXAMPLE_PROJECT, Json, LocalPlatform, local_platform

RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
SLOWLY = ({**RESET, "seconds": 0.06}, {"node": "customers", "times": 1, "seconds": 0.06})
"""Long enough that a run whose answer was lost is still in progress when found, and the task defers."""
RETRIES = 99
TRIGGER, RETRY = "POST jobs/N/run/", "POST runs/N/retry/"

Fatal = Callable[[Border], bool]
Work = Callable[..., History]

pytestmark = pytest.mark.usefixtures("test_mode")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """A platform that takes next to no time: a project of two models, without dbt.

    The work was done once in this process: what that loaded and indexed costs the many others nothing.
    """
    folder = tmp_path_factory.mktemp("crashes")
    make_small_project(folder / "project")
    with pytest.MonkeyPatch.context() as patched, local_platform(folder, "--simulate", jobs={}) as platform:
        platform.connect(patched)
        platform.trouble(RESET)
        run_task(task(new_job(platform), deferrable=True))
        yield platform


@pytest.fixture(params=[False, True], ids=["blocking", "deferrable"])
def deferrable(request: pytest.FixtureRequest) -> bool:
    """Try both modes."""
    return bool(request.param)


@pytest.fixture(params=["any_newer"])
def latest(request: pytest.FixtureRequest, simulated: LocalPlatform) -> str:
    """Set what makes a run the latest of its job."""
    simulated.behave(latest=request.param)
    return str(request.param)


@pytest.fixture
def work(simulated: LocalPlatform, latest: str, *, deferrable: bool) -> Work:  # noqa: ARG001
    """Do a piece of work that fails once, through deaths, and check what the platform has of it."""

    def healed(fatal: Fatal, *trouble: Json) -> History:
        job = new_job(simulated)
        return healed_once(simulated, task(job, deferrable=deferrable), fatal, *trouble)

    return healed


# --- the work


def make_small_project(folder: Path) -> None:
    """Make a project of one model that can fail, and one behind it."""
    (folder / "models").mkdir(parents=True)
    for name in ("dbt_project.yml", "profiles.yml"):
        shutil.copy(EXAMPLE_PROJECT / name, folder)
    (folder / "models" / "orders.sql").write_text("select 1 as order_id")
    (folder / "models" / "customers.sql").write_text("select * from {{ ref('orders') }}")


def new_job(platform: LocalPlatform, *commands: str) -> int:
    """Create a job, so that whatever it runs is of one piece of work."""
    like = platform.get(f"jobs/{next(iter(platform.jobs.values()))}/")
    places = {name: like[name] for name in ("project_id", "environment_id")}
    return int(
        platform.post("jobs/", {**places, "name": "crashes", "execute_steps": commands or ["dbt run"]})["id"]
    )


def task(job: int, *, deferrable: bool, check_interval: float = 0.02) -> DbtCloudJobOperator:
    """Make a task that waits for nothing before it reruns."""
    return DbtCloudJobOperator(
        task_id="build",
        job_id=job,
        policy=RerunPolicy(wait=wait_fixed(0)),
        check_interval=check_interval,
        deferrable=deferrable,
        retries=RETRIES,
    )


def healed_once(platform: LocalPlatform, operator: DbtCloudJobOperator, fatal: Fatal, *trouble: Json) -> History:
    """Let a task live through its deaths; then there is one run that failed, its one retry, and nothing else."""
    platform.trouble(*trouble or [RESET])
    instance = TaskInstance(run_id=f"of job {operator.job_id}", max_tries=RETRIES)
    history = run_through_deaths(operator, instance, fatal)
    runs = platform.get("runs/", job_definition_id=operator.job_id, order_by="id", include_related="['trigger']")
    assert [run["status"] for run in runs] == [20, 10], history
    assert runs[0]["trigger"]["cause"].startswith("[dbt-rerun ")
    assert runs[1]["retrying_run_id"] == runs[0]["id"]
    assert history.run_id == runs[1]["id"]
    assert audit(DbtCloudRerunHook().client, runs[1]["id"], of_run=runs[0]["id"]).is_done
    return history


def at_each_boundary(work: Work, counts: Callable[[str], bool] = bool) -> list[str]:
    """Do the work undisturbed, then again for each boundary that it passed, killed there.

    Of those after which nothing has changed, a fifth is tried in each run, and all at night.

    :param counts: which boundaries count
    :return: where it was killed
    """
    boundaries = landmarks(work(lambda _: False).passed)
    deaths: list[str] = []
    in_this_run = set(sample(range(1, len(boundaries) + 1)))
    for number, boundary in enumerate(boundaries, 1):
        if counts(boundary) and (changes_the_world(boundary) or number in in_this_run):
            occurrence = boundaries[:number].count(boundary)
            deaths += work(partial(is_at, boundary, occurrence)).deaths
    return deaths


def is_at(boundary: str, occurrence: int, border: Border) -> bool:
    """Whether a process is at a boundary for the so-many-th time, and none was killed before."""
    if border.deaths or border.passed[-1] != boundary:
        return False
    return landmarks(border.passed).count(boundary) == occurrence


def landmarks(passed: list[str]) -> list[str]:
    """Leave out polls that only repeat the one before: how many there are is chance."""
    return [boundary for place, boundary in enumerate(passed) if boundary not in passed[max(place - 2, 0) : place]]


def changes_the_world(boundary: str) -> bool:
    """Return whether dying here differs from dying at the next boundary: a GET or an XCom has no other effect."""
    return not boundary.startswith(("after GET", "after XCom"))


def show(what: str, deaths: list[str]) -> None:
    """Print a figure."""
    sys.stdout.write(f"{what}: killed at {len(deaths)} boundaries, {len(set(deaths))} different\n")


# --- the promises


@sampled
@pytest.mark.parametrize(
    "latest", ["any_newer", pytest.param("newer_success", marks=pytest.mark.nightly)], indirect=True
)
def test_killed_at_each_boundary(work: Work, *, deferrable: bool) -> None:
    """P2, P9: a process killed before or after any request, XCom, deferral or event: two runs, the second green."""
    deaths = at_each_boundary(work)
    show("deferrable" if deferrable else "blocking", deaths)
    assert {f"{when} {post}" for when in ("before", "after") for post in (TRIGGER, RETRY)} <= set(deaths)
    assert {"execute", "done", *(["defer", "event", "resume"] if deferrable else [])} <= set(deaths)


@pytest.mark.parametrize(
    ("deferrable", "status"),
    [(False, None), pytest.param(True, 504, marks=pytest.mark.nightly)],
    indirect=["deferrable"],
    ids=["blocking, connection lost", "deferrable, 504"],
)
def test_killed_at_each_boundary_while_answers_are_lost(
    work: Work, simulated: LocalPlatform, status: int | None, *, deferrable: bool
) -> None:
    """P2: the same where neither POST is answered, although each started a run."""
    lost: dict[str, Any] = {"method": "POST", **({"status": status} if status else {})}

    def unanswered(fatal: Fatal) -> History:
        simulated.control("DELETE", "faults")
        for path in ("/run/$", "/retry/$"):
            simulated.fault("lost", path=path, **lost)
        history = work(fatal, *(SLOWLY if deferrable else [RESET]))
        assert simulated.control("GET", "faults") == []
        return history

    deaths = at_each_boundary(unanswered, changes_the_world)
    show(f"{'deferrable' if deferrable else 'blocking'}, {status or 'no'} answer", deaths)
    assert {f"after {TRIGGER}", f"after {RETRY}", *(["defer"] if deferrable else [])} <= set(deaths)


def test_killed_again_and_again(work: Work) -> None:
    """P2: the first process dies at its first boundary, the second at its second, until one lives long enough."""
    history = work(lambda border: border.age == border.life)
    show("again and again", history.deaths)
    assert len(history.deaths) > 10


@pytest.mark.dbt
@pytest.mark.parametrize("deferrable", [True], indirect=True)
def test_killed_right_after_each_post_on_real_dbt(
    platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch, *, deferrable: bool
) -> None:
    """P2: the new try finds the run that its predecessor did not live to hear of."""
    platform.connect(monkeypatch)
    job = new_job(platform, "dbt build --select +orders --exclude resource_type:test")
    posts = [f"after {TRIGGER}", f"after {RETRY}"]
    operator = task(job, deferrable=deferrable, check_interval=0.5)
    history = healed_once(platform, operator, lambda border: border.passed[-1] in posts)
    assert history.deaths == posts
    platform.send("DELETE", f"jobs/{job}/")
