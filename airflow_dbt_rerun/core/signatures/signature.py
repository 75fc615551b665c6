"""One known error: an entry of the signature tables, or one that a user adds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.messages import unknown

FLAGS = re.IGNORECASE | re.MULTILINE


@dataclass(frozen=True, slots=True, repr=False)
class Signature:
    """One known error: its pattern, its category, and the source of that fact.

    :param category: the error's category, as a :class:`Category` or its plain word.
    :param pattern: a regular expression; letter case does not matter, ``^`` and ``$`` mean a line's start and end.
        It is searched in the error's own lines; built-in patterns see them with quoted names and values blanked.
    :param source: where the fact comes from, for example ``PostgreSQL 40P01``.
    :param name: a few words for people, for example ``deadlock``; by default the pattern itself.
    :param id: a stable name for machines, for example ``postgres/deadlock``. A signature with the id of a built-in
        one replaces it.
    :param also: a second pattern that must be found, too, where the first alone is ambiguous.
    :raises ValueError: if the category does not exist. The pattern is compiled, and refused, only at first use.
    """

    category: Category
    pattern: str
    source: str = ""
    name: str = ""
    id: str = ""
    also: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "category", category_of(self.category))
        if not self.name:
            object.__setattr__(self, "name", self.pattern)

    def __repr__(self) -> str:
        """Return it as Python code, the same in every process: Airflow hashes it in a mapped task."""
        given = [repr(str(self.category)), repr(self.pattern)]
        given += [f"source={self.source!r}"] if self.source else []
        given += [f"name={self.name!r}"] if self.name != self.pattern else []
        given += [f"id={self.id!r}"] if self.id else []
        given += [f"also={self.also!r}"] if self.also else []
        return f"Signature({', '.join(given)})"

    def found_in(self, text: str) -> bool:
        """Return whether the text contains this error.

        :raises ValueError: if the pattern is not a valid regular expression.
        """
        found = compiled(self.pattern).search(text) is not None
        return found and (not self.also or compiled(self.also).search(text) is not None)


@cache
def compiled(pattern: str) -> re.Pattern[str]:
    """Compile a pattern at first use: compiling all tables at import would slow down the parsing of every DAG.

    :raises ValueError: if the pattern is not a valid regular expression.
    """
    try:
        return re.compile(pattern, FLAGS)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"signature pattern {pattern!r} is not a valid regular expression: {error}") from error


def category_of(word: object) -> Category:
    """Return the category of a plain word.

    :raises TypeError: if it is not a word.
    :raises ValueError: if the category does not exist; the message names the one that was probably meant.
    """
    if not isinstance(word, str):
        raise TypeError(f"category takes one word, not {word!r}; there are {', '.join(Category)}")
    try:
        return Category(word)
    except ValueError:
        raise ValueError(unknown("category", word, Category)) from None
