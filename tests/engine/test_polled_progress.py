"""How often a watched run is asked for its steps, and when its progress is told."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from airflow_dbt_rerun.core.dbt.models import Run, RunStep
from airflow_dbt_rerun.core.heal.lineage import Marker
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.engine.driver import Driver
from airflow_dbt_rerun.engine.polled_progress import TELL_EVERY, PolledProgress
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import DbtUnreachableError
from tests.core.builders import run


@dataclass
class Watch:
    """A run that is polled at given times, and what is told of it."""

    now: float = 0.0
    told: list[Run] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.progress = PolledProgress(self.told.append, lambda: self.now)

    def poll(self, after: float, answer: Run | Exception) -> list[str]:
        """Poll once; return what the poll asks for besides the run."""
        self.now += after
        related = list(self.progress.related())
        self.progress.polled(answer)
        return related


def running(status: int) -> Run:
    """Return a run whose one step has a status."""
    return replace(run(101, 3), steps=(RunStep(1, 1, "Invoke dbt with `dbt build`", status),))


def test_steps_are_asked_for_at_once_and_then_at_most_every_thirty_seconds() -> None:
    """A short run shows its step, too. It comes with a poll that is sent anyway, and not with each: it is large."""
    watch = Watch()
    assert [watch.poll(10, running(1)) for _ in range(6)] == [["run_steps"], [], [], ["run_steps"], [], []]
    assert len(watch.told) == 1


def test_only_changes_are_told() -> None:
    """A long step is told of once: each telling is a row in Airflow's database."""
    watch = Watch()
    for status in (1, 3, 3, 3):
        watch.poll(TELL_EVERY, running(status))
    assert [each.steps[0].status for each in watch.told] == [1, 3]


def test_an_end_or_an_error_is_no_progress() -> None:
    """The loop tells of an end itself; of an unreadable answer there is nothing to tell."""
    watch = Watch()
    watch.poll(TELL_EVERY, run(101, 20))
    watch.poll(TELL_EVERY, DbtUnreachableError("no answer"))
    assert watch.told == []


def test_progress_of_a_long_run_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """P4: between *Queued* and the end the log names dbt's step whenever another one has begun."""
    seed, build = (RunStep(n, n, f"Invoke dbt with `dbt {name}`", 3) for n, name in ((1, "seed"), (2, "build")))
    seeding = replace(run(101, 3), steps=(seed, replace(build, status=1)))
    building = replace(run(101, 3), steps=(replace(seed, status=10), build))
    seen = [seeding, seeding, seeding, building, building, run(101, 10)]
    now = [0.0]

    class Client:
        def send(self, _: object) -> Run:
            return seen.pop(0)

    def sleep(_: float) -> None:
        now[0] += TELL_EVERY

    work = Work(7, Marker.of("dag", "run", "task", -1, 0), "a test")
    driver = Driver(Client(), work, None, clock=lambda: now[0], sleep=sleep)  # type: ignore[arg-type]
    with caplog.at_level("INFO"):
        driver._watch(RerunSession(0.0), 101)
    told = [record.getMessage() for record in caplog.records if "step" in record.getMessage()]
    assert told == ["dbt run 101 is in step 1 of 2: dbt seed", "dbt run 101 is in step 2 of 2: dbt build"]
