"""The table of causes: what goes wrong in a simulated history, in whose words, and how long it lasts."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_FILE = Path(__file__).with_name("causes.toml")
_MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Cause:
    """One row of ``causes.toml``, where the keys are explained.

    :param lasts: shortest and longest duration in seconds; None if only a commit ends it
    """

    id: str
    sort: str
    category: str
    text: str
    known: bool = True
    adapters: tuple[str, ...] = ()
    where: str = "node"
    kind: str = "Database Error"
    lasts: tuple[float, float] | None = None

    @property
    def is_test_failure(self) -> bool:
        """Whether a test finds wrong rows, so that dbt calls the node failed and not in error."""
        return self.category == "test_failed"


@cache
def causes() -> Mapping[str, Cause]:
    """Return all causes by id."""
    rows = tomllib.loads(_FILE.read_text(encoding="utf-8"))["cause"]
    return {row["id"]: _cause(row) for row in rows}


def causes_of(sort: str, adapter: str, where: str | None = None) -> list[Cause]:
    """Return the causes of a sort that can meet a job of this adapter, if given only those that fail one place."""
    return [
        cause
        for cause in causes().values()
        if cause.sort == sort and adapter in (cause.adapters or (adapter,)) and where in (None, cause.where)
    ]


def _cause(row: dict[str, Any]) -> Cause:
    lasts = row.pop("lasts", None)
    return Cause(
        **{**row, "text": row["text"].strip("\n"), "adapters": tuple(row.get("adapters", ()))},
        lasts=None if lasts is None else (lasts[0] * _MINUTE, lasts[1] * _MINUTE),
    )
