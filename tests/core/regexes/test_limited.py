"""A search for a user's pattern ends: the patterns here would take longer than the universe exists."""

from __future__ import annotations

import re
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.classify_message import match
from airflow_dbt_rerun.core.policy.conditions import message
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy, RerunRule
from airflow_dbt_rerun.core.regexes import TooSlowError, found_in, limited
from airflow_dbt_rerun.core.signatures import Signature, own
from tests.core.builders import state

ENDLESS = re.compile("(a+)+$")
TEXT = "a" * 60 + "b"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the limit, and forget which patterns were too slow."""
    monkeypatch.setattr(limited, "SECONDS", 0.05)
    monkeypatch.setattr(own, "_TOO_SLOW", set())


def test_a_search_is_interrupted() -> None:
    """The error names the pattern; afterwards the timer and its handler are as before."""
    with pytest.raises(TooSlowError, match=r"'\(a\+\)\+\$' was searched for more than 0\.05 s"):
        found_in(ENDLESS, TEXT)
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGVTALRM) is signal.SIG_DFL
    assert found_in(ENDLESS, "aaa")


def test_somebody_elses_timer_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a profiler uses the same timer, a search runs without a limit."""
    monkeypatch.setattr(signal, "getsignal", lambda _: print)
    monkeypatch.setattr(signal, "setitimer", lambda *_: pytest.fail("the timer was set"))
    assert found_in(re.compile("b"), TEXT)


def test_other_threads_search_without_a_limit() -> None:
    """Python refuses to set a handler there."""
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(found_in, re.compile("b"), TEXT).result()


def test_a_signature_that_takes_too_long_is_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Once, with a warning: the other signatures decide, and a thousand nodes do not wait a thousand times."""
    monkeypatch.setattr(own, "user_pattern", re.compile)
    slow, other = Signature(Category.CODE, "(a+)+$", name="slow"), Signature(Category.TRANSIENT, "ab")
    for _ in range(1_000):
        assert match(TEXT, extra=[slow, other]) == (Category.TRANSIENT, other)
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.startswith("Continuing without the signature 'slow': the pattern '(a+)+$' was searched")


def test_a_signature_that_can_be_slow_is_refused_wherever_it_is_used() -> None:
    """Also by those who call diagnose and classify themselves."""
    with pytest.raises(ValueError, match=r"signature pattern .* is too slow"):
        match(TEXT, extra=[Signature(Category.CODE, "(a+)+$")])


def test_own_signatures_see_a_bounded_text() -> None:
    """The start and the end of a long message, 4,000 characters in all."""
    seen = Signature(Category.CODE, r"\A[\s\S]{4500}")
    assert match("x" * 8_000, extra=[seen])[0] is Category.UNKNOWN
    assert match("x" * 8_000 + " gone", extra=[Signature(Category.CODE, "gone$")])[0] is Category.CODE


def test_a_rule_that_takes_too_long_reruns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The decision names the rule and the pattern, as for any broken rule."""
    condition = message("ab")
    monkeypatch.setattr("airflow_dbt_rerun.core.policy.conditions.user_pattern", lambda _: ENDLESS)
    decided = RerunPolicy(rules=[RerunRule(condition)]).decide(state(Category.TRANSIENT, message=TEXT))
    assert decided.action is RerunAction.FAIL
    assert "rule 1 (message('ab')) is broken: TooSlowError: the pattern '(a+)+$'" in decided.reason
