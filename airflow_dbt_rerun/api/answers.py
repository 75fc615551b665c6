"""The platform's answer as it came, for code that was written for the official hook's responses."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from airflow_dbt_rerun.api.endpoints import Endpoint, Page
from airflow_dbt_rerun.core.dbt.fields import JsonObject, identity


@dataclass(frozen=True, slots=True)
class Answer:
    """The body of a successful answer. An error of the platform is raised instead, as a DbtApiError."""

    content: bytes = field(repr=False)
    status_code: int = 200

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8", errors="replace")

    @property
    def ok(self) -> bool:
        """Always true."""
        return True

    def json(self) -> Any:
        """Decode the body; dbt's objects are in ``["data"]``.

        :raises ValueError: if the body is not JSON.
        """
        return json.loads(self.content)


@dataclass(frozen=True, slots=True)
class Listing:
    """One element of a list, with all that the platform says of it."""

    data: JsonObject

    @property
    def id(self) -> int:
        """Its id."""
        return identity(self.data)


def as_answer(endpoint: Endpoint[Any]) -> Endpoint[Answer]:
    """Return an endpoint whose answer is kept as it came, once its own parser has accepted it."""

    def read(body: bytes) -> Answer:
        endpoint.parse(body)
        return Answer(body)

    return replace(endpoint, parse=read)


def as_listings(endpoint: Endpoint[Page[Any]]) -> Endpoint[Page[Listing]]:
    """Return the endpoint of a list whose elements are kept as they came, once its own parser has accepted them."""

    def read(body: bytes) -> Page[Listing]:
        page = endpoint.parse(body)
        return Page(tuple(map(Listing, json.loads(body)["data"] or ())), page.total)

    return replace(endpoint, parse=read)


def as_one_page(found: Sequence[Listing]) -> Answer:
    """Return a whole list as the one page that it would be if the platform's pages had no limit."""
    pagination = {"count": len(found), "total_count": len(found)}
    body = {"data": [each.data for each in found], "extra": {"pagination": pagination}}
    return Answer(json.dumps(body).encode())
