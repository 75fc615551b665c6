"""The search for an awaited run: what is asked, and how far it goes through a list."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_dbt_rerun.api.endpoints import Endpoint, Page
from airflow_dbt_rerun.core.dbt.models import Run, RunTrigger
from airflow_dbt_rerun.core.watch.awaited_run import Awaited
from airflow_dbt_rerun.exceptions import DbtBadAnswerError
from airflow_dbt_rerun.watching.search import find, find_async
from tests.core.builders import run

SINCE = 1_700_000_000.0
CREATED = str(datetime.fromtimestamp(SINCE, UTC))
OTHERS = tuple(run(n, created_at=CREATED, trigger=RunTrigger("", "ui", {})) for n in range(1, 101))
WANTED = run(101, created_at=CREATED, trigger=RunTrigger("", "scheduled", {}))


class Account:
    """Answers with two pages of runs, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def send(self, endpoint: Endpoint[Page[Run]]) -> Page[Run]:
        """Give a page."""
        self.asked.append(dict(endpoint.params))
        return Page((WANTED,) if endpoint.params["offset"] else OTHERS, 101)

    async def send_async(self, endpoint: Endpoint[Page[Run]]) -> Page[Run]:
        """Give a page."""
        return self.send(endpoint)


@pytest.mark.parametrize("blocking", [True, False], ids=["blocking", "async"])
@pytest.mark.parametrize(("match", "order"), [("first", "id"), ("latest", "-id")])
def test_search_goes_through_the_pages_until_the_run_is_found(match: str, order: str, *, blocking: bool) -> None:
    """The range begins with the moment that counts, in the order in which the run is found soonest."""
    account = Account()
    awaited = Awaited(7, SINCE, ("scheduled",), match=match)
    if blocking:
        found = find(account.send, awaited, SINCE + 60)
    else:
        found = asyncio.run(find_async(account.send_async, awaited, SINCE + 60))
    assert found is WANTED
    assert [params["offset"] for params in account.asked] == [0, 100]
    assert {(params["job_definition_id"], params["order_by"]) for params in account.asked} == {(7, order)}
    begin, end = account.asked[0]["created_at__range"]
    assert (begin.timestamp(), end.timestamp()) == (SINCE, SINCE + 60 + 86400)


def test_search_asks_no_more_than_it_has_to() -> None:
    """What is found on the first page costs one request, however many runs there are."""
    account = Account()
    assert find(account.send, Awaited(7, SINCE), SINCE) is OTHERS[0]
    assert len(account.asked) == 1
    assert find(account.send, Awaited(7, SINCE, ("merge",)), SINCE) is None


def test_list_without_an_end_is_given_up() -> None:
    """P7: a waiting task hears its deadline between two searches."""
    pages = 0

    def send(endpoint: Endpoint[Page[Run]]) -> Page[Run]:
        nonlocal pages
        pages += 1
        first = endpoint.params["offset"] + 1000
        return Page(tuple(run(first + n, created_at=CREATED) for n in range(100)), 10**9)

    with pytest.raises(DbtBadAnswerError, match="does not end"):
        find(send, Awaited(7, SINCE, ("scheduled",)), SINCE + 60)
    assert pages < 100
