"""The implementations of dbt."""

from __future__ import annotations

from enum import StrEnum


class Engine(StrEnum):
    """An implementation of dbt."""

    CORE = "core"
    """dbt-core 1.x, written in Python."""

    V2 = "v2"
    """dbt 2.x, a binary: Fusion, and dbt-core 2."""
