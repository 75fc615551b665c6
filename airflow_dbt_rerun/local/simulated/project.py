"""A dbt project as the simulated dbt reads it: files are nodes, and ``ref('x')`` makes a node depend on another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.local.dbt.project_copy import read_yaml

_FILES = (("seed", "seed-paths", "seeds", "*.csv"), ("model", "model-paths", "models", "*.sql"))
_TESTS = ("test", "test-paths", "tests", "*.sql")
_REF = re.compile(r"""\bref\(\s*(?:['"]\w+['"]\s*,\s*)?['"](\w+)['"]""")
_MATERIALIZED = re.compile(r"""\bmaterialized\s*=\s*['"](\w+)['"]""")
_MICROBATCH = re.compile(r"""\bincremental_strategy\s*=\s*['"]microbatch['"]""")
_SELECTOR = re.compile(r"(?P<up>\d*\+)?(?:(?P<method>\w+):)?(?P<value>[^+]+)(?P<down>\+\d*)?")


@dataclass(frozen=True, slots=True)
class Node:
    """One seed, model or singular test.

    :param path: relative to the project
    :param parents: the names of the nodes that it refers to
    :param materialized: as its own ``config`` says
    :param is_microbatch: whether it is built batch by batch
    """

    unique_id: str
    resource_type: str
    name: str
    path: str
    fqn: tuple[str, ...]
    tags: tuple[str, ...]
    parents: frozenset[str]
    materialized: str = "table"
    is_microbatch: bool = False


class SimulatedProject:
    """The nodes of a project, by unique id, and their dependencies.

    :raises ProjectError: if its ``dbt_project.yml`` cannot be read
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._settings = read_yaml(root / "dbt_project.yml")
        self.name = str(self._settings.get("name"))
        self.nodes = {node.unique_id: node for kind in (*_FILES, _TESTS) for node in self._read(*kind)}

    def parents(self, unique_id: str) -> frozenset[str]:
        """Return the nodes that a node refers to."""
        return frozenset(self._ids[name] for name in self.nodes[unique_id].parents if name in self._ids)

    def ancestors(self, unique_id: str) -> frozenset[str]:
        """Return the nodes that a node depends on, directly or not."""
        return self._ancestors[unique_id]

    def order(self, *, tests_block: bool) -> list[str]:
        """Return all nodes, each after those that it waits for.

        :param tests_block: whether a node also waits for the tests of its ancestors, as in ``dbt build``
        """
        graph = {node: self.waits_for(node, tests_block=tests_block) for node in sorted(self.nodes)}
        return list(TopologicalSorter(graph).static_order())

    def waits_for(self, unique_id: str, *, tests_block: bool) -> frozenset[str]:
        """Return the nodes that must have succeeded before a node can run."""
        needed = self.ancestors(unique_id)
        if not tests_block or self.nodes[unique_id].resource_type == "test":
            return needed
        return needed | {test for test in self._tests if self.parents(test) and self.parents(test) <= needed}

    def select(self, included: Sequence[str], excluded: Sequence[str]) -> frozenset[str]:
        """Return the nodes that ``--select`` and ``--exclude`` match; a test goes with the nodes that it tests."""
        chosen = self._union(included) if included else frozenset(self.nodes)
        return chosen - self._union(excluded)

    # --- selection

    def _union(self, texts: Sequence[str]) -> frozenset[str]:
        words = " ".join(texts).split()
        found = frozenset(node for word in words for node in self._intersection(word))
        return found | {test for test in self._tests if self.parents(test) & found}

    def _intersection(self, word: str) -> frozenset[str]:
        return frozenset.intersection(*map(self._selected, word.split(",")))

    def _selected(self, selector: str) -> frozenset[str]:
        parts = _SELECTOR.fullmatch(selector)
        if parts is None:
            return frozenset()
        method, value = parts["method"], parts["value"]
        named = frozenset(key for key, node in self.nodes.items() if _matches(node, method, value))
        above = {node for name in named for node in self.ancestors(name)} if parts["up"] else set()
        below = {node for node in self.nodes if self.ancestors(node) & named} if parts["down"] else set()
        return named | above | below

    # --- reading

    @cached_property
    def _ids(self) -> dict[str, str]:
        return {node.name: key for key, node in self.nodes.items() if node.resource_type != "test"}

    @cached_property
    def _tests(self) -> list[str]:
        return [key for key, node in self.nodes.items() if node.resource_type == "test"]

    @cached_property
    def _ancestors(self) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        for node in TopologicalSorter({key: self.parents(key) for key in self.nodes}).static_order():
            found[node] = self.parents(node).union(*(found[parent] for parent in self.parents(node)))
        return found

    def _read(self, kind: str, setting: str, default: str, pattern: str) -> Iterator[Node]:
        for folder in self._settings.get(setting) or [default]:
            for file in sorted((self._root / folder).rglob(pattern)):
                yield self._node(kind, default, file, self._root / folder)

    def _node(self, kind: str, section: str, file: Path, folder: Path) -> Node:
        fqn = (self.name, *file.relative_to(folder).with_suffix("").parts)
        code = "" if kind == "seed" else file.read_text()
        found = _MATERIALIZED.search(code)
        unique_id = f"{kind}.{self.name}.{file.stem}"
        tags = tuple(_tags(self._settings.get(section), fqn))
        return Node(
            unique_id,
            kind,
            file.stem,
            str(file.relative_to(self._root)),
            fqn,
            tags,
            parents=frozenset(_REF.findall(code)),
            materialized=found[1] if found else "table",
            is_microbatch=bool(_MICROBATCH.search(code)),
        )


def _matches(node: Node, method: str | None, value: str) -> bool:
    if method in (None, "fqn"):
        return value.rpartition(".")[2] in node.fqn
    if method == "tag":
        return value in node.tags
    if method == "path":
        return Path(node.path).is_relative_to(value)
    return method == "resource_type" and value == node.resource_type


def _tags(settings: Mapping[str, Any] | None, fqn: Sequence[str]) -> Iterator[str]:
    """Yield ``+tags`` along the path of a node in a section of ``dbt_project.yml``."""
    for name in (*fqn, ""):
        if not isinstance(settings, Mapping):
            return
        tags = settings.get("+tags") or ()
        yield from [tags] if isinstance(tags, str) else tags
        settings = settings.get(name)
