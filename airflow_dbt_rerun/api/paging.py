"""Walk a list page by page, to its end: whatever a platform says of its total, the walk ends."""

from __future__ import annotations

from typing import Generic, Protocol, TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint, Page, next_page
from airflow_dbt_rerun.exceptions import DbtBadAnswerError

MOST_PAGES = 1000
"""A hundred thousand elements: more than any list that this package needs."""


class Listed(Protocol):
    """An element of a list."""

    @property
    def id(self) -> int:
        """Its id."""
        ...


T = TypeVar("T", bound=Listed)


class Paging(Generic[T]):
    """The walk over one list. Send ``upcoming`` and hand its page to :meth:`take`, until ``upcoming`` is None."""

    def __init__(self, endpoint: Endpoint[Page[T]], *, most: int = MOST_PAGES) -> None:
        self.upcoming: Endpoint[Page[T]] | None = endpoint
        self._most = most
        self._known: set[int] = set()
        self._pages = 0

    def take(self, page: Page[T]) -> list[T]:
        """Return what is new on a page. One that brings nothing new is the last, as where ``offset`` is ignored.

        :raises DbtBadAnswerError: if the list has more than ``most`` pages.
        """
        assert self.upcoming
        self._pages += 1
        if self._pages > self._most:
            raise DbtBadAnswerError(f"{self.upcoming}: the list does not end: it has more than {self._most} pages")
        new = [item for item in page if item.id not in self._known]
        self._known.update(item.id for item in new)
        self.upcoming = next_page(self.upcoming, page) if new else None
        return new

    def stop(self) -> None:
        """End the walk here."""
        self.upcoming = None
