"""Read the built-in tables: a TOML file for each warehouse, and a few for what none of them owns.

The files are written in the format that users write themselves: see
:mod:`~airflow_dbt_rerun.core.signatures.rows`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.core.signatures.rows import Shared, by_code, by_words
from airflow_dbt_rerun.core.signatures.signature import Signature

FOLDER = Path(__file__).parent / "tables"


@dataclass(frozen=True, slots=True)
class Table:
    """The signatures of one file, those that a code decides and those that words decide, each in their order."""

    name: str
    by_code: tuple[Signature, ...]
    by_words: tuple[Signature, ...]

    def __iter__(self) -> Iterator[Signature]:
        yield from self.by_code
        yield from self.by_words


@cache
def table(name: str) -> Table:
    """Return a built-in table. It is read when an error first needs it, never while a DAG is parsed."""
    file = raw_table(name)
    shared = Shared(file.get("code", ()), file.get("parts", {}))
    codes = (signature for row in file["signatures"] for signature in by_code(row, shared))
    words = (signature for row in file["signatures"] for signature in by_words(row, shared))
    return Table(name, tuple(codes), tuple(words))


def raw_table(name: str) -> dict[str, Any]:
    """Return a table's file as it is, with the examples."""
    return tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
