"""Where an asset watcher keeps its cursor, so that it survives the triggerer: a trigger's arguments never change.

From Airflow 3.3 on that is the state store of the watched asset. Before, and where one trigger watches for several
assets, it is an Airflow Variable: it outlives the triggerer on each Airflow 3, and people can see and delete it.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Protocol


class Memory(Protocol):
    """Keeps one JSON value."""

    async def save(self, value: dict[str, Any]) -> None:
        """Keep a value instead of the one before."""


async def recall(asset_store: Any, key: str) -> tuple[Memory, Any]:
    """Find where a cursor is kept, and what is kept there: None, if nothing is.

    :param asset_store: the trigger's ``asset_state_store``, where Airflow gives one.
    :raises Exception: what Airflow raises. It does not mean that nothing is kept.
    """
    if asset_store is not None:
        try:
            return InAsset(asset_store, key), await asset_store.aget(key)
        except ValueError:  # several assets: Airflow makes one trigger of watchers with the same arguments
            pass
    memory = InVariable(key)
    return memory, await memory.load()


def key_of(*parts: object) -> str:
    """Name a cursor by what makes two watchers differ."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return f"dbt_rerun_cursor_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class InAsset:
    """In the state store of the watched asset (Airflow 3.3 and newer)."""

    def __init__(self, store: Any, key: str) -> None:
        self._store = store
        self._key = key

    async def save(self, value: dict[str, Any]) -> None:
        """Keep a value instead of the one before."""
        await self._store.aset(self._key, value)


class InVariable:
    """In an Airflow Variable."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def load(self) -> Any:
        """Read what is kept."""
        from asgiref.sync import sync_to_async  # noqa: PLC0415 - a part of Airflow; not needed to parse a DAG

        text = await sync_to_async(self._get)()
        try:
            return None if text is None else json.loads(text)
        except ValueError:
            return text  # somebody else's, and no cursor

    async def save(self, value: dict[str, Any]) -> None:
        """Keep a value instead of the one before."""
        from asgiref.sync import sync_to_async  # noqa: PLC0415

        await sync_to_async(self._set)(json.dumps(value))

    def _get(self) -> Any:
        from airflow.sdk import Variable  # noqa: PLC0415 - not there on Airflow 2

        return Variable.get(self._key, default=None)

    def _set(self, text: str) -> None:
        from airflow.sdk import Variable  # noqa: PLC0415

        Variable.set(self._key, text, description="How far an asset watcher has told the ends of dbt runs.")
