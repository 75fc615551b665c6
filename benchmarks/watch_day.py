"""A day of watching, in memory: 10,000 runs at real-life rates, with the real watcher and exact counts.

Most runs start on the hour, a thousand of them at two at night; they take eight minutes in the middle, and hours at
the most. The account has as many other runs. Time leaps from poll to poll, so that a day takes seconds.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.core.watch.one import Over
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.watching.shared_polling import Hub

T = TypeVar("T")

RUNS = 10_000
DAY = 86_400.0
INTERVAL = 60.0
START = 1_700_000_000.0
SUCCESS, RUNNING = 10, 3
FIRST_RUN = 70403110300000


@dataclass(frozen=True)
class Life:
    """Seconds of the day at which a run begins and ends."""

    begin: float
    end: float


def lives(count: int, dice: random.Random) -> Sequence[Life]:
    """Lay down when runs begin and end: six in ten on the hour, one at two at night, three at any time."""

    def begin(number: int) -> float:
        if number % 10 < 6:
            return dice.randrange(24) * 3600 + dice.random() * 120
        return 7200 + dice.random() * 60 if number % 10 == 6 else dice.random() * DAY

    begins = sorted(begin(number) for number in range(count))
    return [Life(at, at + min(dice.lognormvariate(math.log(480), 0.9), 4 * 3600)) for at in begins]


@dataclass(eq=False)
class Day:
    """The account, and what was asked of it.

    :param requests: how many were sent.
    :param listed: how many runs their answers held.
    :param polled: the moments of requests: those of one moment are one poll.
    """

    watched: Sequence[Life]
    others: Sequence[Life] = ()
    now: float = 0.0
    requests: int = 0
    listed: int = 0
    polled: set[float] = field(default_factory=set)
    delays: list[float] = field(default_factory=list)
    settings: Any = None

    def __post_init__(self) -> None:
        """Number the runs in the order of their beginnings, and sort their ends."""
        both = sorted([(life, True) for life in self.watched] + [(life, False) for life in self.others], key=_begin)
        self.runs = {FIRST_RUN + number: life for number, (life, _) in enumerate(both)}
        mine = [FIRST_RUN + number for number, (_, is_mine) in enumerate(both) if is_mine]
        self.coming = [(self.runs[run_id].begin, run_id) for run_id in reversed(mine)]
        self.ended = sorted(self.runs, key=lambda run_id: self.runs[run_id].end)
        self.ends = [self.runs[run_id].end for run_id in self.ended]

    async def live(self) -> None:
        """Watch all runs from their beginnings to their ends."""
        hub = Hub(self._client, clock=self._clock, timer=self._clock, rest=self._rest, dice=lambda: 0.5)
        self._hub, self._watching = hub, set[asyncio.Task[None]]()
        while self.coming or self._watching:
            if self._watching:
                await asyncio.wait(self._watching, return_when=asyncio.FIRST_COMPLETED)
                self._watching = {task for task in self._watching if not task.done()}
            else:
                self._begin_next()

    def _begin_next(self) -> None:
        self.now, run_id = self.coming.pop()
        self._watching.add(asyncio.create_task(self._watch(run_id)))

    async def _watch(self, run_id: int) -> None:
        outcome = await self._hub.watch(run_id, Pace(check_interval=INTERVAL))
        assert outcome == Over(run_id, SUCCESS), outcome
        self.delays.append(self.now - self.runs[run_id].end)

    def _clock(self) -> float:
        return self.now

    async def _rest(self, wake: asyncio.Event, seconds: float) -> None:
        for _ in range(8):
            await asyncio.sleep(0)  # let those who were told go on first
        if self._hub._requests or math.isinf(seconds):  # noqa: SLF001 - time stands still meanwhile
            await wake.wait()
        elif not wake.is_set():
            if self.coming and self.coming[-1][0] <= self.now + seconds:
                self._begin_next()
            else:
                self.now += seconds

    # --- The platform

    async def _client(self) -> Any:
        return self

    async def prepare(self) -> None:
        """Do nothing: there is no session."""

    async def close(self) -> None:
        """Do nothing, as above."""

    async def send(self, endpoint: Endpoint[T]) -> T:
        """Answer as the platform does, and count."""
        self.requests += 1
        self.polled.add(self.now)
        await asyncio.sleep(0)
        last = endpoint.path.rstrip("/").rpartition("/")[2]
        found = self._found(endpoint.params) if last == "runs" else [int(last)]
        offset, limit = int(endpoint.params.get("offset", 0)), int(endpoint.params.get("limit", 1))
        page = [self._state(run_id) for run_id in found[offset : offset + limit]]
        self.listed += len(page)
        data = page if last == "runs" else page[0]
        return endpoint.parse(
            json.dumps({"data": data, "extra": {"pagination": {"total_count": len(found)}}}).encode()
        )

    def _found(self, params: Mapping[str, Any]) -> Sequence[int]:
        """Return the ids that pass the filters, the earliest end first."""
        first, last = (moment.timestamp() - START for moment in params["finished_at__range"] or _ALWAYS)
        until = bisect_right(self.ends, min(last, self.now))
        over = self.ended[bisect_left(self.ends, first) : until]
        if params["pk__in"] is not None:
            found = [run_id for run_id in params["pk__in"] if self.runs[run_id].begin <= self.now]
            statuses = params["status__in"] or (SUCCESS, RUNNING)
            return [run_id for run_id in found if self._status(run_id) in statuses]
        assert SUCCESS in params["status__in"], params
        return [run_id for run_id in over if run_id > (params["id__gt"] or 0)]

    def _status(self, run_id: int) -> int:
        return SUCCESS if self.runs[run_id].end <= self.now else RUNNING

    def _state(self, run_id: int) -> Mapping[str, Any]:
        status = self._status(run_id)
        end = datetime.fromtimestamp(START + self.runs[run_id].end, UTC).isoformat(sep=" ")
        return {"id": run_id, "status": status, "finished_at": end if status == SUCCESS else None}


_ALWAYS = (datetime.fromtimestamp(0, UTC), datetime(3000, 1, 1, tzinfo=UTC))


def _begin(one: tuple[Life, bool]) -> float:
    return one[0].begin


def simulated(count: int = RUNS, others: int = RUNS, seed: int = 1) -> Day:
    """Live through a day with so many watched runs, and so many others in the account."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    day = Day(lives(count, dice), lives(others, dice))
    asyncio.run(day.live())
    return day


def main() -> None:
    """Print what a day takes, beside the least that it could take."""
    print(f"{RUNS:,} runs over a day, as many others in the account, polled every {INTERVAL:.0f} s")
    day = simulated()
    polls, ends = len(day.polled), math.ceil(RUNS / 100)
    print(f"requests: {day.requests:,}; the least: {polls:,} polls and {ends} for the ends, {polls + ends:,}")
    print(f"runs in answers: {day.listed:,}; the least: {RUNS:,}")
    print(f"ends told: {len(day.delays):,}, at most {max(day.delays):.1f} s late")


if __name__ == "__main__":
    main()
