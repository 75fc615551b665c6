"""Whatever the platform answers: no more POSTs than the policy's attempts, and none about another job's run."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.api.replies import Failure, Reply, read
from airflow_dbt_rerun.core.heal.lineage import Marker
from airflow_dbt_rerun.core.heal.next_steps import Fail, Succeed, WaitForRun
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.engine.cancelling import cancel
from airflow_dbt_rerun.engine.driver import Driver
from airflow_dbt_rerun.engine.reader import RunReader
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import DbtApiError, DbtBadAnswerError
from tests.examples import examples

T = TypeVar("T")
Json = dict[str, Any]

JOB, OTHER_JOB = 7, 8
MARKER = Marker.of("a dag")
ATTEMPTS = 3
"""The default policy's."""
QUIET = logging.getLogger("quiet")
QUIET.disabled = True


@dataclass
class Liar:
    """A platform that answers as it likes. It counts POSTs; its clock moves with each request."""

    answers: Any
    now: float = 1_700_000_000.0
    posts: list[str] = field(default_factory=list)

    def clock(self) -> float:
        """Give epoch seconds."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    def send(self, endpoint: Endpoint[T]) -> T:
        """Answer a request."""
        self.now += 1.0
        if endpoint.method == "POST":
            self.posts.append(str(endpoint))
            assert len(starting(self.posts)) <= ATTEMPTS, self.posts
        return read(endpoint, self.answers(endpoint), host="liar")


def driver_of(platform: Liar, *, of_run: int | None = None) -> Driver:
    """A driver with the default policy."""
    work = Work(JOB, MARKER, "a test", of_run=of_run)
    return Driver(platform, work, RerunPolicy(), log=QUIET, clock=platform.clock, sleep=platform.sleep)


def heal(platform: Liar, *, of_run: int | None = None, seconds: float = 20_000.0) -> Succeed | Fail | DbtApiError:
    """Run one try of a task to its end."""
    driver = driver_of(platform, of_run=of_run)
    try:
        session, seen = driver.begin(deadline=platform.now + seconds)
        session, step = driver.advance(session, seen)
        while isinstance(step, WaitForRun):
            session, step = driver.advance(session, driver.wait(session, step))
    except DbtApiError as error:
        return error
    assert isinstance(step, (Succeed, Fail))
    return step


def starting(posts: list[str]) -> list[str]:
    """POSTs that start runs."""
    return [post for post in posts if not post.endswith("/cancel/")]


# --- What a platform may say

IDS = st.sampled_from([1, 2, 3, 4, 5, 9, 0, -1, 10**19, "6", "x", None, 1.5, True])
RUNS = st.fixed_dictionaries(
    {
        "id": IDS,
        "job_definition_id": st.sampled_from([JOB] * 15 + [OTHER_JOB, None]),
        "status": st.sampled_from([20] * 15 + [10, 30, 1, 3, 0, 77, "20", 20.0, None]),
        "retrying_run_id": st.sampled_from([None, None, 1, 2, 3, 9]),
        "retry_not_supported_reason": st.sampled_from([None, None, "RETRY_NOT_LATEST_RUN", "RETRY_NO_RUN_RESULTS"]),
        "trigger": st.sampled_from(
            [
                {"cause": MARKER.cause("a"), "cause_category": "api"},
                {"cause": MARKER.cause("rerun from failed step", of_run=2), "cause_category": "api"},
                {"cause": "", "cause_category": "rerun"},
            ]
        ),
        "job": st.just({"execute_steps": ["dbt build"]}),
        "run_steps": st.just(
            [{"id": 1, "index": 4, "name": "Invoke dbt with `dbt build`", "status": 20, "logs": "Connection reset"}]
        ),
    }
)
RESULTS = {"results": [{"unique_id": "model.a.b", "status": "error", "message": "Connection reset by peer"}]}
STATUSES = st.sampled_from([200] * 30 + [500, 404, 409, 429, 401])


def reply_to(endpoint: Endpoint[Any], data: st.DataObject) -> Reply | Failure:
    """Draw the answer to a request: of the right kind, with the right id more often than not."""
    if data.draw(st.integers(0, 20)) == 0:
        return Failure("connection reset", sent=True)
    status = data.draw(STATUSES)
    if "artifacts" in endpoint.path:
        return Reply(status, body=json.dumps(RESULTS).encode())
    if endpoint.path == "runs/":
        return Reply(status, body=json.dumps({"data": data.draw(st.lists(RUNS, max_size=4))}).encode())
    body = data.draw(RUNS)
    asked = re.fullmatch(r"runs/(\d+)/", endpoint.path)
    if asked and data.draw(st.integers(0, 9)):
        body["id"] = int(asked[1])
    return Reply(status, body=json.dumps({"data": body}).encode())


@settings(
    max_examples=examples(400),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.data(), st.sampled_from([None, 2]))
def test_posts_never_exceed_the_attempts(data: st.DataObject, of_run: int | None) -> None:
    """P2, P5: ids that repeat, older ids, other jobs, lost answers, refusals: each POST counts as an attempt."""
    known: dict[str, Reply | Failure] = {}

    def answer(endpoint: Endpoint[Any]) -> Reply | Failure:
        """Repeat an earlier answer, mostly: a lie that changes at each request ends a heal soon."""
        if str(endpoint) not in known or data.draw(st.integers(0, 5)) == 0:
            known[str(endpoint)] = reply_to(endpoint, data)
        return known[str(endpoint)]

    heal(Liar(answer), of_run=of_run)  # the assertion is where it counts


# --- What was tried, one by one


def failed(run_id: int, **more: Any) -> Json:
    """A failed run that can be resumed."""
    steps = [{"id": 1, "index": 4, "name": "Invoke dbt with `dbt build`", "status": 20, "logs": ""}]
    return {
        "id": run_id,
        "job_definition_id": JOB,
        "status": 20,
        "trigger": {"cause": MARKER.cause("a test"), "cause_category": "api"},
        "job": {"execute_steps": ["dbt build"]},
        "run_steps": steps,
        **more,
    }


def scripted(posts: Mapping[str, Json], gets: Mapping[str, Json], *, results: Json = RESULTS) -> Any:
    """Answer each request by its path, and lists with the first run."""

    def answer(endpoint: Endpoint[Any]) -> Reply:
        if "artifacts" in endpoint.path:
            return Reply(200, body=json.dumps(results).encode())
        if endpoint.path == "runs/":
            return Reply(200, body=json.dumps({"data": [gets["runs/2/"]]}).encode())
        if endpoint.path == "jobs/7/":
            return Reply(200, body=json.dumps({"data": {"id": JOB, "execute_steps": ["dbt build"]}}).encode())
        table = posts if endpoint.method == "POST" else gets
        if endpoint.path not in table:
            return Reply(404)
        return Reply(200, body=json.dumps({"data": table[endpoint.path]}).encode())

    return answer


@pytest.mark.parametrize("run_id", [2, 1])
def test_retry_that_answers_with_a_known_run_ends_after_the_attempts(run_id: int) -> None:
    """A gateway that repeats an answer made 575 POSTs in six seconds."""
    platform = Liar(scripted({"runs/2/retry/": failed(run_id)}, {"runs/2/": failed(2)}))
    ended = heal(platform)
    assert isinstance(ended, Fail)
    assert ended.kind == "exhausted"
    assert "started no run that can be found" in ended.reason
    assert platform.posts == ["POST runs/2/retry/"] * (ATTEMPTS - 1)


def test_trigger_that_answers_with_a_known_run_is_a_lost_answer() -> None:
    """The same for a rerun from the step."""
    cannot = failed(2, can_retry=False, retry_not_supported_reason="RETRY_UNSUPPORTED_CMD")
    platform = Liar(scripted({"jobs/7/run/": failed(2)}, {"runs/2/": cannot}))
    ended = heal(platform)
    assert isinstance(ended, Fail)
    assert ended.kind == "exhausted"
    assert "started no run that can be found" in ended.reason
    assert platform.posts == ["POST jobs/7/run/"] * (ATTEMPTS - 1)


def test_run_of_another_job_is_not_believed() -> None:
    """P1: the run that was asked for, with another job's id: nothing is posted, and it is no success."""
    stranger = failed(2, job_definition_id=OTHER_JOB)
    for status in (10, 20):
        platform = Liar(scripted({}, {"runs/2/": {**stranger, "status": status}}))
        assert isinstance(heal(platform, of_run=2), DbtApiError)
        assert platform.posts == []


def test_another_id_than_asked_for_is_not_believed() -> None:
    """P1: the answer to GET runs/2/ is a success, but of run 3."""
    platform = Liar(scripted({}, {"runs/2/": failed(3, status=10)}))
    assert isinstance(heal(platform, of_run=2), DbtApiError)


def test_refusal_without_a_reason_is_not_asked_for_again() -> None:
    """What only the answer explains would be refused again."""
    gets = scripted({}, {"runs/2/": failed(2)})
    platform = Liar(lambda endpoint: Reply(409) if endpoint.method == "POST" else gets(endpoint))
    assert isinstance(heal(platform), Fail)
    assert platform.posts == ["POST runs/2/retry/"]


def test_run_that_is_over_at_its_first_reading_is_judged_by_its_evidence() -> None:
    """A quick run, or one whose lost answer took a while to find: its node results are read, and newer runs."""
    started = {**failed(3), "status": 1, "run_steps": []}
    broken = {**RESULTS, "results": [{**RESULTS["results"][0], "message": 'syntax error at or near "selec"'}]}
    other = {**failed(2), "trigger": {"cause": "a person"}}
    platform = Liar(scripted({"jobs/7/run/": started}, {"runs/2/": other, "runs/3/": failed(3)}, results=broken))
    ended = heal(platform)
    assert isinstance(ended, Fail)
    assert ended.diagnosis is not None
    assert ended.diagnosis.evidence == "the results of step 4"


def test_retry_that_answers_with_a_run_of_another_job_is_a_lost_answer() -> None:
    """P9: the foreign run is neither watched nor cancelled, whatever becomes of the task."""
    foreign = {**failed(3), "job_definition_id": OTHER_JOB, "status": 3}
    platform = Liar(scripted({"runs/2/retry/": foreign}, {"runs/2/": failed(2), "runs/3/": foreign}))
    ended = heal(platform)
    assert isinstance(ended, Fail)
    assert platform.posts == ["POST runs/2/retry/"] * (ATTEMPTS - 1)


def test_list_without_triggers_is_no_search() -> None:
    """P2: it cannot show whether a run is ours, so none is started."""
    listed = {name: value for name, value in failed(2).items() if name != "trigger"}
    platform = Liar(scripted({"jobs/7/run/": failed(3)}, {"runs/2/": listed}))
    assert isinstance(heal(platform), DbtApiError)
    assert platform.posts == []


def test_cancel_spares_a_run_of_another_job() -> None:
    """P9: also where the memory of a task names it."""
    foreign = {**failed(3), "job_definition_id": OTHER_JOB, "status": 3}
    platform = Liar(scripted({}, {"runs/2/": failed(2), "runs/3/": foreign}))
    assert "it is one of job 8, not of job 7" in cancel(platform, 3, job_id=JOB)
    assert platform.posts == []


def paged(listed: list[Json], *, size: int, total: bool = True) -> RunReader:
    """A platform with pages of its own size."""

    def answer(endpoint: Endpoint[Any]) -> Reply:
        offset = int(endpoint.params.get("offset") or 0)
        body: Json = {"data": listed[offset : offset + size]}
        if total:
            body["extra"] = {"pagination": {"total_count": len(listed)}}
        return Reply(200, body=json.dumps(body).encode())

    return RunReader(Liar(answer))


@pytest.mark.parametrize("total", [True, False])
def test_search_reads_all_pages_that_may_hold_a_run(*, total: bool) -> None:
    """P2: a page may be short, and the number of all runs may not be told."""
    reader = paged([failed(number) for number in range(30, 0, -1)], size=7, total=total)
    assert len(reader.newest_runs(JOB)) == 7
    assert len(reader.newest_runs(JOB, goes_on=lambda oldest: oldest.id > 12)) == 21
    assert len(reader.newest_runs(JOB, goes_on=lambda _: True)) == 30


def test_page_that_comes_again_proves_nothing() -> None:
    """P2: where ``offset`` is ignored, the runs behind the newest hundred are hidden, ours perhaps among them."""
    newest = [failed(number) for number in range(300, 200, -1)]
    reader = RunReader(Liar(lambda _: Reply(200, body=json.dumps({"data": newest}).encode())))
    assert len(reader.newest_runs(JOB)) == 100
    with pytest.raises(DbtBadAnswerError, match="does not go on after run 201"):
        reader.newest_runs(JOB, goes_on=lambda _: True)


def test_step_in_progress_in_a_green_run_is_read_again() -> None:
    """The record of a step may be a little later than that of its run."""
    late = [{"id": 1, "index": 4, "name": "Invoke dbt with `dbt build`", "status": 3}]
    settled = [{**late[0], "status": 10}]
    answers = iter([late, late, settled])

    def answer(_: Endpoint[Any]) -> Reply:
        body = {
            "id": 9,
            "job_definition_id": JOB,
            "status": 10,
            "run_steps": next(answers),
            "job": {"execute_steps": ["dbt build"]},
        }
        return Reply(200, body=json.dumps({"data": body}).encode())

    platform = Liar(answer)
    seen = RunReader(platform, clock=platform.clock, sleep=platform.sleep).observe(RerunSession(0.0), 9)
    assert isinstance(seen, RunSeen)
    assert seen.run.steps[0].status == 10
