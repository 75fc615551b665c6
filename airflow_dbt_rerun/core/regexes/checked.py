"""Compile a user's pattern, and refuse one that can make a search very slow."""

from __future__ import annotations

import re
from functools import lru_cache

from airflow_dbt_rerun.core.messages import shown

LONGEST = 5_000
"""Characters of a pattern."""


def check_pattern(pattern: str, flags: int = 0) -> None:
    """Refuse a pattern that is not valid, or that can make a search very slow.

    :raises ValueError: with the pattern, the reason and the way to mend it.
    """
    user_pattern(pattern, flags)


@lru_cache(maxsize=1024)
def user_pattern(pattern: str, flags: int = 0) -> re.Pattern[str]:
    """Compile a user's pattern.

    :raises ValueError: if it is not valid, or can make a search very slow: see :func:`check_pattern`.
    """
    if len(pattern) > LONGEST:
        raise ValueError(f"a regular expression of {len(pattern):,} characters is too long; at most {LONGEST:,}")
    try:
        made = re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        told = "it is nested too deep" if isinstance(error, RecursionError) else error
        raise ValueError(f"{shown(pattern)} is not a valid regular expression: {told}") from error
    if slow := _why_slow(pattern, flags):
        raise ValueError(f"{shown(pattern)} is too slow: {slow}")
    return made


def _why_slow(pattern: str, flags: int) -> str | None:
    try:
        from airflow_dbt_rerun.core.regexes.lint import why_slow  # noqa: PLC0415 - not needed without patterns

        return why_slow(pattern, flags)
    except RecursionError:
        return "it is nested too deep to be checked"
    except Exception:  # noqa: BLE001 - it uses a private module of re: if that has changed, the time limit remains
        return None
