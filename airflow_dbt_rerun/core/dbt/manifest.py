"""What a project's ``manifest.json`` adds to a diagnosis: the adapter, and each node's file and tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

NODE_TABLES = ("nodes", "sources", "unit_tests", "functions")
"""The parts of a manifest (v9 to v12 and dbt v2's) that contain what can fail."""


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """The few facts of a manifest that are kept; the file itself can have a hundred megabytes."""

    adapter: str | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fqns: Mapping[str, str] = field(default_factory=dict)
    """Each node's fully qualified name, as dbt's selectors take it: ``shop.marts.orders``."""
    tested: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The nodes that each data test checks."""

    @classmethod
    def from_artifact(cls, manifest: Mapping[str, Any]) -> ManifestFacts:
        """Read a whole ``manifest.json``. Missing entries are skipped."""
        nodes = {name: node for table in NODE_TABLES for name, node in (manifest.get(table) or {}).items()}
        return cls(
            adapter=(manifest.get("metadata") or {}).get("adapter_type"),
            paths={name: str(node["original_file_path"]) for name, node in nodes.items() if _has_path(node)},
            tags={name: _tags(node) for name, node in nodes.items() if _tags(node)},
            fqns={name: ".".join(map(str, node["fqn"])) for name, node in nodes.items() if node.get("fqn")},
            tested={name: _depends_on(node) for name, node in nodes.items() if name.startswith("test.")},
        )


def _has_path(node: Mapping[str, Any]) -> bool:
    return bool(node.get("original_file_path"))


def _depends_on(node: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple((node.get("depends_on") or {}).get("nodes") or ())


def _tags(node: Mapping[str, Any]) -> tuple[str, ...]:
    tags: Sequence[str] | str = node.get("tags") or ()
    return (tags,) if isinstance(tags, str) else tuple(tags)
