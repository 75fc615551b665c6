"""The words for what starts a run."""

from __future__ import annotations

from pathlib import Path

import yaml

from airflow_dbt_rerun.core.dbt.cause_categories import CAUSE_CATEGORIES

SPEC = yaml.safe_load((Path(__file__).parents[2] / "data" / "dbt-admin-api-v2.yaml").read_text(encoding="utf-8"))


def test_words_are_those_of_dbts_document() -> None:
    """A word that dbt adds cannot be forgotten."""
    assert list(CAUSE_CATEGORIES) == SPEC["components"]["schemas"]["CauseCategoryEnum"]["enum"]
