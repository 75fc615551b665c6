"""Share one object for each key in each event loop, so that triggers of one triggerer find each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Objects that live while they are referenced, and no longer than their event loop."""

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[Hashable, T]] = (
            WeakKeyDictionary()
        )

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the running loop's object for a key; create it if there is none."""
        loop = asyncio.get_running_loop()
        known = self._loops.get(loop)
        if known is None:  # not setdefault(): a thousand callers would make a thousand such dictionaries
            known = self._loops[loop] = WeakValueDictionary()
        found = known.get(key)
        if found is None:
            found = known[key] = make()
        return found
