"""Read YAML without what lets a short text stand for endless work: aliases, deep nesting, numbers of any length."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode

from airflow_dbt_rerun.core.plain_data import DEEPEST, LARGEST, too_deep

_LONGEST_NUMBER = 100
"""Characters."""

_NUMBER = re.compile(
    r"[-+]?(?:0|[1-9][0-9]*|(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.(?:inf|nan))", re.IGNORECASE
)
"""What people take for a number. YAML 1.1 reads 1:30 as 90, 010 as 8 and 1_0 as 10, which nobody expects."""


class PlainLoader(yaml.SafeLoader):
    """A safe loader with limits. An excess is a yaml.MarkedYAMLError with the line and the field."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._path: list[Any] = []
        self._nodes = 0

    def compose_node(self, parent: Node | None, index: Any) -> Node | None:
        """Compose one value, unless it is an alias, too deep, or one too many."""
        self._path.append(index)
        self._nodes += 1
        if problem := self._problem():
            raise ComposerError(None, None, problem, self._next().start_mark)
        composed: Node | None = super().compose_node(parent, index)
        self._path.pop()
        return composed

    def _next(self) -> Any:
        return self.peek_event()  # type: ignore[no-untyped-call]

    def _problem(self) -> str | None:
        if self.check_event(yaml.AliasEvent):
            alias = self._next().anchor
            return f"{self._place}the alias *{alias} is not allowed: write out what it stands for"
        if len(self._path) > DEEPEST + 1:
            return too_deep(self._place.removesuffix(": "))
        return f"the text holds more than {LARGEST:,} values" if self._nodes > LARGEST else None

    @property
    def _place(self) -> str:
        """The field that is being read, as ``rules[0].when: ``."""
        parts = [_part(index) for index in self._path if index is not None]
        place = "".join(parts).removeprefix(".")
        return f"{place}: " if place else ""

    def _mapping(self, node: MappingNode) -> Any:
        """Build a mapping, unless a key is repeated: then one of the two would silently be lost."""
        counted = Counter(key.value for key, _ in node.value if isinstance(key, ScalarNode))
        twice = next((name for name, count in counted.items() if count > 1), None)
        if twice is not None:
            raise ConstructorError(None, None, f"the key {twice!r} is given twice", node.start_mark)
        self.flatten_mapping(node)
        return super().construct_mapping(node, deep=True)

    def _number(self, node: ScalarNode) -> Any:
        if len(node.value) > _LONGEST_NUMBER:
            text = f"a number has more than {_LONGEST_NUMBER} characters; put it in quotes if it is a text"
            raise ConstructorError(None, None, text, node.start_mark)
        if not _NUMBER.fullmatch(node.value):
            text = f"YAML would read {node.value} as another number: write it in decimal digits, or in quotes"
            raise ConstructorError(None, None, text, node.start_mark)
        is_whole = node.tag.endswith(":int")
        return self.construct_yaml_int(node) if is_whole else self.construct_yaml_float(node)


def _part(index: Any) -> str:
    return f".{index.value}" if isinstance(index, ScalarNode) else f"[{index}]"


PlainLoader.add_constructor("tag:yaml.org,2002:map", PlainLoader._mapping)  # noqa: SLF001 - PyYAML's own way
for _kind in ("int", "float"):
    PlainLoader.add_constructor(f"tag:yaml.org,2002:{_kind}", PlainLoader._number)  # noqa: SLF001 - PyYAML's own way
