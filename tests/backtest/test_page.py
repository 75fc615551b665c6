"""The page, from values: whatever dbt's answers hold, it shows text."""

from __future__ import annotations

from airflow_dbt_rerun.backtest.page import page
from airflow_dbt_rerun.backtest.tried import Backtest, try_policies
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from tests.backtest.html_check import Page
from tests.backtest.past import collected, green, red

EVIL = "<script>alert(1)</script>"


def shown(*runs: object, name: str = "default") -> str:
    """The page about a past."""
    tried: Backtest = try_policies(collected(*runs), {name: RerunPolicy()})  # type: ignore[arg-type]
    return page(tried)


def test_no_failure() -> None:
    """A good time is a page, too."""
    text = shown(green(1, 0))
    assert Page(text).open == []
    assert "0 failures in 1 run of all jobs" in text


def test_markup_is_text() -> None:
    """Names of jobs and policies, and the words of an error, are shown and not obeyed."""
    text = shown(red(1, 0, f"Database Error: {EVIL}", job_name=EVIL), green(2, 60), name=EVIL)
    found = Page(text)
    assert (found.open, found.active) == ([], [])
    assert text.count("&lt;script&gt;") >= 3


def test_foreign_link_is_no_script() -> None:
    """A link that is not one of dbt's pages is not taken over from an answer: see ``core.dbt.fields.link``."""
    text = shown(red(1, 0, href='https://x.example/"onmouseover="alert(1)'))
    assert Page(text).active == []
