"""What a soak lays down in advance: its tasks, what befalls each one's dbt job, and when the rest goes wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from tests.support import Json

SHAPES = (
    "deferrable",
    "deferrable",
    "deferrable",
    "blocking",
    "blocking",
    "sensor_deferrable",
    "sensor_poke",
    "sensor_reschedule",
    "single_deferrable",
    "single_blocking",
)
"""The tasks of each ten; ``single`` ones are not mapped."""

FATES = {"none": 50, "passes": 26, "passes_late": 8, "lasting": 8, "exhausting": 4, "code": 4}
"""How often each of these befalls a job, in percent."""

RED = {"lasting", "exhausting", "code"}
"""What no rerun can heal, as it is laid down: a task that meets it has to fail."""

PASSING = "Connection reset by peer"
MESSAGES = {
    "passes": (PASSING, 1),
    "passes_late": (PASSING, 2),
    "lasting": ("Table with name customers does not exist!", -1),
    "exhausting": (PASSING, -1),
    "code": ('Parser Error: syntax error at or near "selct"', -1),
}
"""The message of each failure, and in how many runs it happens."""

TASKS_IN_WAVE = 30


@dataclass(frozen=True)
class Piece:
    """One task and its dbt job."""

    number: int
    wave: int
    task_id: str
    map_index: int
    fate: str
    seconds: float
    """How long each of its dbt runs takes."""

    @property
    def node(self) -> str:
        """The model of its job, which is also the job's name."""
        return f"model_{self.number:03}"

    @property
    def dag_id(self) -> str:
        """The DAG of its wave."""
        return f"wave_{self.wave:02}"

    @property
    def place(self) -> tuple[str, str, int]:
        """Where Airflow keeps its task."""
        return self.dag_id, self.task_id, self.map_index

    @property
    def is_sensor(self) -> bool:
        """Whether it waits for a run that it does not start."""
        return self.task_id.startswith("sensor")


def pieces(tasks: int, dice: Random) -> list[Piece]:
    """Lay down all tasks, in waves."""
    waves = max(2, round(tasks / TASKS_IN_WAVE))
    seen: Counter[tuple[int, str]] = Counter()
    found = []
    for number in range(tasks):
        wave, shape = number * waves // tasks, SHAPES[number % len(SHAPES)]
        index, seen[wave, shape] = seen[wave, shape], seen[wave, shape] + 1
        single = shape.startswith("single")
        place = (f"{shape}_{index}", -1) if single else (shape, index)
        fate = dice.choices(list(FATES), list(FATES.values()))[0]
        found.append(Piece(number, wave, *place, fate, seconds_of(shape, fate, dice)))
    return found


def seconds_of(shape: str, fate: str, dice: Random) -> float:
    """Give the seconds of a run: few where a worker waits, and where there are many of them."""
    longest = 4 if fate == "exhausting" else 45 if "deferrable" in shape else 8
    return round(dice.uniform(2, longest), 1)


def trouble(laid_down: Sequence[Piece]) -> Iterator[Json]:
    """Ask the platform for what befalls each job."""
    for piece in laid_down:
        if piece.fate in MESSAGES:
            message, times = MESSAGES[piece.fate]
            yield {"node": piece.node, "times": times, "message": message, "seconds": piece.seconds}
        yield {"node": piece.node, "times": -1, "seconds": piece.seconds}
