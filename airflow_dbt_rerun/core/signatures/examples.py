"""Try the examples of signatures: each must be decided by its own row, and what is no example, by another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from airflow_dbt_rerun.core.signatures.signature import Signature
from airflow_dbt_rerun.core.signatures.speakers import LAST, adapters

_SHOWN = 100
"""Characters of an example that a problem quotes."""

Decide = Callable[[str, str | None], Signature | None]
"""Returns the signature that decides a message of an adapter."""


def adapter_of(table: str) -> str | None:
    """Return the adapter to try a table's examples with: its own, for the tables of all one without a table."""
    if table in LAST:
        return next(name for name, adapter in adapters().items() if not adapter["tables"])
    own = [name for name, adapter in adapters().items() if table in adapter["tables"]]
    first = (name for name in own if adapters()[name]["tables"][0] == table)
    return table if table in own else next(first, own[0] if own else None)


def problems(rows: Iterable[Mapping[str, Any]], adapter: str | None, decide: Decide) -> Iterator[str]:
    """Yield one line for each example that another signature decides, and for each row without one."""
    for row in rows:
        name = row.get("id") or row.get("name") or row.get("pattern")
        if not row.get("examples"):
            yield f"{name}: has no example"
        for text in row.get("examples") or ():
            if not _is_by(row, decided := decide(text, adapter)):
                yield f"{name}: {_by(decided)} decides the example {_short(text)}"
        for text in row.get("not_examples") or ():
            if _is_by(row, decide(text, adapter)):
                yield f"{name}: decides {_short(text)}, which is not one of its examples"


def _is_by(row: Mapping[str, Any], decided: Signature | None) -> bool:
    if decided is None:
        return False
    if row.get("id"):
        return bool(decided.id == row["id"])
    return decided.pattern in (row.get("pattern"), *(row.get("patterns") or ()))


def _by(decided: Signature | None) -> str:
    return f"{decided.id or decided.name!r}" if decided else "no signature"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…")
