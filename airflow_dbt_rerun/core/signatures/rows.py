"""Turn the rows of a table, built in or a user's, into signatures.

A row has one pattern, several, or ``codes``, of which the table's ``code`` says how they look in a message. Pieces
that several patterns share stand in the table's ``parts`` and are called by ``(?&name)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_dbt_rerun.core.signatures.signature import Signature, category_of

KEYS = (
    "category",
    "pattern",
    "source",
    "name",
    "id",
    "also",
    "patterns",
    "codes",
    "examples",
    "not_examples",
)

_CALL = re.compile(r"\(\?&(\w+)\)")


@dataclass(frozen=True, slots=True)
class Shared:
    """What the rows of one table share."""

    code: Sequence[str] = ()
    """How a code looks: ``{number}`` stands for codes that begin with a digit, ``{name}`` for others, ``{code}``
    for all."""
    parts: Mapping[str, str] = field(default_factory=dict)


def by_code(row: Mapping[str, Any], shared: Shared) -> list[Signature]:
    """Return the signatures of a row that a code decides.

    :raises ValueError: if the category does not exist, or a part that is called.
    """
    codes = row.get("codes") or ()
    shapes = (_with_codes(_whole(shape, shared.parts), codes) for shape in shared.code)
    return [_signature(row, shape, shared) for shape in shapes if shape]


def by_words(row: Mapping[str, Any], shared: Shared) -> list[Signature]:
    """Return the signatures of a row that words decide.

    :raises ValueError: if the category does not exist, or a part that is called.
    """
    return [_signature(row, _whole(pattern, shared.parts), shared) for pattern in patterns_of(row)]


def patterns_of(row: Mapping[str, Any]) -> list[str]:
    """Return the patterns of a row as they are written."""
    one = row.get("pattern")
    return [*([] if one is None else [one]), *(row.get("patterns") or ())]


def _with_codes(shape: str, codes: Sequence[str]) -> str | None:
    fitting = {
        "{number}": [code for code in codes if code[:1].isdigit()],
        "{name}": [code for code in codes if not code[:1].isdigit()],
        "{code}": list(codes),
    }
    for place, values in fitting.items():
        if place in shape:
            return shape.replace(place, f"(?:{'|'.join(values)})") if values else None
    return None


def _whole(pattern: str, parts: Mapping[str, str]) -> str:
    """Put the parts into a pattern that calls them."""

    def part(call: re.Match[str]) -> str:
        if call[1] not in parts:
            raise ValueError(f"the pattern calls the part {call[1]!r}, which 'parts' does not have")
        return parts[call[1]]

    return _CALL.sub(part, pattern)


def _signature(row: Mapping[str, Any], pattern: str, shared: Shared) -> Signature:
    also = _whole(row.get("also") or "", shared.parts)
    name, source, identity = (row.get(key) or "" for key in ("name", "source", "id"))
    return Signature(category_of(row["category"]), pattern, source, name, identity, also)
