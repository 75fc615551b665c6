"""No built-in pattern can be made slow by a hostile message: judged by its structure, not by a clock."""

from __future__ import annotations

import pytest

from airflow_dbt_rerun.core.signatures import all_signatures
from tests.core.signatures.repeats import slow_repeats

PATTERNS = [pattern for signature in all_signatures() for pattern in (signature.pattern, signature.also)]


def test_every_pattern_searches_in_linear_time() -> None:
    """``make bench`` measures the same; this names the shape to blame."""
    assert {pattern: found for pattern in PATTERNS if (found := slow_repeats(pattern))} == {}


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        (r"^(?:a+)+$", "a repeat of up to any number holds one of up to any number"),
        (r"\b(?:\w{1,30} ?){1,30}x", "a repeat of up to 30 holds one of up to 30"),
        (r"^(?:(?:a|b{2,9})x?)*y", "a repeat of up to any number holds one of up to 9"),
        (r"^.*lock.*timeout", "repeats of up to any number and any number can share a text"),
        (r"\bA{2}\w+\d{0,300}x", "repeats of up to any number and 300 can share a text"),
        (r".*timeout", "a repeat of up to any number can begin anywhere in what it holds"),
        (r"lock.{0,900}timeout", "a repeat of up to 900 can begin anywhere in what it holds"),
        (r"\([^)]*\)", "a repeat of up to any number can begin anywhere in what it holds"),
        (r"(?:table |view)\S+ gone", "a repeat of up to any number can begin anywhere in what it holds"),
        (r"x|(?:.+y)", "a repeat of up to any number can begin anywhere in what it holds"),
    ],
)
def test_slow_patterns_are_told_by_their_structure(pattern: str, fault: str) -> None:
    """Each of the three shapes is found, in groups and alternatives too."""
    assert fault in slow_repeats(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"\brelation \S+ does not exist\b",
        r"(?:table |view )\S+ gone",
        r"lock.{0,200}timeout.{0,200}again",
        r"^.*timeout",
        r"\b\w+Error\b",
        r"^(?: [A-Z]\w{0,30}){0,3} Error",
        r"lock timeout .{0,500}again",
        r"\bresolv\w*|(?:reset|retr\w+(?: at .+)?)",
        r"(?:-[0-9a-f]{4}){300}",
    ],
)
def test_linear_patterns_are_left_alone(pattern: str) -> None:
    """A bound, a start that is rare, or a character between the turns makes a repeat harmless."""
    assert slow_repeats(pattern) == []
