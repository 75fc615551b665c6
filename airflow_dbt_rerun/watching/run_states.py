"""Read the states of many runs with as few requests as the platform allows."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from airflow_dbt_rerun.api.endpoints import (
    Endpoint,
    get_run_state,
    list_ended_runs,
    list_going_runs,
    list_run_states,
    list_watched_runs,
)
from airflow_dbt_rerun.api.paging import Paging
from airflow_dbt_rerun.core.dbt.models import GOING_STATUSES, WatchedRun
from airflow_dbt_rerun.core.watch.changes import Found, Listed, MisreadError, Question, Questions
from airflow_dbt_rerun.core.watch.ways import Way
from airflow_dbt_rerun.exceptions import DbtApiError, DbtNotFoundError, DbtUnauthorizedError, is_bearable

T = TypeVar("T")


class Send(Protocol):
    """Sends any endpoint."""

    async def __call__(self, endpoint: Endpoint[T]) -> T:
        """Send a request and return the parsed answer."""


class WayClosedError(Exception):
    """The platform cannot list runs in this way: it refuses, or lists other runs.

    :param is_misread: whether it lists others.
    """

    def __init__(self, *, is_misread: bool = False) -> None:
        super().__init__()
        self.is_misread = is_misread


async def run_states(send: Send, ids: Sequence[int], way: Way) -> Mapping[int, WatchedRun]:
    """Read the state of each run in one way. Runs may be missing from the list although they exist.

    :raises WayClosedError: if the platform does not support this way.
    :raises DbtApiError: the subclass for the failure.
    """
    if len(ids) == 1:
        return {ids[0]: await send(get_run_state(ids[0]))}
    try:
        return await (_by_id(send, ids) if way is Way.BY_ID else _by_status(send, ids))
    except DbtApiError as error:
        if not is_refusal(error):
            raise
    raise WayClosedError


async def found(send: Send, questions: Questions) -> Found:
    """Ask the questions of a script, and return what it finds.

    :raises WayClosedError: if the platform refuses them, or misreads them.
    :raises TooLongError: if a list has more pages than it is worth.
    :raises DbtApiError: the subclass for the failure.
    """
    try:
        asked = next(questions)
        while True:
            asked = questions.send(await _all(send, asked))
    except StopIteration as end:
        result: Found = end.value
        return result
    except MisreadError:
        raise WayClosedError(is_misread=True) from None
    except DbtApiError as error:
        if not is_refusal(error):
            raise
    raise WayClosedError


async def _all(send: Send, questions: Sequence[Question]) -> Sequence[Listed]:
    """Ask several questions at once; after an error, cancel the others."""
    if len(questions) == 1:
        return [await _one(send, questions[0])]
    try:
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(_one(send, question)) for question in questions]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in asked]


async def _one(send: Send, question: Question) -> Listed:
    page = await send(
        list_watched_runs(
            ids=question.ids,
            statuses=question.statuses,
            id_gt=question.after,
            ended_since=question.since,
            limit=question.limit,
            offset=question.offset,
        )
    )
    return Listed(page.items, page.total)


async def _by_id(send: Send, ids: Sequence[int]) -> Mapping[int, WatchedRun]:
    states = {state.id: state for state in await send(list_run_states(ids))}
    if not states.keys() <= set(ids):  # dbt ignored the filter and returned its newest runs
        raise WayClosedError(is_misread=True)
    return states


async def _by_status(send: Send, ids: Sequence[int]) -> Mapping[int, WatchedRun]:
    states: dict[int, WatchedRun] = {}
    paging = Paging(list_going_runs())
    for _ in ids:  # with more pages than runs, nothing is saved
        assert paging.upcoming
        page = paging.take(await send(paging.upcoming))
        if _is_of_another_kind(page):
            raise WayClosedError(is_misread=True)
        states.update((state.id, state) for state in page)
        missing = set(ids) - states.keys()
        if not missing:
            break
        if not paging.upcoming:
            return {**states, **await _recently_ended(send, missing)}
    return states


def _is_of_another_kind(page: Collection[WatchedRun]) -> bool:
    """Return whether a page of runs in progress disregards the filter.

    A few may end between the platform's search and its answer, and are welcome: their ends need no other request.
    """
    return 2 * sum(state.status not in GOING_STATUSES for state in page) > len(page)


async def _recently_ended(send: Send, ids: Collection[int]) -> Mapping[int, WatchedRun]:
    """Find runs among those that ended last, as long as each page has some; else single requests cost less."""
    states: dict[int, WatchedRun] = {}
    paging = Paging(list_ended_runs())
    while paging.upcoming and len(ids) - len(states) > 1:
        try:
            page = paging.take(await send(paging.upcoming))
        except DbtApiError as error:
            if not is_refusal(error):
                raise
            break
        found = {state.id: state for state in page if state.id in ids}
        states |= found
        if not found:
            paging.stop()
    return states


def is_refusal(error: DbtApiError) -> bool:
    """Return whether the platform refuses a list, while single runs may still be readable."""
    # A list may be forbidden, unknown or too long a URL; a 401 concerns all requests.
    may_pass = is_bearable(error) and not isinstance(error, DbtNotFoundError)
    return not (may_pass or isinstance(error, DbtUnauthorizedError))
