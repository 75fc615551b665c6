"""What may start a run, in dbt's own words (``CauseCategoryEnum`` of the Administrative API)."""

from __future__ import annotations

CAUSE_CATEGORIES = (
    "api",
    "ci",
    "scheduled",
    "ui",
    "rerun",
    "job completion",
    "merge",
    "exposures generated",
    "adaptive",
    "ingest",
)
