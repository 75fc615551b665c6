"""One known error: the shape of a line in the signature tables, and of the ones that users add."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.messages import unknown


@dataclass(frozen=True, slots=True, repr=False)
class Signature:
    """One known error: what it looks like, what it means, and where that is known from.

    :param category: what the error is, as a :class:`Category` or its plain word.
    :param pattern: a regular expression; letter case does not matter, ``^`` and ``$`` mean a line's start and end.
        It is searched in the error's own lines; built-in patterns see them with quoted names and values blanked.
    :param source: where the fact comes from, for example ``PostgreSQL 40P01``.
    :param name: a few words for people, for example ``deadlock``. Without it the pattern itself is shown.
    :raises ValueError: if there is no such category. The pattern is compiled, and refused, at first use only.
    """

    category: Category
    pattern: str
    source: str = ""
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "category", category_of(self.category))
        if not self.name:
            object.__setattr__(self, "name", self.pattern)

    def __repr__(self) -> str:
        """Show it as it would be written, the same in every process: Airflow hashes it in a mapped task."""
        given = [repr(str(self.category)), repr(self.pattern)]
        given += [f"source={self.source!r}"] if self.source else []
        given += [f"name={self.name!r}"] if self.name != self.pattern else []
        return f"Signature({', '.join(given)})"

    def found_in(self, text: str) -> bool:
        """Return whether the text holds this error.

        :raises ValueError: if the pattern is not a valid regular expression.
        """
        return compiled(self.pattern).search(text) is not None


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile at first use: compiling all tables at import would be felt by every DAG that is parsed.

    :raises ValueError: if the pattern is not a valid regular expression.
    """
    try:
        return re.compile(pattern, re.IGNORECASE | re.MULTILINE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"signature pattern {pattern!r} is not a valid regular expression: {error}") from error


def category_of(word: object) -> Category:
    """Turn a plain word into a category.

    :raises TypeError: if it is no word at all.
    :raises ValueError: if there is no such category, with the one that was probably meant.
    """
    if not isinstance(word, str):
        raise TypeError(f"category takes one word, not {word!r}; there are {', '.join(Category)}")
    try:
        return Category(word)
    except ValueError:
        raise ValueError(unknown("category", word, Category)) from None


def group(category: Category, *rows: tuple[str, str, str]) -> tuple[Signature, ...]:
    """Write several signatures of one category as rows of (pattern, source, name)."""
    return tuple(Signature(category, *row) for row in rows)
