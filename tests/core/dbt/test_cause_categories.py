"""The words for what starts a run."""

from __future__ import annotations

from airflow_dbt_rerun.core.dbt.cause_categories import CAUSE_CATEGORIES
from tests.api_document import schemas


def test_words_are_those_of_dbts_document() -> None:
    """A word that dbt adds cannot be forgotten."""
    assert list(CAUSE_CATEGORIES) == schemas()["CauseCategoryEnum"]["enum"]
