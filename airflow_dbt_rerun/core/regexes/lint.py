"""Find in a pattern, by its structure alone, what can make a search take longer than anyone waits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]  # how re itself reads patterns
from typing import Any

from airflow_dbt_rerun.core.regexes.automaton import Automaton, TooComplexError
from airflow_dbt_rerun.core.regexes.characters import Characters
from airflow_dbt_rerun.core.regexes.crowding import crowded

MOST_POSITIONS = 6_000
MOST_PAIRS = 200_000
"""How much is judged: a pattern that needs more is refused, since a shorter one is meant."""

_EXPONENTIAL = (
    "a part that is repeated can read the same text in more than one way, as in (a+)+ or (a|a)*, "
    "so a search can take for ever"
)
_FIX = "repeat once, as in a+, or let each turn begin with a character that the rest cannot match, as in (?:,a+)*"
_TOO_COMPLEX = "the pattern is too large to be checked; split it into several"


@lru_cache(maxsize=4096)
def why_slow(pattern: str, flags: int = 0) -> str | None:
    """Return why searching a pattern can take very long, with the way to mend it; None if it cannot.

    :param pattern: a valid regular expression.
    :raises re.error: if it is not valid.
    :raises RecursionError: if it is nested too deep.
    """
    tree = _parser.parse(pattern, flags)
    characters = Characters(tree, flags | tree.state.flags)
    try:
        fault = next(_faults(tree, characters), None)
    except TooComplexError:
        return _TOO_COMPLEX
    return f"{fault}; {_FIX}" if fault else crowded(tree, characters)


def _faults(tree: Any, characters: Characters) -> Iterator[str]:
    waiting = [tree]
    while waiting:
        automaton = Automaton(characters, MOST_POSITIONS)
        automaton.sequence(waiting.pop())
        waiting += automaton.inner
        yield from automaton.faults
        if _is_ambiguous(automaton):
            yield _EXPONENTIAL


def _is_ambiguous(automaton: Automaton) -> bool:
    """Return whether some text can be read in two ways from one position of a loop back to that position.

    Two readers walk through the same text. If they can part and meet again without leaving the loop, each turn of
    the loop doubles the ways.
    """
    loop_of = _loops(automaton.steps)
    inside = {
        start: [(end, ways) for end, ways in ends.items() if loop_of[end] == loop_of[start]]
        for start, ends in automaton.steps.items()
    }
    if any(ways > 1 for ends in inside.values() for _, ways in ends):
        return True
    return _can_part_and_meet(automaton.characters, {s: [end for end, _ in ends] for s, ends in inside.items()})


def _can_part_and_meet(characters: list[int], steps: Mapping[int, list[int]]) -> bool:
    waiting = [(position, position) for position in steps]
    seen, work = set(waiting), 0
    while waiting:
        one, other = waiting.pop()
        work += len(steps[one]) * len(steps[other])
        if work > MOST_PAIRS:
            raise TooComplexError
        for pair in ((a, b) for a in steps[one] for b in steps[other] if characters[a] & characters[b]):
            if pair[0] == pair[1] and one != other:
                return True
            if pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return False


def _loops(steps: Mapping[int, Mapping[int, int]]) -> Mapping[int, int]:
    """Return a number for each position, the same for those that lie on a common loop (Kosaraju's algorithm)."""
    order: list[int] = []
    _walk(steps, list(steps), order, {})
    back: dict[int, dict[int, int]] = {position: {} for position in steps}
    for start, ends in steps.items():
        for end in ends:
            back[end][start] = 1
    loop_of: dict[int, int] = {}
    _walk(back, order[::-1], [], loop_of)
    return loop_of


def _walk(
    steps: Mapping[int, Mapping[int, int]], starts: list[int], order: list[int], root_of: dict[int, int]
) -> None:
    """Visit all positions depth first; note the order in which they are left, and where each walk began."""
    for start in starts:
        if start in root_of:
            continue
        root_of[start] = start
        waiting = [(start, iter(steps[start]))]
        while waiting:
            position, ends = waiting[-1]
            following = next((end for end in ends if end not in root_of), None)
            if following is None:
                order.append(position)
                waiting.pop()
            else:
                root_of[following] = start
                waiting.append((following, iter(steps[following])))
