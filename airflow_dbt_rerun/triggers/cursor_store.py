"""Store an asset watcher's cursor outside the triggerer, since a trigger's own arguments never change.

From Airflow 3.3 on, the cursor is in the state store of the watched asset. Before, and if one trigger serves
several assets, it is in an Airflow Variable, which outlives the triggerer and which people can see and delete.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Protocol


class CursorStore(Protocol):
    """Stores one JSON value."""

    async def save(self, value: dict[str, Any]) -> None:
        """Replace the stored value."""


async def recall(asset_store: Any, key: str) -> tuple[CursorStore, Any]:
    """Return the store of a cursor and the stored value, or None for the latter.

    :param asset_store: the trigger's ``asset_state_store``, if Airflow provides one.
    :raises Exception: any error of Airflow. It does not mean that nothing is stored.
    """
    if asset_store is not None:
        try:
            return InAsset(asset_store, key), await asset_store.aget(key)
        except ValueError:  # several assets: Airflow merges watchers with equal arguments into one trigger
            pass
    store = InVariable(key)
    return store, await store.load()


def key_of(*parts: object) -> str:
    """Return a cursor's key, made from the arguments that distinguish watchers."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return f"dbt_rerun_cursor_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


class InAsset:
    """A cursor in the state store of the watched asset (Airflow 3.3 and newer)."""

    def __init__(self, store: Any, key: str) -> None:
        self._store = store
        self._key = key

    async def save(self, value: dict[str, Any]) -> None:
        """Replace the stored value."""
        await self._store.aset(self._key, value)


class InVariable:
    """A cursor in an Airflow Variable."""

    def __init__(self, key: str) -> None:
        self._key = key

    async def load(self) -> Any:
        """Return the stored value, or None."""
        from asgiref.sync import sync_to_async  # noqa: PLC0415 - a part of Airflow; not needed to parse a DAG

        text = await sync_to_async(self._get)()
        try:
            return None if text is None else json.loads(text)
        except ValueError:
            return text  # not written by us; Cursor.from_dict refuses it

    async def save(self, value: dict[str, Any]) -> None:
        """Replace the stored value."""
        from asgiref.sync import sync_to_async  # noqa: PLC0415

        await sync_to_async(self._set)(json.dumps(value))

    def _get(self) -> Any:
        from airflow.sdk import Variable  # noqa: PLC0415 - not there on Airflow 2

        return Variable.get(self._key, default=None)

    def _set(self, text: str) -> None:
        from airflow.sdk import Variable  # noqa: PLC0415

        Variable.set(self._key, text, description="Which ended dbt runs an asset watcher has emitted events for.")
