"""One known error: the shape of a line in the signature tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from airflow_dbt_rerun.core.categories import Category


@dataclass(frozen=True, slots=True)
class Signature:
    """One known error: what it looks like, what it means, and where that is known from.

    :param category: what the error is.
    :param pattern: a regular expression; letter case does not matter, ``^`` and ``$`` mean a line's start and end.
        It is searched in the error's own lines; built-in patterns see them with quoted names and values blanked.
    :param source: where the fact comes from, for example ``PostgreSQL 40P01``.
    :param name: a few words for people, for example ``deadlock``.
    """

    category: Category
    pattern: str
    source: str
    name: str

    def found_in(self, text: str) -> bool:
        """Say whether the text holds this error.

        :raises ValueError: if the pattern is not a valid regular expression.
        """
        return _compiled(self.pattern).search(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """Compile at first use: compiling all tables at import would be felt by every DAG that is parsed."""
    try:
        return re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    except re.error as error:
        raise ValueError(f"signature pattern {pattern!r} is not a valid regular expression: {error}") from error


def group(category: Category, *rows: tuple[str, str, str]) -> tuple[Signature, ...]:
    """Write several signatures of one category as rows of (pattern, source, name)."""
    return tuple(Signature(category, *row) for row in rows)
