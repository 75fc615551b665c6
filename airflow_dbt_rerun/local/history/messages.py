"""The message of a failure: the words of its cause, with names and numbers filled in, as dbt introduces it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random
from uuid import UUID

from airflow_dbt_rerun.local.history.causes import Cause
from airflow_dbt_rerun.local.simulated.project import Node

_NAME = re.compile(r"\{(\w+)\}")
_WORDS = (
    "customer",
    "invoice",
    "shipment",
    "region",
    "channel",
    "coupon",
    "refund",
    "basket",
    "supplier",
    "session",
)
_HOSTS = {
    "postgres": "pg.acme.example",
    "redshift": "wh.acme-example.eu-central-1.redshift.amazonaws.com",
    "snowflake": "ab12345.eu-central-1",
}
_PORTS = {"redshift": 5439}


@dataclass(frozen=True, slots=True)
class Message:
    """What dbt says of a failure.

    :param text: the message
    :param rows: the rows that a test found
    """

    text: str
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Warehouse:
    """Who speaks: an adapter in a project, with the names and numbers that chance fills in."""

    project: str
    adapter: str
    rng: Random


def node_message(cause: Cause, node: Node, warehouse: Warehouse) -> Message:
    """Return the message of a node."""
    rows = warehouse.rng.randint(2, 400) if cause.is_test_failure else None
    text = _filled(cause.text, warehouse, node.name, rows)
    if not cause.kind:
        return Message(text, rows)
    compiled = f"compiled code at target/run/{node.fqn[0]}/{node.path}"
    introduced = f"{cause.kind} in {node.resource_type} {node.name} ({node.path})"
    return Message(f"{introduced}\n{_indented(text)}\n  {compiled}", rows)


def start_message(cause: Cause, node: str, warehouse: Warehouse) -> str:
    """Return the message of a command that fails before its first node.

    :param node: a name to use where the message needs one
    """
    text = _filled(cause.text, warehouse, node)
    return f"{cause.kind}\n{_indented(text)}" if cause.kind else text


def _filled(text: str, warehouse: Warehouse, node: str, rows: int | None = None) -> str:
    project, adapter, rng = warehouse.project, warehouse.adapter, warehouse.rng
    details = {
        "node": node,
        "project": project.replace("_", "-") + "-prod" if adapter == "bigquery" else project,
        "schema": "analytics",
        "adapter": adapter,
        "host": _HOSTS.get(adapter, "warehouse.acme.example"),
        "port": str(_PORTS.get(adapter, 5432)),
        "rows": str(rows),
        "word": rng.choice(_WORDS),
        "pid": str(rng.randint(2_000, 32_000)),
        "pid2": str(rng.randint(2_000, 32_000)),
        "number": str(rng.randint(100_000, 9_999_999)),
        "number2": str(rng.randint(100_000, 9_999_999)),
        "seconds": str(rng.choice((120, 300, 600, 900, 1800))),
        "uuid": str(UUID(int=rng.getrandbits(128), version=4)),
        "hex": f"{rng.getrandbits(64):016x}",
    }
    return _NAME.sub(lambda found: details.get(found[1], found[0]), text)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
