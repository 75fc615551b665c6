"""List the runs of a time, page by page, or take them from the cache as far as it reaches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from airflow_dbt_rerun.api.answer_checks import listed_in
from airflow_dbt_rerun.api.endpoints import Endpoint, Page, list_runs
from airflow_dbt_rerun.api.paging import Paging
from airflow_dbt_rerun.backtest.cache import Cache
from airflow_dbt_rerun.core.dbt.fields import epoch, identity, part, whole_or_none
from airflow_dbt_rerun.core.dbt.models import TERMINAL_STATUSES, Run
from airflow_dbt_rerun.engine.reader import Sender

RELATED = ("trigger", "audit")
"""What the list shows besides the runs: what started them, and who cancelled them. It never shows steps."""


@dataclass(frozen=True, slots=True)
class ListedRun:
    """A run as it was listed, kept in dbt's own words."""

    id: int
    data: Mapping[str, Any]

    @property
    def created(self) -> float:
        """Epoch seconds."""
        return epoch(self.data.get("created_at")) or 0.0

    @property
    def has_ended(self) -> bool:
        """Whether its status is final."""
        return whole_or_none(self.data, "status") in TERMINAL_STATUSES

    def run(self) -> Run:
        """Return it as a run."""
        return Run.from_api(self.data)


@dataclass(frozen=True, slots=True)
class Listing:
    """All runs of a list that were created in a time, by id."""

    since: float
    until: float
    runs: Mapping[int, ListedRun]

    def with_runs(self, found: Iterable[ListedRun], *, since: float, until: float) -> Listing:
        """Return a longer list. What was read later replaces what was read before."""
        both = {**self.runs, **{run.id: run for run in found}}
        return Listing(min(since, self.since), max(until, self.until), both)

    @property
    def settled_until(self) -> float:
        """Up to when nothing can have changed: runs that were in progress have to be listed again."""
        return min((run.created for run in self.runs.values() if not run.has_ended), default=self.until)

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"since": self.since, "until": self.until, "runs": [dict(run.data) for run in self.runs.values()]}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Listing:
        """Read what :meth:`to_dict` wrote."""
        runs = (ListedRun(identity(data), data) for data in plain["runs"])
        return cls(plain["since"], plain["until"], {run.id: run for run in runs})


def list_time(
    client: Sender, cache: Cache, name: str, filters: Mapping[str, Any], *, days: float, now: float, refresh: bool
) -> Listing:
    """Return the runs of the last days. With a cache, these are the days before it was filled.

    :param name: the list's name in the cache.
    :param days: how far to go back.
    :param now: epoch seconds.
    :param refresh: whether to list what is new since the cache was filled.
    :raises DbtApiError: if dbt does not answer.
    """
    kept = cache.load(f"runs-of-{name}")
    known = Listing.from_dict(kept) if kept else None
    listing = known
    if listing is None:
        listing = _listed(client, Listing(now, now, {}), filters, now - _seconds(days), now)
    elif refresh:
        listing = _listed(client, listing, filters, listing.settled_until, now)
    if listing.since > listing.until - _seconds(days):
        listing = _listed(client, listing, filters, listing.until - _seconds(days), listing.since)
    if listing is not known:
        cache.save(f"runs-of-{name}", listing.to_dict())
    since = listing.until - _seconds(days)
    return replace(listing, since=since, runs={i: run for i, run in listing.runs.items() if run.created >= since})


def _seconds(days: float) -> float:
    return days * 24 * 60 * 60.0


def _listed(client: Sender, known: Listing, filters: Mapping[str, Any], since: float, until: float) -> Listing:
    created = (datetime.fromtimestamp(since, UTC), datetime.fromtimestamp(until, UTC))
    asked = list_runs(created_at=created, include_related=RELATED, **filters)
    paging = Paging(Endpoint("GET", asked.path, _page, asked.params))
    found: list[ListedRun] = []
    while paging.upcoming:
        found += paging.take(client.send(paging.upcoming))
    return known.with_runs(found, since=since, until=until)


def _page(body: bytes) -> Page[ListedRun]:
    envelope = json.loads(body)
    total = whole_or_none(part(part(envelope, "extra"), "pagination"), "total_count")
    return Page(tuple(map(_kept, _objects(listed_in(envelope)))), total)


def _objects(listed: Sequence[Any]) -> Iterable[Mapping[str, Any]]:
    return (entry for entry in listed if isinstance(entry, Mapping))


def _kept(data: Mapping[str, Any]) -> ListedRun:
    Run.from_api(data)  # refuse now what could not be read later
    return ListedRun(identity(data), {name: value for name, value in data.items() if value not in (None, [], "")})
