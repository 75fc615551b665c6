"""Which tables may speak about a message: those of its adapter, and those whose sign the text bears.

A phrase belongs to its warehouse: "query exceeded" of one is a bug, of another a full queue. So the table of
another warehouse is read only if the text bears a *sign* that it is that warehouse's: a form of code, a driver's
class, a host. That is also how errors of a federated database are known. Where nobody named the adapter, a long
phrase is its own sign.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.signatures.literals import Index
from airflow_dbt_rerun.core.signatures.signature import Signature, compiled

FIRST = ("dbt", "runners", "aws")
"""dbt's own errors: a Compilation Error stays one, whatever text it quotes. Then codes of services below whatever
warehouse, which quotes them in its own words."""

LAST = ("sqlstate", "general", "git_languages", "posix_languages", "words")
"""What no warehouse owns: codes of the SQL standard; networks, HTTP and git; then plain words."""

_LONG = re.compile(
    r"(?:[^\W\d_]{2,}\W+){2}[^\W\d_]{2,}|(?-i:[A-Z][A-Z0-9]+_[A-Z0-9_]{3,}|[a-z][A-Z]|[A-Z][a-z]+[A-Z])"
)
"""Three words in a row, or a name in capitals or in camel case: nobody else says just that."""


@dataclass(frozen=True, slots=True)
class Speakers:
    """The tables to try, in their order, and those whose short phrases do not count: they show no sign."""

    tables: tuple[str, ...]
    unsure: frozenset[str] = frozenset()

    def counts(self, signature: Signature, text: str) -> bool:
        """Return whether a signature that was found in the text decides it."""
        if signature.id.partition("/")[0] not in self.unsure:
            return True
        found = compiled(signature.pattern).search(text)
        return found is not None and _LONG.search(found[0]) is not None


@cache
def adapters() -> Mapping[str, Mapping[str, Any]]:
    """Return, for each adapter, the tables that speak for it, and the signs by which it is known."""
    return tomllib.loads((Path(__file__).parent / "adapters.toml").read_text(encoding="utf-8"))


@cache
def warehouses() -> tuple[str, ...]:
    """Return the names of the tables that belong to a warehouse."""
    return tuple(dict.fromkeys(name for adapter in adapters().values() for name in adapter["tables"]))


def table_names() -> tuple[str, ...]:
    """Return the names of all tables."""
    return (*FIRST, *warehouses(), *LAST)


@lru_cache(maxsize=2048)
def speakers(text: str, adapter: str) -> Speakers:
    """Return the tables that may decide about a text.

    :param adapter: dbt's adapter type in lower case; empty if it is not known.
    """
    own = tuple(adapters()[adapter]["tables"]) if adapter in adapters() else ()
    signs = (sign for sign in _signs().candidates(text) if sign.found_in(text))
    spoken = (name for sign in signs for name in adapters()[sign.id]["tables"])
    heard = tuple(dict.fromkeys((*own, *spoken)))
    others = () if adapter in adapters() else tuple(name for name in warehouses() if name not in heard)
    return Speakers((*FIRST, *heard, *others, *LAST), frozenset(others))


@cache
def _signs() -> Index:
    """Return all signs, each with its adapter as the id: a message is not searched for most of them."""
    return Index(
        [
            Signature(Category.UNKNOWN, sign, id=name)
            for name, adapter in adapters().items()
            for sign in adapter.get("signs") or ()
        ]
    )
