"""The engines of dbt that tests run: dbt-core 1.x from ``.venv-dbt``, dbt v2 from ``.venv-dbt2``."""

from __future__ import annotations

from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

V2 = Path(__file__).parents[1] / ".venv-dbt2" / "bin" / "dbt"
V2_CACHE = V2.parents[1] / "cache"
"""Holds the driver for Postgres."""
NOT_SET_UP = "dbt v2 is not set up: make v2"
ENGINES = ["core", pytest.param("v2", marks=pytest.mark.v2)]


def platform_options(engine: str) -> tuple[str, ...]:
    """Return the options of a platform in front of an engine."""
    return ("--dbt", str(V2)) if engine == "v2" else ()


def running_dbt(platform: int) -> psutil.Process:
    """Return the process of the command that a platform runs; that of dbt-core is a child of the fork server."""
    (child,) = psutil.Process(platform).children()
    return next(iter(child.children()), child)
