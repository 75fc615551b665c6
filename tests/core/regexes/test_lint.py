"""Patterns that can take for ever are refused by their structure, those that people write are not."""

from __future__ import annotations

import re

import pytest

from airflow_dbt_rerun.core.regexes import check_pattern
from airflow_dbt_rerun.core.regexes.lint import why_slow
from airflow_dbt_rerun.core.signatures import all_signatures
from airflow_dbt_rerun.core.signatures.signature import FLAGS


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(a*)*b",
        r"(a|a)*b",
        r"(a|aa)+$",
        r"(a|b|ab)*c",
        r"(x+x+)+y",
        r"(\w+\s?)*$",
        r"(\d+|\w+)*x",
        r"^(([a-z])+.)+[A-Z]([a-z])+$",
        r"^(\w+\.?)*@",
        r"(\s|.)*x",
        r"(?s)(?:.|\n)*x",
        r"(?i)(ab|AB)*c",
        r"(?x) ( a + ) +",
        r"(aя|aя)+x",
        r"([я-ӿ]+)+x",
        r"([ab]*a[ab]*)+",
        r"(?:a?b?)*c",
        r"(?:x(?:a?|b?)y)*z",
        r"(?:(?:a+)+)+",
        r"(?:\w{1,30} ?){1,30}x",
        r"((a{0,100}){0,100}){0,100}",
        r"(a+){10}y",
        r"(.*a){20}",
        r"(?:a?){30}a{30}",
        r"(?=(a+)+$)",
        r"x(?!(?:a|a)*b)",
        r"(?>(a+)+b)",
        r"(a+)\1(c+)+b",
        r"lock|(a+)+$",
    ],
)
def test_a_repeat_that_reads_a_text_in_two_ways_is_refused(pattern: str) -> None:
    """Each turn doubles the ways: thirty characters take minutes. The error says why, and what to write instead."""
    with pytest.raises(ValueError, match=r"is too slow: .*; repeat once, as in a\+"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [r".*.*.*x", r"\s*\s*\s*x", r"\.*.*\S*x", r"\w+\s*\w+\s*\w+ failed", r"\S+\.\S+\.\S+ gone", ".*ab" * 5],
)
def test_repeats_that_share_a_text_are_refused(pattern: str) -> None:
    """They take the fourth or a higher power of the text's length: hours for a message of 4,000 characters."""
    with pytest.raises(ValueError, match=r"the power \d .*limit them, as in"):
        check_pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"relation raw\.\w+ does not exist",
        r"[a-z_.]+\.[a-z_.]+ does not exist",
        r"\S+\.\S+ gone",
        r"finance\.\w+ is frozen",
        r"(?i)deadlock|lock timeout",
        r".*deadlock.*",
        r".*connection.*closed.*",
        r"relation .* of .* in schema .* does not exist",
        r"(?:\d{1,3}\.){3}\d{1,3}",
        r"(?:[0-9a-f]{4}-?){4}",
        r"(?:\w+, )*\w+ failed",
        r"(?:\w+\.)+\w+ not found",
        r"""("[^"]*"|'[^']*')+""",
        r"(?:foo|foobar)+",
        r"(?:a|ab)*c",
        r"(a++)+",
        r"(?>a+)+",
        r"(?:.+\n)+",
        r"(?:\s+at \S+)+",
        r"\[SQL: .*\]",
        r"error \d+: .* on host \S+",
        r"^\s*Error\s*:\s*\w+\s*$",
        r"(?P<kind>\w+) error (?P=kind)",
        r"(a)?(?(1)b|c)d",
        r"()*x",
        r"",
    ],
)
def test_what_people_write_is_accepted(pattern: str) -> None:
    """A lint with false alarms would be switched off."""
    assert why_slow(pattern) is None


def test_every_built_in_pattern_passes() -> None:
    """No exception is needed."""
    assert [each.pattern for each in all_signatures() if why_slow(each.pattern, FLAGS)] == []


def test_a_pattern_too_large_to_judge_is_refused() -> None:
    """The lint itself ends: what it would have to walk through is bounded."""
    words = "|".join(f"{first}{second}" for first in "abcdefghijklmnopqrst" for second in "abcdefghijklmnopqrst")
    with pytest.raises(ValueError, match="split it into several"):
        check_pattern(f"(?:{words})+x")
    with pytest.raises(ValueError, match="split it into several"):
        check_pattern("a?" * 2_000)
    assert why_slow(f"(?:{words}) gone") is None


def test_a_long_list_of_names_is_no_problem() -> None:
    """Alternatives that are not repeated are tried one by one."""
    check_pattern("relation (?:" + "|".join(f"t{number}" for number in range(900)) + ") does not exist")


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("(", "is not a valid regular expression"),
        ("(" * 2_000 + ")" * 2_000, "it is nested too deep"),
        ("a" * 5_001, "5,001 characters is too long; at most 5,000"),
    ],
)
def test_a_pattern_that_python_does_not_take_is_refused(pattern: str, told: str) -> None:
    """ValueError, never RecursionError, and the message stays short."""
    with pytest.raises(ValueError, match=re.escape(told)) as refused:
        check_pattern(pattern)
    assert len(str(refused.value)) < 300
