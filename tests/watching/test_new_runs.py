"""Many wait for runs of jobs, one request lists them. Only the sender is replaced."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from airflow_dbt_rerun.api.endpoints import Endpoint, Page, list_runs
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.exceptions import DbtForbiddenError, DbtServerError
from airflow_dbt_rerun.watching.new_runs import LONGEST_WITHOUT_SEARCH, JobWatcher, NewRunsPoller

INTERVAL = 10.0
JOBS = (1, 2, 3)


class Account:
    """The runs of an account, newest first; runs 1 to 50 of job 1 are old."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.runs = [Run(number, 1, 10) for number in range(50, 0, -1)]
        self.error: Exception | None = None
        self.looks: list[dict[str, Any]] = []
        self.searches: list[int] = []
        self.hidden: set[int] = set()
        self.knows_id_gt = True
        self.poller = NewRunsPoller(self.send, timer=lambda: self.now)

    async def send(self, endpoint: Endpoint[Any]) -> Any:
        """Answer a poll."""
        await asyncio.sleep(0)
        self.looks.append(asked := dict(endpoint.params))
        if self.error:
            raise self.error
        after = asked.get("id__gt") or 0 if self.knows_id_gt else 0
        found = [run for run in self.runs if run.id > after and run.id not in self.hidden]
        return Page(tuple(found[asked["offset"] :][: asked["limit"]]), len(found))

    def start(self, job_id: int) -> int:
        """Start a run of a job."""
        self.runs.insert(0, Run(self.runs[0].id + 1, job_id, 1))
        return self.runs[0].id

    def search(self, job_id: int) -> Callable[[], Awaitable[Run | None]]:
        """Give the search of one who waits for a new run of a job."""

        async def search() -> Run | None:
            await asyncio.sleep(0)
            self.searches.append(job_id)
            return next((run for run in self.runs if run.job_id == job_id and run.id > 50), None)

        return search


@pytest.fixture
def account() -> Account:
    """Give one for each test."""
    return Account()


def watchers(account: Account, **options: Any) -> dict[int, JobWatcher]:
    """Give one who waits for each job."""
    return {job: JobWatcher(account.poller, job, INTERVAL, dice=lambda: 0.0, **options) for job in JOBS}


async def round_of(account: Account, waiting: dict[int, JobWatcher]) -> list[int | None]:
    """Let all poll at the next interval; return the ids of the runs that they found."""
    account.now += next(iter(waiting.values())).pause()
    account.looks.clear()
    account.searches.clear()
    found = await asyncio.gather(*(watcher.find(account.search(job)) for job, watcher in waiting.items()))
    return [run.id if run else None for run in found]


def test_all_look_once_together_and_search_only_for_a_reason(account: Account) -> None:
    """At first each searches; then there is one list a round, and a search for the job that has a new run."""

    async def story() -> None:
        waiting = watchers(account)
        assert await round_of(account, waiting) == [None] * 3
        assert (len(account.looks), account.searches) == (1, [1, 2, 3])
        for _ in range(5):
            assert await round_of(account, waiting) == [None] * 3
            assert (len(account.looks), account.searches) == (1, [])
        run_id = account.start(2)
        assert await round_of(account, waiting) == [None, run_id, None]
        assert (len(account.looks), account.searches) == (1, [2])

    asyncio.run(story())


def test_a_run_between_the_first_look_and_the_first_search_is_found(account: Account) -> None:
    """Also by a waiter that came after the first list of others, with a run in between."""

    async def story() -> None:
        early, late = watchers(account), watchers(account)
        await early[1].find(account.search(1))
        run_id = account.start(3)
        found = await late[3].find(account.search(3))
        assert found
        assert (found.id, len(account.looks)) == (run_id, 1)  # no second list was needed
        assert await round_of(account, {3: early[3]}) == [run_id]

    asyncio.run(story())


def test_a_run_right_after_the_search_is_found_the_next_time(account: Account) -> None:
    """A run that the first search of a late waiter just missed is newer than the list before it."""

    async def story() -> None:
        early, late = watchers(account), watchers(account)
        await early[1].find(account.search(1))
        account.now += 3
        assert await late[2].find(account.search(2)) is None
        run_id = account.start(2)
        assert await round_of(account, {2: late[2]}) == [run_id]

    asyncio.run(story())


def test_a_hint_is_not_lost_with_a_search_that_fails(account: Account) -> None:
    """A search without an answer is repeated in the next round, though nothing new has come since."""

    async def broken() -> None:
        raise DbtServerError("down")

    async def story() -> None:
        waiting = {2: watchers(account)[2]}
        await round_of(account, waiting)
        run_id = account.start(2)
        account.now += INTERVAL
        with pytest.raises(DbtServerError):
            await waiting[2].find(broken)
        assert await round_of(account, waiting) == [run_id]

    asyncio.run(story())


def test_a_look_that_fails_fails_for_all_and_is_made_up_for(account: Account) -> None:
    """One failed request, not one for each; the next list has the runs that came meanwhile."""

    async def story() -> None:
        waiting = watchers(account)
        await round_of(account, waiting)
        account.start(1)
        account.error = DbtServerError("down")
        account.now += INTERVAL
        account.looks.clear()
        outcomes = await asyncio.gather(
            *(watcher.find(account.search(job)) for job, watcher in waiting.items()), return_exceptions=True
        )
        assert [type(outcome) for outcome in outcomes] == [DbtServerError] * 3
        assert len(account.looks) == 1
        account.error = None
        assert await round_of(account, waiting) == [51, None, None]

    asyncio.run(story())


def test_trouble_of_many_is_not_longer_than_that_of_one(account: Account) -> None:
    """All waiters get the same error: its traceback must not grow with their number."""

    async def story() -> None:
        watcher = watchers(account)[1]
        account.error = DbtServerError("down")
        for _ in range(50):
            with pytest.raises(DbtServerError) as caught:
                await watcher.find(account.search(1))
        assert len(caught.traceback) < 20

    asyncio.run(story())


def test_first_look_that_fails_is_repeated(account: Account) -> None:
    """An error before the first list leaves no state: the next round starts afresh."""

    async def story() -> None:
        waiting = watchers(account)
        account.error = DbtServerError("down")
        for watcher in waiting.values():
            with pytest.raises(DbtServerError):
                await watcher.find(account.search(1))
        assert len(account.looks) == 1
        account.error = None
        assert await round_of(account, waiting) == [None] * 3
        assert account.searches == [1, 2, 3]

    asyncio.run(story())


def test_who_may_not_list_runs_searches_each_time(account: Account) -> None:
    """A refused list fails no waiter: each searches for itself."""

    async def story() -> None:
        waiting = watchers(account)
        account.error = DbtForbiddenError("no")
        for _ in range(3):
            await round_of(account, waiting)
            assert account.searches == [1, 2, 3]

    asyncio.run(story())


def test_a_run_that_came_before_lists_were_allowed_is_found(account: Account) -> None:
    """The first answered list does not show what came between the last search and it."""

    async def story() -> None:
        waiting = {2: watchers(account)[2]}
        account.error = DbtForbiddenError("no")
        await round_of(account, waiting)
        run_id, account.error = account.start(2), None
        assert await round_of(account, waiting) == [run_id]

    asyncio.run(story())


def test_nobody_relies_on_hints_alone(account: Account) -> None:
    """A list that leaves a run out for ever only delays it."""

    async def story() -> None:
        waiting = {2: watchers(account)[2]}
        await round_of(account, waiting)
        account.hidden.add(account.start(2))
        rounds = 1
        while await round_of(account, waiting) == [None]:
            rounds += 1
        assert 2 < rounds <= LONGEST_WITHOUT_SEARCH / INTERVAL + 1

    asyncio.run(story())


def test_a_filter_that_is_not_understood_costs_no_walk_through_history(account: Account) -> None:
    """Newest come first: a page with runs that are known is the last."""

    async def story() -> None:
        account.knows_id_gt = False
        account.runs = [Run(number, 1, 10) for number in range(5000, 0, -1)]
        waiting = watchers(account)
        await round_of(account, waiting)
        for _ in range(150):
            account.start(3)
        await round_of(account, waiting)
        assert (len(account.looks), account.searches) == (2, [3])

    asyncio.run(story())


def test_who_waits_for_what_comes_later_goes_without_hints(account: Account) -> None:
    """A branch becomes known only when a run has cloned, which lists no new run. Waiters then poll separately."""

    async def story() -> None:
        waiting = watchers(account, alone=True)
        for _ in range(3):
            await round_of(account, waiting)
            assert (account.looks, account.searches) == ([], [1, 2, 3])
        assert JobWatcher(account.poller, 1, INTERVAL, alone=True, dice=lambda: 1.0).pause() < INTERVAL

    asyncio.run(story())


def test_account_without_any_run_is_waited_for(account: Account) -> None:
    """The first look finds nothing: the next one asks for runs after 0."""
    account.runs.clear()

    async def story() -> list[int | None]:
        waiting = watchers(account)
        await round_of(account, waiting)
        account.runs.insert(0, Run(51, 1, 1))
        return await round_of(account, waiting)

    assert 51 in asyncio.run(story())


def test_list_of_new_runs_accepts_zero() -> None:
    """No run has the id 0, but all runs are after it."""
    assert "id__gt=0" in list_runs(id_gt=0).location(1)
