"""A rerun that was found, and not started by this task, is never cancelled (P9); a mixed-up answer names no run."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from tenacity import wait_fixed

from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.api.replies import Failure, Reply, read
from airflow_dbt_rerun.core.heal.lineage import Marker
from airflow_dbt_rerun.core.heal.next_steps import Fail, WaitForRun
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.engine.cancelling import cancel
from airflow_dbt_rerun.engine.driver import Driver
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import DbtAnswerLostError

T = TypeVar("T")
Json = dict[str, Any]

JOB, ANN, US = 7, {"type": "user", "id": 55, "name": "Ann"}, {"type": "service_token", "id": 9, "name": "airflow"}
MARKER = Marker.of("a dag")
QUIET = logging.getLogger("quiet")
STEP = {
    "id": 1,
    "index": 4,
    "name": "Invoke dbt with `dbt build`",
    "status": 20,
    "logs": "Connection reset by peer",
}

RESULTS = {"results": [{"unique_id": "model.shop.a", "status": "error", "message": "Connection reset by peer"}]}


def run(run_id: int, status: int, by: Json, *, resumes: int | None = None, cause: str = "x") -> Json:
    """A run as the platform shows it."""
    category = "rerun" if resumes else "api"
    return {
        "id": run_id,
        "job_definition_id": JOB,
        "status": status,
        "retrying_run_id": resumes,
        "can_retry": status == 20,
        "trigger": {"cause": "" if resumes else cause, "cause_category": category},
        "audit": {"trigger": {"actor": by}},
        "job": {"execute_steps": ["dbt build"]},
        "run_steps": [STEP] if status == 20 else [],
    }


@dataclass
class Platform:
    """A platform with one failed run, of which a person is quicker to start the rerun than our POST."""

    refusal: Reply | Failure
    by: Json
    runs: dict[int, Json] = field(default_factory=dict)
    posts: list[str] = field(default_factory=list)
    now: float = 1_700_000_000.0

    def clock(self) -> float:
        """Return epoch seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def send(self, endpoint: Endpoint[T]) -> T:
        """Answer a request."""
        self.now += 1
        return read(endpoint, self._answer(endpoint), host="dbt")

    def _answer(self, endpoint: Endpoint[Any]) -> Reply | Failure:
        if endpoint.method == "POST":
            self.posts.append(endpoint.path)
            if endpoint.path.endswith("/retry/"):
                self.runs[102] = run(102, 3, self.by, resumes=101)
                return self.refusal
        if endpoint.path == "runs/":
            newest = [self.runs[number] for number in sorted(self.runs, reverse=True)]
            return Reply(200, body=json.dumps({"data": newest}).encode())
        number = endpoint.path.split("/")[1]
        if endpoint.path == "runs/101/artifacts/run_results.json":
            return Reply(200, body=json.dumps(RESULTS).encode())
        if "artifacts" in endpoint.path or not number.isdigit() or int(number) not in self.runs:
            return Reply(404)
        return Reply(200, body=json.dumps({"data": self.runs[int(number)]}).encode())


def driven(platform: Platform, *, of_run: int | None = None) -> Driver:
    """Let a task go on with its failed run, up to the rerun; it is in progress then."""
    first = US if of_run is None else {"type": "scheduler", "id": 1, "name": "dbt"}
    cause = MARKER.cause("a test") if of_run is None else "scheduled"
    platform.runs[101] = run(101, 20, first, cause=cause)
    work = Work(JOB, MARKER, "a test", of_run=of_run)
    policy = RerunPolicy(wait=wait_fixed(0))
    driver = Driver(platform, work, policy, log=QUIET, clock=platform.clock, sleep=platform.sleep)
    session, seen = driver.begin(deadline=platform.now + 10_000)
    session, step = driver.advance(session, seen)
    assert step == WaitForRun(102)
    assert session.attempts[-1].ours is (102 not in driver.work.theirs)
    return driver


LOST = (Failure("dropped", sent=True), Reply(500), Reply(201, body=b"<html>"))
REFUSED = (Reply(400), Reply(409), Reply(422))


@pytest.mark.parametrize("answer", [*LOST, *REFUSED], ids=str)
@pytest.mark.parametrize("of_run", [None, 101], ids=["own run", "given run"])
def test_rerun_of_a_person_is_not_cancelled(answer: Reply | Failure, of_run: int | None) -> None:
    """Ann pressed a moment before our POST, which was refused, or whose answer was lost."""
    platform = Platform(answer, ANN)
    driver = driven(platform, of_run=of_run)
    driver.cancel()
    assert platform.posts == ["runs/101/retry/"]


@pytest.mark.parametrize("answer", LOST, ids=str)
def test_own_rerun_whose_answer_was_lost_is_cancelled(answer: Reply | Failure) -> None:
    """dbt names us for it: nothing that we started goes on alone."""
    platform = Platform(answer, US)
    driven(platform).cancel()
    assert platform.posts == ["runs/101/retry/", "runs/102/cancel/"]


@pytest.mark.parametrize("answer", REFUSED, ids=str)
def test_what_was_refused_started_nothing(answer: Reply) -> None:
    """Another task with our token may have been quicker."""
    platform = Platform(answer, US)
    driven(platform).cancel()
    assert platform.posts == ["runs/101/retry/"]


@pytest.mark.parametrize(("by", "cancels"), [(ANN, False), (US, True)], ids=["Ann", "us"])
def test_next_try_knows_whose_rerun_it_finds(*, by: Json, cancels: bool) -> None:
    """The worker died: dbt's audit tells whether the rerun is one that this task had started."""
    platform = Platform(Reply(500), by)
    platform.runs[101] = run(101, 20, US, cause=MARKER.cause("a test"))
    platform.runs[102] = run(102, 3, by, resumes=101)
    work = Work(JOB, MARKER, "a test")
    driver = Driver(platform, work, RerunPolicy(), log=QUIET, clock=platform.clock, sleep=platform.sleep)
    driver.begin(deadline=None)
    driver.cancel()
    assert platform.posts == (["runs/102/cancel/"] if cancels else [])


@pytest.mark.parametrize(
    ("told", "started"),
    [
        (lambda sent: sent, 201),
        (lambda sent: sent[:60], 201),
        (lambda _: "", 201),
        (lambda _: "Bob presses run", 202),
        (lambda _: Marker.of("another dag").cause("a test"), 202),
    ],
    ids=["ours", "cut", "none", "another's", "another task's"],
)
def test_answer_with_the_cause_of_another_run_is_a_lost_one(told: Callable[[str], str], started: int) -> None:
    """P3: the run is searched for then, and the other one is not taken for ours."""
    platform = Platform(Reply(500), US)

    def answer(endpoint: Endpoint[Any]) -> Reply:
        sent = (endpoint.json or {})["cause"]
        if started == 202:  # ours comes second in the list
            platform.runs[202] = run(202, 3, US, cause=sent)
        platform.runs[201] = run(201, 3, US, cause=told(sent))
        return Reply(200, body=json.dumps({"data": platform.runs[201]}).encode())

    def send(endpoint: Endpoint[T]) -> T:
        if endpoint.method == "POST":
            platform.posts.append(endpoint.path)
            return read(endpoint, answer(endpoint), host="dbt")
        return Platform.send(platform, endpoint)

    platform.send = send  # type: ignore[method-assign]
    work = Work(JOB, MARKER, "a test")
    driver = Driver(platform, work, None, log=QUIET, clock=platform.clock, sleep=platform.sleep)
    session, seen = driver.begin(deadline=None)
    assert driver.advance(session, seen)[1] == WaitForRun(started)
    assert len(platform.posts) == 1


@pytest.mark.parametrize("policy", [None, RerunPolicy()], ids=["detects", "heals"])
def test_run_that_turns_out_to_be_another_one_is_not_ours(policy: RerunPolicy | None) -> None:
    """P3: the answer named no cause, the run itself does; it is neither taken for our work nor cancelled."""
    platform = Platform(Reply(500), US)
    bob = run(201, 3, ANN, cause="Bob presses run")

    def send(endpoint: Endpoint[T]) -> T:
        if endpoint.method == "POST":
            platform.posts.append(endpoint.path)
            platform.runs[201] = bob
            answer = {name: value for name, value in bob.items() if name in ("id", "job_definition_id", "status")}
            return read(endpoint, Reply(200, body=json.dumps({"data": answer}).encode()), host="dbt")
        return Platform.send(platform, endpoint)

    platform.send = send  # type: ignore[method-assign]
    work = Work(JOB, MARKER, "a test")
    driver = Driver(platform, work, policy, log=QUIET, clock=platform.clock, sleep=platform.sleep)
    session, seen = driver.begin(deadline=None)
    if policy is None:
        session, step = driver.advance(session, seen)
        bob["status"] = 10
        assert isinstance(step, WaitForRun)
        session, end = driver.advance(session, driver.wait(session, step))
        assert isinstance(end, Fail)
        assert (end.kind, end.retryable) == ("unwatchable", True)
        assert "bears another cause" in end.reason
    else:
        with pytest.raises(DbtAnswerLostError, match="bears another cause"):
            driver.advance(session, seen)
    driver.cancel()
    assert "Not cancelling" in cancel(platform, 201, job_id=JOB, marker=MARKER)
    assert platform.posts == [f"jobs/{JOB}/run/"]
