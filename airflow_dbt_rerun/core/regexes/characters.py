"""The characters that one item of a pattern can match, as the bits of a number: two items share one if ``a & b``.

A sample of all characters stands for the rest: ASCII, Latin-1, a few others, and those that the pattern names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from re import _constants as op  # type: ignore[attr-defined]  # the parser's words have no public home
from typing import Any

_SAMPLE = "".join(map(chr, range(256))) + "…日Жλ٣\u2028\U0001f600"

_CATEGORIES: Mapping[Any, Callable[[str], bool]] = {
    op.CATEGORY_DIGIT: str.isdigit,
    op.CATEGORY_NOT_DIGIT: lambda each: not each.isdigit(),
    op.CATEGORY_SPACE: str.isspace,
    op.CATEGORY_NOT_SPACE: lambda each: not each.isspace(),
    op.CATEGORY_WORD: lambda each: each.isalnum() or each == "_",
    op.CATEGORY_NOT_WORD: lambda each: not (each.isalnum() or each == "_"),
}


class Characters:
    """Translates items of one parsed pattern into sets of characters.

    :param tree: the parsed pattern.
    :param flags: its flags, those inside the pattern included.
    """

    def __init__(self, tree: Iterable[Any], flags: int) -> None:
        own = {version for character in _named(tree) for version in _versions(character)}
        self._sample = _SAMPLE + "".join(sorted(own - set(_SAMPLE)))
        self._bits = {each: 1 << place for place, each in enumerate(self._sample)}
        self._found: dict[tuple[Any, Any], int] = {}
        self._any_case = bool(flags & re.IGNORECASE)
        self._dot_takes_newline = bool(flags & re.DOTALL)
        self.every = (1 << len(self._sample)) - 1

    def of(self, kind: Any, value: Any) -> int | None:
        """Return the characters that an item matches; None if it is not an item for a single character."""
        if kind is op.LITERAL:
            return self._literal(value)
        if kind is op.NOT_LITERAL:
            return self.every & ~self._literal(value)
        if kind is op.ANY:
            return self._where(lambda each: self._dot_takes_newline or each != "\n")
        if kind is op.IN:
            return self._of_class(value)
        return None

    def _of_class(self, members: list[Any]) -> int:
        found = 0
        for kind, value in members:
            found |= self._literal(value) if kind is op.LITERAL else self._group(kind, value)
        return self.every & ~found if members[0][0] is op.NEGATE else found

    def _literal(self, number: int) -> int:
        character = chr(number)
        found = 0
        for version in _versions(character) if self._any_case else character:
            found |= self._bits[version]
        return found

    def _group(self, kind: Any, value: Any) -> int:
        """Return the characters of a range or a category; the same few recur in a pattern."""
        if (kind, value) not in self._found:
            self._found[kind, value] = self._where(_test(kind, value))
        return self._found[kind, value]

    def _where(self, test: Callable[[str], bool]) -> int:
        found = 0
        for place, each in enumerate(self._sample):
            if test(each) or (self._any_case and any(map(test, _versions(each)))):
                found |= 1 << place
        return found


def _test(kind: Any, value: Any) -> Callable[[str], bool]:
    if kind is op.RANGE:
        return lambda each: value[0] <= ord(each) <= value[1]
    return _CATEGORIES[value] if kind is op.CATEGORY else lambda _: False


def _versions(character: str) -> Iterator[str]:
    """Yield the character in each letter case that is a single character."""
    yield from (each for each in (character, character.lower(), character.upper()) if len(each) == 1)


def _named(tree: Any) -> Iterator[str]:
    """Yield the characters that a pattern names, at any depth."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tuple) and part and part[0] in (op.LITERAL, op.NOT_LITERAL):
            yield chr(part[1])
        elif isinstance(part, tuple) and part and part[0] is op.RANGE:
            yield from map(chr, part[1])
        elif isinstance(part, (list, tuple)) or type(part).__name__ == "SubPattern":
            waiting += list(part)
