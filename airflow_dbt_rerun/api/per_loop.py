"""One object for each key in each event loop: whoever waits in a triggerer finds the others so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary, WeakValueDictionary

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Objects that live as long as somebody holds them, and no longer than their loop."""

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, WeakValueDictionary[Hashable, T]] = (
            WeakKeyDictionary()
        )

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Give the running loop's object for a key, and make it where there is none."""
        loop = asyncio.get_running_loop()
        known = self._loops.get(loop)
        if known is None:  # not setdefault(): a thousand callers would make a thousand such dictionaries
            known = self._loops[loop] = WeakValueDictionary()
        found = known.get(key)
        if found is None:
            found = known[key] = make()
        return found
