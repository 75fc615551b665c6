"""How deep and how large plain data may be, so that reading a policy or a list of signatures always ends.

Data that contains one object in many places is counted as if each place had a copy of its own: a few dozen lists
can then stand for a million rules, or for endlessly many if one contains itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from airflow_dbt_rerun.core.messages import shown

DEEPEST = 50
"""Levels of lists and mappings inside each other. A policy needs about ten."""

LARGEST = 100_000
"""Values in all, those inside others included: about ten thousand rules."""

_LONGEST_PLACE = 100


def check_limits(data: object, where: str) -> None:
    """Refuse data that is nested too deep or holds too many values.

    :param where: the name of the whole for the error, as in ``policy.rules[2].when is nested too deep``.
    :raises ValueError: naming the limit and the place.
    """
    left, waiting = LARGEST, [(data, where, 0)]
    while waiting:
        value, place, depth = waiting.pop()
        if not isinstance(value, (Mapping, list, tuple)):
            continue
        if depth >= DEEPEST:
            raise ValueError(too_deep(place))
        left -= len(value)
        if left < 0:
            raise ValueError(f"{where} holds more than {LARGEST:,} values; an alias counts wherever it is used")
        waiting += [(child, child_place, depth + 1) for child, child_place in _children(value, place)]


def too_deep(place: str) -> str:
    """Return the error text for data nested too deep, with the beginning of its place."""
    start = place if len(place) <= _LONGEST_PLACE else place[:_LONGEST_PLACE] + "..."
    return f"{start} is nested more than {DEEPEST} levels deep"


def _children(
    value: Mapping[object, object] | list[object] | tuple[object, ...], place: str
) -> Iterator[tuple[object, str]]:
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield child, f"{place}.{key if isinstance(key, str) else shown(key)}"
    else:
        yield from ((child, f"{place}[{number}]") for number, child in enumerate(value))
