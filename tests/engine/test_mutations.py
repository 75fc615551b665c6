"""Thousands of odd answers: nothing but this package's own errors leaves, and no odd answer is a success.

Each field of recorded answers is removed or replaced by odd values, one at a time.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.api.replies import Reply, read
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.heal.next_steps import Fail, Succeed
from airflow_dbt_rerun.exceptions import DbtAnswerLostError, DbtApiError
from tests.engine.test_bounded import ATTEMPTS, JOB, RESULTS, Liar, failed, heal, starting
from tests.examples import SHARE, sample, sampled

Json = Any
Path_ = tuple[str | int, ...]

GONE = object()
DEEP: Json = []
for _ in range(300):
    DEEP = [DEEP]
ODD: tuple[Json, ...] = (
    GONE,
    None,
    *(True, False, 0, -1, 1, 10, 2**63, -(2**70), 10**400, 1.5, 10.0, 10.9, float("inf"), float("nan")),
    *(
        "",
        " ",
        "10",
        " 1_0 ",
        "x",
        "null",
        "\u0661\u0660",
        "\ud800",
        "\x1b]0;t\x07",
        "a\r\n::group::b",
        "\u202e",
        "x" * 5000,
    ),
    *("2026-13-45", "javascript:alert(1)", "0001-01-01"),
    *([], [None], [1], ["x"], [{}], [[]], {}, {"id": 1}, {"a": {"b": []}}),
    DEEP,
)
RECORDED = Path(__file__).parents[1] / "data" / "api"


def places(value: Json, path: Path_ = ()) -> Iterator[Path_]:
    """Yield the place of each field, outermost first."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def mutated(value: Json, path: Path_, odd: Json) -> Json:
    """Return a copy in which one field is another."""
    if not path:
        return None if odd is GONE else odd
    copy: Any = dict(value) if isinstance(value, dict) else list(value)
    if len(path) == 1 and odd is GONE:
        del copy[path[0]]
    else:
        copy[path[0]] = mutated(value[path[0]], path[1:], odd)
    return copy


def mutations(value: Json) -> Iterator[Json]:
    """Yield the value with each field replaced by each odd value."""
    for path in places(value):
        for odd in ODD:
            yield mutated(value, path, odd)


def whole_run(**more: Any) -> Json:
    """A run with everything that is read of one."""
    return failed(
        2,
        **{
            "status_message": "text",
            "href": "https://dbt.example/2/",
            "git_sha": "abc",
            "git_branch": "main",
            "created_at": "2026-01-01 00:00:00+00:00",
            "started_at": "2026-01-01 00:00:00+00:00",
            "finished_at": "2026-01-01 00:01:00+00:00",
            "can_retry": True,
            "retry_not_supported_reason": None,
            "blocked_by": [1],
            "audit": {"trigger": {"actor": {"id": 1, "name": "Ann"}}, "cancellation": {"actor": {"id": 1}}},
            "job": {
                "name": "nightly",
                "execute_steps": ["dbt build"],
                "settings": {"target_name": "prod"},
                "run_failure_count": 1,
            },
            **more,
        },
    )


LATER = failed(3, retrying_run_id=2, can_retry=False, retry_not_supported_reason="RETRY_UNSUPPORTED_CMD")
LISTED = failed(2, finished_at="2026-01-01 00:00:00+00:00")


class Script:
    """Answers by path; one answer is odd."""

    def __init__(self, **odd: Json) -> None:
        self.odd = odd

    def __call__(self, endpoint: Endpoint[Any]) -> Reply:
        """Answer."""
        if "artifacts" in endpoint.path:
            return _reply(self.odd.get("results", RESULTS))
        if endpoint.method == "POST":
            return _reply(self.odd.get("post", {"data": failed(3, retrying_run_id=2, status=1)}))
        if endpoint.path == "runs/":
            return _reply(self.odd.get("list", {"data": [failed(2)]}))
        if endpoint.path == f"jobs/{JOB}/":
            return _reply(self.odd.get("job", {"data": {"id": JOB, "execute_steps": ["dbt build"]}}))
        run_id = int(endpoint.path.split("/")[1])
        later = failed(
            3, status=20, retrying_run_id=2, can_retry=False, retry_not_supported_reason="RETRY_UNSUPPORTED_CMD"
        )
        return _reply({"data": later} if run_id == 3 else self.odd.get("run", {"data": whole_run()}))


def _reply(body: Json) -> Reply:
    return Reply(200, body=json.dumps(body).encode())


METADATA = {"adapter_type": "duckdb", "dbt_version": "1.11.0"}
NODE = {"unique_id": "model.a.b", "status": "error", "message": "reset", "execution_time": 1.0, "failures": None}
ANSWERS: dict[str, Json] = {
    "run": {"data": whole_run()},
    "list": {
        "data": [failed(2, finished_at="2026-01-01 00:00:00+00:00")],
        "extra": {"pagination": {"total_count": 1}},
    },
    "post": {"data": failed(3, retrying_run_id=2, status=1)},
    "results": {"metadata": METADATA, "results": [NODE]},
    "job": {"data": {"id": JOB, "name": "nightly", "execute_steps": ["dbt build"]}},
}


@sampled
@pytest.mark.parametrize("kind", ANSWERS)
def test_odd_answer_leads_to_our_own_errors_and_no_success(kind: str) -> None:
    """P1: through the whole blocking heal, with its log, its report and its session."""
    for answer in sample(mutations(ANSWERS[kind])):
        platform = Liar(Script(**{kind: answer}))
        ended = heal(platform, of_run=2, seconds=500.0)
        if kind == "run" and isinstance(ended, Succeed):
            assert answer["data"]["status"] in {10, "10"}
            assert not isinstance(answer["data"]["status"], float)
        else:
            assert isinstance(ended, Fail | DbtApiError), (ended, answer)
        assert len(starting(platform.posts)) < ATTEMPTS


def test_success_is_possible() -> None:
    """The same script without an oddity, and the status 10."""
    run = whole_run(status=10)
    done = Script(run={"data": {**run, "run_steps": [{**step, "status": 10} for step in run["run_steps"]]}})
    assert isinstance(heal(Liar(done), of_run=2), Succeed)


READERS: dict[str, Endpoint[Any]] = {
    "01_runs_list.json": endpoints.list_runs(job_id=1),
    "02_jobs_list.json": endpoints.list_jobs(),
    "03_run_triggered_with_trigger_and_job.json": endpoints.list_runs(),
    "04_run_steps_failed.json": endpoints.list_runs(),
}


@pytest.mark.parametrize("file", READERS)
def test_odd_recorded_answer_is_read_or_refused(file: str) -> None:
    """Each field of the recorded answers of a real account."""
    endpoint = READERS[file]
    for answer in mutations(json.loads((RECORDED / file).read_text())):
        try:
            found = read(endpoint, _reply(answer), host="dbt")
        except DbtApiError as error:
            str(error).encode()
        else:
            repr(found).encode()


@pytest.mark.parametrize("endpoint", [endpoints.retry_run(2), endpoints.trigger_job(JOB, cause="")], ids=str)
def test_odd_answer_to_a_post_means_look(endpoint: Endpoint[Run]) -> None:
    """P2: whatever is wrong with it, the POST may have been carried out."""
    for answer in mutations(ANSWERS["post"]):
        try:
            run = read(endpoint, _reply(answer), host="dbt")
            assert run.id > (2 if "retry" in endpoint.path else 0)
        except DbtAnswerLostError as lost:
            str(lost).encode()


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b'{"status": ' + b"[" * 100_000, b"\xff\xfe"])
def test_deep_or_broken_json(status: int, body: bytes) -> None:
    """Nested 100,000 levels deep, in a success and in a refusal."""
    asked: tuple[Endpoint[Any], ...] = (endpoints.get_run(2), endpoints.retry_run(2), endpoints.get_step_results(2))
    for endpoint in asked:
        with pytest.raises(DbtApiError):
            read(endpoint, Reply(status, body=body), host="dbt")


def test_number_of_mutations() -> None:
    """There are thousands, and each field and each odd value are in a sample of them."""
    assert math.gcd(len(ODD), SHARE) == 1
    recorded = [json.loads((RECORDED / file).read_text()) for file in READERS]
    assert sum(1 for answer in (*ANSWERS.values(), *recorded) for _ in mutations(answer)) >= 5000
