"""Several tasks of one job at once on one simulated platform: threads that take turns, so it is repeatable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any, TypeVar, cast

from airflow_dbt_rerun.api.endpoints import Endpoint
from tests.scenarios.simulated_platform import SimulatedPlatform

T = TypeVar("T")


class Sibling(threading.Thread):
    """One task, and its way to the platform: each request and each sleep is a turn."""

    def __init__(self, name: str, platform: SimulatedPlatform, story: Callable[[Sibling], Any]) -> None:
        super().__init__(name=name, daemon=True)
        self.wakes_at = platform.now
        self.result: object = None
        self.error: BaseException | None = None
        self._platform = platform
        self._story = story
        self._turn = threading.Semaphore(0)
        self.yielded = threading.Semaphore(0)

    def run(self) -> None:
        """Live the story, from the first turn on."""
        self._turn.acquire()
        try:
            self.result = self._story(self)
        except BaseException as error:  # noqa: BLE001 - raised again in the test's own thread
            self.error = error
        self.wakes_at = float("inf")
        self.yielded.release()

    def take_turn(self) -> None:
        """Go on until the next request or sleep."""
        self._platform.caller = self.name
        self._turn.release()
        self.yielded.acquire()

    def send(self, endpoint: Endpoint[T]) -> T:
        """Send a request at the next turn."""
        self._wait(self._platform.now)
        return self._platform.send(endpoint)

    def sleep(self, seconds: float) -> None:
        """Let time pass; others have their turns meanwhile."""
        self._wait(self._platform.now + seconds)

    def clock(self) -> float:
        """Return epoch seconds."""
        return self._platform.now

    def _wait(self, until: float) -> None:
        self.wakes_at = until
        self.yielded.release()
        self._turn.acquire()


def live_together(
    platform: SimulatedPlatform, stories: Sequence[Callable[[Sibling], T]], order: Sequence[int]
) -> list[T]:
    """Let tasks live at the same time and return how each ended.

    :param order: which of those that are awake has the next turn, again and again.
    """
    siblings = [Sibling(f"task {number}", platform, story) for number, story in enumerate(stories)]
    for sibling in siblings:
        sibling.start()
    choices: Iterator[int] = cycle(order or [0])
    while any(sibling.wakes_at < float("inf") for sibling in siblings):
        platform.now = max(platform.now, min(sibling.wakes_at for sibling in siblings))
        awake = [sibling for sibling in siblings if sibling.wakes_at <= platform.now]
        awake[next(choices) % len(awake)].take_turn()
    for sibling in siblings:
        if sibling.error:
            raise sibling.error
    return [cast("T", sibling.result) for sibling in siblings]
