"""The texts that a trigger request takes, checked for what is certainly not meant: an empty value, a lost comma."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from airflow_dbt_rerun.core.dbt.commands import SUBCOMMANDS, subcommand
from airflow_dbt_rerun.core.messages import shown
from airflow_dbt_rerun.core.policy.arguments import Text

NOTHING = frozenset(("none", "null", "nil", "nan", "nat", "<na>", "undefined", "[]", "{}", "()", "''", '""'))
"""How Python, JSON, SQL and pandas write a missing value, in lower case: a template renders it to text."""

_ALIKE = 0.75


@dataclass(frozen=True)
class GivenText(Text):
    """A text that is not the name of a missing value."""

    def check(self, where: str, value: object) -> str:
        """Return the text."""
        text = super().check(where, value)
        if text.strip().lower() in NOTHING:
            raise ValueError(
                f"{where} is the text {shown(text)}, which stands for a missing value and would be sent to dbt as "
                "it is: leave the field out, or check its template"
            )
        return text


@dataclass(frozen=True)
class Command(Text):
    """A command line of dbt. A subcommand that is not known is allowed, unless it looks like a slip."""

    def check(self, where: str, value: object) -> str:
        """Return the command."""
        text = super().check(where, value)
        if text.split()[0] != "dbt":
            raise ValueError(f"{where} must be a command of dbt, such as 'dbt build', not {shown(text)}")
        word, after = subcommand(text)
        if word not in SUBCOMMANDS and (meant := _meant(word)):
            joined = ", and is a comma missing between two steps" if "dbt" in word else ""
            raise ValueError(
                f"{where} is {shown(text)}, and dbt has no command {word!r}: did you mean {meant!r}{joined}?"
            )
        if after[:1] == ("dbt",):
            raise ValueError(
                f"{where} is {shown(text)}, which is two commands: is a comma missing between two steps?"
            )
        return text

    def __str__(self) -> str:
        return "a dbt command"


def _meant(word: str) -> str | None:
    """Return the command that a word is a slip of; None if it may be one of its own."""
    first = word.partition("dbt")[0]
    if first != word and first in SUBCOMMANDS:
        return first
    return next(iter(difflib.get_close_matches(word, SUBCOMMANDS, n=1, cutoff=_ALIKE)), None)
