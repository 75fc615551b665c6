"""Read query parameters: filters, order, pages, and lists in all the spellings that clients use."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import QueryParams

from airflow_dbt_rerun.local.account import ENVIRONMENT_ID, PROJECT_ID
from airflow_dbt_rerun.local.runs.store import ACTIVE, DELETED, RowFilter
from airflow_dbt_rerun.local.server.envelope import Refusal
from airflow_dbt_rerun.local.server.values import LARGEST_ID
from airflow_dbt_rerun.local.timestamps import format_timestamp, parse_timestamp

MAX_PAGE_SIZE = 100

_MOST_VALUES = 1_000
"""Values of one filter."""

_DIGITS = re.compile(r"-?[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter of a list.

    :param sql: an SQL condition; ``{marks}`` stands for one placeholder per value
    :param read: converts the text of a value; raises ValueError
    :param many: whether the filter takes several values
    """

    sql: str
    read: Callable[[str], Any]
    many: bool = False


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The rows to list, and the filters and the order to repeat in the answer."""

    row_filter: RowFilter
    filters: Mapping[str, Any]
    order_by: str

    def as_extra(self, count: int, total: int) -> dict[str, Any]:
        """Return ``extra`` for a page of ``count`` elements."""
        pagination = {"count": count, "total_count": total}
        return {"filters": self.filters, "order_by": self.order_by, "pagination": pagination}


def _boolean(text: str) -> int:
    if text.lower() not in ("true", "false", "1", "0"):
        raise ValueError("must be true or false")
    return int(text.lower() in ("true", "1"))


def _timestamp(text: str) -> str:
    try:
        return format_timestamp(parse_timestamp(text.replace(" ", "+") if re.search(r"T.* ", text) else text))
    except OverflowError as error:  # in UTC it would lie before the year 1 or after 9999
        raise ValueError("it is outside the calendar") from error


def _integer(text: str) -> int:
    """Read a number that SQLite can compare: of 64 bits."""
    if not _DIGITS.fullmatch(text) or not -LARGEST_ID - 1 <= int(text) <= LARGEST_ID:
        raise ValueError("must be a whole number of 64 bits")
    return int(text)


RUN_FILTERS: Mapping[str, Filter] = {
    "pk": Filter("id = ?", _integer),
    "pk__in": Filter("id IN ({marks})", _integer, many=True),
    "id__gt": Filter("id > ?", _integer),
    "job_definition_id": Filter("job_id = ?", _integer),
    "project_id": Filter(f"{PROJECT_ID} = ?", _integer),
    "project_id__in": Filter(f"{PROJECT_ID} IN ({{marks}})", _integer, many=True),
    "environment_id": Filter(f"{ENVIRONMENT_ID} = ?", _integer),
    "deferring_run_id": Filter("NULL = ?", _integer),
    "status": Filter("status = ?", _integer),
    "status__in": Filter("status IN ({marks})", _integer, many=True),
    "dbt_version": Filter("dbt_version = ?", str),
    "dbt_version__in": Filter("dbt_version IN ({marks})", str, many=True),
    "has_docs_generated": Filter("has_docs_generated = ?", _boolean),
    "has_sources_generated": Filter("has_sources_generated = ?", _boolean),
    "created_at__range": Filter("created_at BETWEEN ? AND ?", _timestamp, many=True),
    "finished_at__range": Filter("finished_at BETWEEN ? AND ?", _timestamp, many=True),
}
RUN_ORDERS = ("id", "created_at", "finished_at")
RUN_STATES = {"all": "1", "active": "1", "1": "1", "deleted": "0", "2": "0"}  # no run is in the state "deleted"

_SETTING = "json_extract(definition, '$.{}')"
JOB_FILTERS: Mapping[str, Filter] = {
    "pk": Filter("id = ?", _integer),
    "project_id": Filter(f"{PROJECT_ID} = ?", _integer),
    "project_id__in": Filter(f"{PROJECT_ID} IN ({{marks}})", _integer, many=True),
    "environment_id": Filter(f"{ENVIRONMENT_ID} = ?", _integer),
    "name__icontains": Filter("instr(lower(name), lower(?)) > 0", str),
    "dbt_version__in": Filter(f"{_SETTING.format('dbt_version')} IN ({{marks}})", str, many=True),
    "triggers_schedule": Filter(f"coalesce({_SETTING.format('triggers.schedule')}, 0) = ?", _boolean),
    "is_system": Filter("0 = ?", _boolean),
    "is_fusion_ready": Filter("0 = ?", _boolean),
}
JOB_ORDERS = ("id", "name", "created_at", "updated_at")
JOB_STATES = {
    "active": f"state = {ACTIVE}",
    "1": f"state = {ACTIVE}",
    "deleted": f"state = {DELETED}",
    "2": f"state = {DELETED}",
    "all": "1",
}


def read_included(params: QueryParams) -> frozenset[str]:
    """Read ``include_related``: repeated, ``a,b``, ``["a","b"]``, ``['a', 'b']`` or empty."""
    return frozenset(_texts(params, "include_related"))


def read_list_query(
    params: QueryParams,
    account_id: int,
    *,
    filters: Mapping[str, Filter],
    states: Mapping[str, str],
    orders: Sequence[str],
) -> ListQuery:
    """Read the parameters of a list. Unknown names are ignored, as on dbt's platform; invalid values are refused.

    :param states: the SQL condition for each value of ``state``; the first is the default
    :raises Refusal: 400, if a value is invalid
    """
    state = params.get("state") or next(iter(states))
    if state not in states:
        raise Refusal(400, f"state: {state!r} is not one of {', '.join(states)}")
    conditions, values = [states[state]], []
    limit, offset = read_page(params)
    echo: dict[str, Any] = {"limit": limit, "offset": offset, "state": state, "account_id": account_id}
    for name, condition in filters.items():
        if name in params:
            selected = _values(params, name, condition)
            conditions.append(condition.sql.format(marks=", ".join("?" * len(selected))))
            values += selected
            echo[name] = selected if condition.many else selected[0]
    order_by = params.get("order_by") or "id"
    order = _order(order_by, orders)
    return ListQuery(RowFilter(" AND ".join(conditions), tuple(values), order, limit, offset), echo, order_by)


def read_page(params: QueryParams) -> tuple[int, int]:
    """Read ``limit`` and ``offset``. A larger limit is capped; an empty page would make clients loop for ever.

    :raises Refusal: 400, if they are not numbers or are too small
    """
    limit, offset = _number(params, "limit", MAX_PAGE_SIZE), _number(params, "offset", 0)
    if limit < 1 or offset < 0:
        raise Refusal(400, "limit must be at least 1, and offset at least 0")
    return min(limit, MAX_PAGE_SIZE), offset


def read_number(name: str, text: str) -> int:
    """Read a number.

    :raises Refusal: 400, if the text is not a number of 64 bits
    """
    try:
        return _integer(text)
    except ValueError as error:
        raise Refusal(400, f"{name}: {text!r} is not valid: {error}") from error


def _number(params: QueryParams, name: str, default: int) -> int:
    return read_number(name, params[name]) if params.get(name) else default


def _values(params: QueryParams, name: str, condition: Filter) -> list[Any]:
    texts = _texts(params, name) if condition.many else [params[name]]
    if len(texts) > _MOST_VALUES:
        raise Refusal(400, f"{name}: at most {_MOST_VALUES:,} values")
    try:
        values = [condition.read(text) for text in texts]
    except ValueError as error:
        raise Refusal(400, f"{name}: {params[name]!r} is not valid: {error}") from error
    if "BETWEEN" in condition.sql and len(values) != 2:  # noqa: PLR2004 - a range
        raise Refusal(400, f"{name}: must be two timestamps")
    return values


def _texts(params: QueryParams, name: str) -> list[str]:
    """Read a list: a repeated parameter, comma-separated values, or an array with any kind of quotes."""
    parts = ",".join(params.getlist(name)).replace("[", "").replace("]", "").split(",")
    texts = (part.strip().strip("\"'").strip() for part in parts)
    return [text for text in texts if text]


def _order(order_by: str, orders: Sequence[str]) -> str:
    """Return the order as SQL. Null counts as the latest value, as in PostgreSQL."""
    name = order_by.removeprefix("-")
    if name not in orders:
        raise Refusal(400, f"order_by: {order_by!r} is not one of {', '.join(orders)}")
    direction, nulls = ("DESC", "FIRST") if order_by.startswith("-") else ("ASC", "LAST")
    return f"{name} {direction} NULLS {nulls}, id {direction}"
