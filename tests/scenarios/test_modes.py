"""Both modes, one truth (P8): each story is lived through blocking and deferrable, and nothing may differ.

Compared are how each try of the task ended, the report, every XCom, and what the platform was asked to start.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from tenacity import stop_after_attempt, wait_fixed

from airflow_dbt_rerun import (
    Category,
    DbtCloudJobOperator,
    DbtCloudRerunOperator,
    RerunAction,
    RerunPolicy,
    RerunRule,
    any_node,
    every,
)
from airflow_dbt_rerun.exceptions import DbtRerunError
from tests.border import TaskInstance, fresh_copy, run_task
from tests.support import Json, LocalPlatform

JOB = "dbt seed; dbt build --exclude resource_type:seed; dbt run --select customers"
IN_A_HURRY = RerunPolicy(wait=wait_fixed(0))
RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
BROKEN = {"node": "orders", "times": -1, "message": "Table with name raw_refunds does not exist!"}
HANGS = {"node": "orders", "times": 1, "seconds": 60}
TEST = "every_payment_has_an_order"
JOBS = {"nightly": JOB}
pytestmark = pytest.mark.usefixtures("connected")


# --- A task that lives through a story


@dataclass
class Task:
    """One task instance in one of the two modes, and what became of it."""

    platform: LocalPlatform
    deferrable: bool
    instance: TaskInstance
    ends: list[str] = field(default_factory=list)

    def job(self, **arguments: Any) -> DbtCloudJobOperator:
        """Make the task that runs the job."""
        defaults = {"job_id": self.platform.jobs["nightly"], "policy": IN_A_HURRY, "check_interval": 0.05}
        return DbtCloudJobOperator(task_id="t", deferrable=self.deferrable, **{**defaults, **arguments})

    def again(self, run: Json, **arguments: Any) -> DbtCloudRerunOperator:
        """Make the task that reruns one run."""
        return DbtCloudRerunOperator(
            task_id="t", run_id=run["id"], deferrable=self.deferrable, check_interval=0.05, **arguments
        )

    def live(self, operator: DbtCloudJobOperator | DbtCloudRerunOperator) -> None:
        """Live through one try, and remember how it ended."""
        try:
            self.ends.append(f"green: {run_task(fresh_copy(operator), self.instance)}")
        except DbtRerunError as error:
            self.ends.append(f"{type(error).__name__}: {error}")

    @contextmanager
    def meanwhile(self, node: str, act: Callable[[Json], object]) -> Iterator[None]:
        """Do something to the newest run as soon as a node of it hangs."""

        def wait_and_act() -> None:
            self.platform.until_troubled(node)
            act(self.newest())

        thread = threading.Thread(target=wait_and_act)
        thread.start()
        yield
        thread.join()

    def newest(self) -> Json:
        """Read the job's newest run."""
        runs = self.platform.get("runs/", job_definition_id=self.platform.jobs["nightly"], order_by="-id", limit=1)
        newest: Json = runs[0]
        return newest


Story = Callable[[Task], None]
STORIES: list[tuple[Story, str, int]] = []
"""Each story, how its last try ends, and how many POSTs there are in all."""


def tells(end: str, posts: int) -> Callable[[Story], Story]:
    """Add a story."""

    def add(story: Story) -> Story:
        STORIES.append((story, end, posts))
        return story

    return add


# --- The stories


@tells("green", 1)
def success(task: Task) -> None:
    """The job succeeds."""
    task.live(task.job())


@tells("green", 2)
def transient_failure(task: Task) -> None:
    """A connection is lost once."""
    task.platform.trouble(RESET)
    task.live(task.job())


@tells("green", 2)
def wait_before_the_rerun(task: Task) -> None:
    """The policy waits before the rerun."""
    task.platform.trouble(RESET)
    task.live(task.job(policy=RerunPolicy(wait=wait_fixed(0.2))))


@tells("DbtRunFailed", 1)
def permanent_failure(task: Task) -> None:
    """A bug."""
    task.platform.trouble(BROKEN)
    task.live(task.job())


@tells("DbtRunFailed", 1)
def no_policy(task: Task) -> None:
    """Nothing may be rerun."""
    task.platform.trouble(RESET)
    task.live(task.job(policy=None))


@tells("DbtRunExhausted", 2)
def limits(task: Task) -> None:
    """It fails more often than the policy reruns."""
    task.platform.trouble({**RESET, "times": -1})
    task.live(task.job(policy=RerunPolicy(wait=wait_fixed(0), stop=stop_after_attempt(2))))


@tells("green", 3)
def next_try_after_the_limits(task: Task) -> None:
    """Airflow tries again after the policy's limits."""
    job = task.job(policy=RerunPolicy(wait=wait_fixed(0), stop=stop_after_attempt(2)))
    task.platform.trouble({**RESET, "times": 2})
    task.live(job)
    task.live(job)


@tells("green", 1)
def next_try_after_success(task: Task) -> None:
    """A worker died after the run's end, and Airflow tries again."""
    task.live(task.job())
    task.live(task.job())


@tells("green", 2)
def cleared(task: Task) -> None:
    """A person clears the task."""
    task.live(task.job())
    task.instance.max_tries += 1
    task.live(task.job())


@tells("green", 2)
def overrides_of_a_rule(task: Task) -> None:
    """The rerun is to have other settings, so it cannot resume."""
    rule = RerunRule(any_node(Category.TRANSIENT), overrides={"threads_override": 1})
    task.platform.trouble(RESET)
    task.live(task.job(policy=RerunPolicy(rules=[rule], wait=wait_fixed(0))))


@tells("green", 2)
def from_start(task: Task) -> None:
    """The policy wants a rebuild."""
    rule = RerunRule(any_node(Category.TRANSIENT), RerunAction.RERUN_FROM_START)
    task.platform.trouble(RESET)
    task.live(task.job(policy=RerunPolicy(rules=[rule], wait=wait_fixed(0))))


@tells("green", 2)
def rebuild_tested(task: Task) -> None:
    """A test fails, and what it tests is built again."""
    rule = RerunRule(every("test_failed"), RerunAction.REBUILD_TESTED)
    task.platform.trouble({"node": TEST, "times": 1, "failures": 3})
    task.live(task.job(policy=RerunPolicy(rules=[rule], wait=wait_fixed(0))))


@tells("green", 3)
def hollow_rerun(task: Task) -> None:
    """The rerun from failure does nothing and is green."""
    task.platform.behave(retry_runs="nothing")
    task.platform.trouble(RESET)
    task.live(task.job())


@tells("DbtRunCancelled", 2)
def cancelled_by_a_person(task: Task) -> None:
    """A person cancels the run."""
    task.platform.trouble(HANGS)
    with task.meanwhile("orders", lambda run: task.platform.cancel(run, by="Ann")):
        task.live(task.job())


@tells("DbtRunTimeout", 2)
def out_of_time(task: Task) -> None:
    """The run takes too long."""
    task.platform.trouble(HANGS)
    task.live(task.job(timeout=0.5))


@tells("green", 3)
def next_try_after_a_timeout(task: Task) -> None:
    """The run took too long, and Airflow tries again."""
    task.platform.trouble(HANGS)
    task.live(task.job(timeout=0.5))
    task.live(task.job())


@tells("green", 1)
def lost_answer_to_the_trigger(task: Task) -> None:
    """The run was started, but its answer was lost."""
    task.platform.fault("lost", method="POST", path="/run/$")
    task.live(task.job())


@tells("green", 2)
def lost_answer_to_the_retry(task: Task) -> None:
    """The rerun was started, and a gateway said 504."""
    task.platform.trouble(RESET)
    task.platform.fault("lost", method="POST", path="/retry/$", status=504)
    task.live(task.job())


@tells("green", 3)
def lost_rerun_from_the_start(task: Task) -> None:
    """The POST of a rerun that does not resume never arrives: it is decided again, like that of a retry."""
    task.platform.trouble({"node": "orders", "times": 1, "seconds": 0.3, "message": RESET["message"]})
    rule = RerunRule(any_node(Category.TRANSIENT), RerunAction.RERUN_FROM_START)

    def lose_the_next(_: Json) -> None:
        task.platform.fault("drop", method="POST", path="/run/$")

    with task.meanwhile("orders", lose_the_next):
        task.live(task.job(policy=RerunPolicy(rules=[rule], wait=wait_fixed(0))))


@tells("DbtRunUnwatchable", 1)
def unreadable(task: Task) -> None:
    """Nothing can be read of the run."""
    task.platform.fault("status", status=503, count=-1, method="GET", path=r"/runs/\d+/$")
    task.live(task.job(poll_tolerance=0.3, hook_params={"retry_limit": 1}))


@tells("DbtRunTimeout", 2)
def unreadable_until_the_time_is_over(task: Task) -> None:
    """Nothing can be read of the run, and the time is over long before the tolerance: the run is cancelled."""
    task.platform.trouble(HANGS)
    task.platform.fault("status", status=503, count=-1, method="GET", path=r"/runs/\d+/$")
    task.live(task.job(timeout=0.5, poll_tolerance=600, hook_params={"retry_limit": 1}))


@tells("DbtRunFailed", 2)
def deactivated_before_the_rerun(task: Task) -> None:
    """The job was deactivated when the rerun is due."""
    task.platform.trouble({"node": "orders", "times": 1, "seconds": 0.3, "message": RESET["message"]})

    def deactivate(run: Json) -> None:
        task.platform.control("POST", f"jobs/{run['job_id']}", {"deactivated": True})

    with task.meanwhile("orders", deactivate):
        task.live(task.job(policy=RerunPolicy(wait=wait_fixed(0), give_up_after_failed_runs=None)))


@tells("green", 2)
def rerun_of_a_failed_run(task: Task) -> None:
    """A run that the task did not start is rerun."""
    task.platform.trouble({**BROKEN, "times": 1})
    task.live(task.again(task.platform.run("nightly")))


@tells("green", 2)
def rerun_of_a_superseded_run(task: Task) -> None:
    """A run that the task did not start is to be rerun, and the job has a newer one."""
    task.platform.trouble({**BROKEN, "times": 1})
    run = task.platform.run("nightly")
    task.platform.run("nightly")
    task.live(task.again(run))


@tells("green", 2)
def rerun_that_a_person_was_quicker_with(task: Task) -> None:
    """A person has rerun it already."""
    task.platform.trouble({**BROKEN, "times": 1})
    run = task.platform.run("nightly")
    task.platform.retry(run)
    task.live(task.again(run))


@tells("DbtRunFailed", 2)
def rerun_that_fails_too(task: Task) -> None:
    """The rerun fails like the run."""
    task.platform.trouble({**BROKEN, "times": 2})
    task.live(task.again(task.platform.run("nightly")))


# --- What is compared


@dataclass
class Lived:
    """Everything that is observable of one life of a story."""

    ends: list[str]
    xcoms: list[tuple[str, Any]]
    posts: list[str]


def live(story: Story, platform: LocalPlatform, instance: TaskInstance, *, deferrable: bool) -> Lived:
    """Live through a story in one mode, on a platform as at the beginning."""
    task = Task(platform, deferrable, instance)
    before = platform.control("GET", "behaviour")
    platform.control("DELETE", "requests")
    try:
        story(task)
    finally:
        platform.trouble()
        platform.behave(**before)
        platform.control("DELETE", "faults")
        platform.control("POST", f"jobs/{platform.jobs['nightly']}", {"deactivated": False})
    page = "_link_DbtRerunPageLink"  # names the DAG run, which differs
    pushed = [(key, value) for key, value in instance.pushed if key != page and not _is_progress(value)]
    xcoms = [(key, _without_clocks(value)) for key, value in pushed]
    return _renamed(Lived(task.ends, xcoms, platform.posts()))


def _is_progress(value: Any) -> bool:
    """Tell a report of work in progress from the others: how often one is pushed depends on how fast dbt was."""
    return isinstance(value, dict) and value.get("outcome") == "in progress"


def _without_clocks(value: Any) -> Any:
    """Leave out how long things took: that alone may differ."""
    if isinstance(value, dict):
        return {name: _without_clocks(part) for name, part in value.items() if not name.endswith("seconds")}
    return [_without_clocks(part) for part in value] if isinstance(value, list) else value


def _renamed(lived: Lived) -> Lived:
    """Name runs by their order, since their ids must differ."""
    text = json.dumps([lived.ends, lived.xcoms, lived.posts])
    for place, run_id in enumerate(sorted(set(re.findall(r"\b704031102\d{5}\b", text))), start=1):
        text = text.replace(run_id, str(place))
    text = re.sub(r"after \d+ s|for \d+ s", "after a while", text)
    ends, xcoms, posts = json.loads(text)
    return Lived(ends, [tuple(pair) for pair in xcoms], posts)


@pytest.mark.parametrize(("story", "end", "posts"), STORIES, ids=[story.__name__ for story, _, _ in STORIES])
def test_both_modes_tell_the_same(story: Story, end: str, posts: int, simulated: LocalPlatform) -> None:
    """P8: the same ends, words, reports, XComs and POSTs; and they are those that the story is to have."""
    blocking, deferrable = (
        live(story, simulated, TaskInstance(run_id=f"{story.__name__} {mode}"), deferrable=mode)
        for mode in (False, True)
    )
    assert blocking.ends[-1].startswith(end), blocking.ends
    assert len(blocking.posts) == posts, blocking.posts
    assert deferrable == blocking
