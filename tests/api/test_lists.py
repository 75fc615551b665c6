"""A list that proves nothing is no answer; one unreadable entry of a list of states takes nobody else with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.replies import Reply, read
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.exceptions import DbtBadAnswerError

RUN = {"id": 7, "job_definition_id": 3, "status": 3}


def answer(body: Any) -> Reply:
    """A 200 with this body."""
    return Reply(200, body=json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [
        {"data": None},
        {"data": {}},
        {"data": "x"},
        {"data": [], "status": {"is_success": False, "code": 500}},
        {"data": [], "extra": {"pagination": {"count": 0, "total_count": 5}}},
    ],
)
def test_list_that_proves_nothing_is_a_bad_answer(body: Any) -> None:
    """P2: it must not count as a search that found nothing."""
    with pytest.raises(DbtBadAnswerError):
        read(endpoints.list_runs(job_id=3), answer(body), host="dbt")


def test_empty_list_is_one() -> None:
    """A job that has never run has no runs."""
    pagination = {"pagination": {"count": 0, "total_count": 0}}
    assert len(read(endpoints.list_runs(job_id=3), answer({"data": [], "extra": pagination}), host="dbt")) == 0


@pytest.mark.parametrize(
    "odd", [None, "text", [], {"id": 8}, {**RUN, "id": "x"}, {**RUN, "id": 8, "status": "Error"}]
)
def test_unreadable_entry_is_left_out(odd: Any) -> None:
    """P7: its run is asked for singly; the ninety-nine others of the request are not held up."""
    found = read(endpoints.list_run_states([7, 8]), answer({"data": [odd, RUN]}), host="dbt")
    assert [run.id for run in found] == [7]


@pytest.mark.parametrize(("status", "said"), [(10, "Error"), (20, "Success"), (3, "Success"), (30, "Error")])
def test_status_that_words_contradict_is_a_bad_answer(status: int, said: str) -> None:
    """P1: one of the two is wrong. Words that are not dbt's own prove nothing."""
    asked: tuple[Any, ...] = (endpoints.get_run(7), endpoints.get_run_state(7))
    for ask in asked:
        with pytest.raises(DbtBadAnswerError):
            read(ask, answer({"data": {**RUN, "status": status, "status_humanized": said}}), host="dbt")
        fine = {**RUN, "status": status, "status_humanized": "Anders"}
        assert read(ask, answer({"data": fine}), host="dbt").status == status


@pytest.mark.parametrize("body", [{"data": {**RUN, "account_id": 2}}, {"data": [RUN, {**RUN, "account_id": 2}]}])
def test_run_of_another_account_is_a_bad_answer(body: Any) -> None:
    """A cache or a proxy may mix up accounts, whose ids are alike."""
    ask: Any = endpoints.list_runs() if isinstance(body["data"], list) else endpoints.get_run(7)
    with pytest.raises(DbtBadAnswerError, match="another account"):
        read(ask, answer(body), host="dbt", account_id=1)
    assert read(ask, answer(body), host="dbt", account_id=2)


@pytest.mark.parametrize(
    ("status", "flags"),
    [
        (10, {"is_success": False}),
        (10, {"is_error": True}),
        (10, {"in_progress": True}),
        (20, {"is_success": True}),
        (30, {"is_cancelled": False}),
    ],
)
def test_status_that_flags_contradict_is_a_bad_answer(status: int, flags: dict[str, bool]) -> None:
    """P1: one of the two is wrong, so nothing follows from it."""
    body = {"data": {**RUN, "status": status, **flags}}
    with pytest.raises(DbtBadAnswerError):
        read(endpoints.get_run(7), answer(body), host="dbt")
    with pytest.raises(DbtBadAnswerError):
        read(endpoints.get_run_state(7), answer(body), host="dbt")
    assert Run.from_api({**RUN, "status": status}).status == status
