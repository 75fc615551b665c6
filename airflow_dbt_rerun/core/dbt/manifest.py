"""What a project's ``manifest.json`` adds to a diagnosis: the adapter, and each node's file and tags."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_dbt_rerun.core.dbt.fields import JsonObject, line, part, texts

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
    def from_artifact(cls, manifest: JsonObject) -> ManifestFacts:
        """Read a whole ``manifest.json``. Missing entries are skipped."""
        tables = (part(manifest, table).items() for table in NODE_TABLES)
        nodes = {name: node for table in tables for name, node in table if isinstance(node, Mapping)}
        return cls(
            adapter=line(part(manifest, "metadata"), "adapter_type"),
            paths={name: path for name, node in nodes.items() if (path := line(node, "original_file_path"))},
            tags={name: tags for name, node in nodes.items() if (tags := _tags(node))},
            fqns={name: ".".join(fqn) for name, node in nodes.items() if (fqn := texts(node, "fqn"))},
            tested={name: _depends_on(node) for name, node in nodes.items() if name.startswith("test.")},
        )


def names_in(manifest: JsonObject) -> frozenset[str]:
    """Return the unique ids of all enabled nodes of a project."""
    return frozenset(name for table in NODE_TABLES for name in part(manifest, table))


def _depends_on(node: JsonObject) -> tuple[str, ...]:
    return texts(part(node, "depends_on"), "nodes")


def _tags(node: JsonObject) -> tuple[str, ...]:
    tag = line(node, "tags")
    return (tag,) if tag else texts(node, "tags")
