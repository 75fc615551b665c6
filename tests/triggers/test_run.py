"""The trigger on its own: it waits, says what it saw, and lets go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.triggers.base import BaseTrigger
from pytest_mock import MockerFixture

from airflow_dbt_rerun import hooks
from airflow_dbt_rerun.triggers.run import DbtCloudRunTrigger, finish
from tests.border import first_event
from tests.conftest import JOBS
from tests.support import Json, LocalPlatform, local_platform
from tests.system.airflow_stack import AIRFLOW_2


@pytest.fixture(scope="module")
def shared_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """One platform for all tests here, with a simulated dbt."""
    with local_platform(tmp_path_factory.mktemp("triggers"), "--simulate", jobs=JOBS) as platform:
        yield platform


@pytest.fixture(autouse=True)
def _connected(platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Define the connection."""
    platform.connect(monkeypatch)


@pytest.fixture
def hanging(platform: LocalPlatform) -> Iterator[Json]:
    """A run that stays in progress until it is cancelled, which it is at the latest when its test has ended."""
    platform.trouble({"node": "raw_orders", "times": 1, "seconds": 60})
    run = platform.trigger("seeds")
    platform.until_troubled("raw_orders")
    yield run
    if not platform.get(f"runs/{run['id']}/")["is_complete"]:
        platform.cancel(run)


def trigger(run: Json, **arguments: Any) -> DbtCloudRunTrigger:
    """Watch a run every tenth of a second."""
    defaults = {"dbt_cloud_conn_id": "dbt_cloud_default", "check_interval": 0.1, "first_poll_after": 0.05}
    return DbtCloudRunTrigger(run_id=run["id"], **{**defaults, **arguments})


def wait(**arguments: Any) -> dict[str, Any]:
    """Run a trigger to its one event."""
    return asyncio.run(first_event(trigger(**arguments)))


def test_fires_when_the_run_is_over(platform: LocalPlatform) -> None:
    """One event, with the session as it was given; it does not say how the run ended."""
    run = platform.trigger("seeds")
    event = wait(run=run, session={"version": 1}, usual=7.0)
    assert event == {
        "outcome": "over",
        "run_id": run["id"],
        "reason": None,
        "session": {"version": 1},
        "usual": 7.0,
    }
    assert platform.get(f"runs/{run['id']}/")["is_complete"]


def test_event_prints_in_short(platform: LocalPlatform) -> None:
    """Airflow logs each event; the session of a long heal would fill the page."""

    async def shown(made: DbtCloudRunTrigger) -> list[str]:
        return [repr(event) async for event in made.run()]

    run = platform.trigger("seeds")
    events = asyncio.run(shown(trigger(run, session={"version": 1, "long": "x" * 9_000})))
    assert events == [f"TriggerEvent<{{'outcome': 'over', 'run_id': {run['id']}}}>"]


def test_fires_when_the_moment_has_come(platform: LocalPlatform) -> None:
    """A wait between attempts asks the API nothing."""
    moment = time.time() + 0.5
    assert wait(run={"id": 1}, until=moment)["outcome"] == "moment"
    assert time.time() >= moment
    assert platform.control("GET", "requests") == []


def test_fires_at_its_deadline(hanging: Json) -> None:
    """P5: the deadline is wall-clock and lives in the trigger."""
    assert wait(run=hanging, deadline=time.time() + 0.5)["outcome"] == "out_of_time"


WRONG = [{"dbt_cloud_conn_id": "nowhere"}, {"account_id": "main"}, {"hook_params": {"x": 1}}]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_what_goes_wrong_is_an_event_too(wrong: dict[str, Any]) -> None:
    """P1: an error inside the trigger reaches the worker as unwatchable, with its words."""
    event = wait(run={"id": 1}, **wrong)
    assert event["outcome"] == "unwatchable"
    assert event["reason"]


async def together(*triggers: DbtCloudRunTrigger) -> list[str]:
    """Run triggers in one loop, as a triggerer does; give their outcomes."""
    return [event["outcome"] for event in await asyncio.gather(*map(first_event, triggers))]


def test_triggers_of_a_connection_ask_together(
    platform: LocalPlatform, hanging: Json, mocker: MockerFixture
) -> None:
    """Any number of triggers read the connection once, share one session, and list runs instead of polling each."""
    lookups = mocker.spy(hooks, "get_async_connection")
    runs = [hanging, platform.trigger("seeds"), platform.trigger("seeds")]
    platform.control("DELETE", "requests")
    patient: Json = {"deadline": time.time() + 2, "first_poll_after": 0.5}  # until all three are there
    assert asyncio.run(together(*(trigger(run, **patient) for run in runs))) == ["out_of_time"] * 3
    assert {path.rpartition("/accounts/")[2] for path in platform.paths()} == {f"{platform.account_id}/runs/"}
    assert lookups.call_count == 1


@pytest.mark.parametrize(
    ("others", "clients"),
    [
        ([{"account_id": 1}, {"account_id": "1"}], 1),
        ([{"account_id": 1}, {"account_id": 2}], 2),
        ([{"account_id": 1}, {}], 2),
        ([{"hook_params": {"timeout_seconds": 5}}, {"hook_params": {}}], 2),
    ],
    ids=str,
)
def test_triggers_share_a_client_only_if_they_would_make_the_same(
    others: list[dict[str, Any]], clients: int, mocker: MockerFixture
) -> None:
    """Account and hook parameters make a difference; whether an id is a number or its text makes none."""
    lookups = mocker.spy(hooks, "get_async_connection")
    deadline = time.time()
    asyncio.run(together(*(trigger({"id": 1}, deadline=deadline, **arguments) for arguments in others)))
    assert lookups.call_count == clients


def test_outage_is_told_once(platform: LocalPlatform, hanging: Json, caplog: pytest.LogCaptureFixture) -> None:
    """P5: nothing is repeated within a poll, whatever the hook's parameters say, and one line speaks for all."""
    platform.fault("status", method="GET", path="/runs/", status=503, count=-1)
    patient = {"retry_limit": 9, "retry_delay": 0.01}
    watching = [trigger(hanging, deadline=time.time() + 1, hook_params=patient) for _ in range(3)]
    assert asyncio.run(together(*watching)) == ["out_of_time"] * 3
    ours = [record for record in caplog.records if record.name.startswith("airflow_dbt_rerun")]
    warnings = [record.message for record in ours if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "3 watched runs wait" in warnings[0]
    assert 3 < len(platform.paths()) < 20
    platform.control("DELETE", "faults")


def test_kill_of_a_deferred_task_cancels_the_run(hanging: Json, platform: LocalPlatform) -> None:
    """P9: a person killed the task while it was deferred: our run does not go on."""
    asyncio.run(trigger(hanging, cancel_on_kill=True).on_kill())
    assert platform.get(f"runs/{hanging['id']}/")["status"] == 30


def test_kill_that_dbt_does_not_carry_out_names_the_run(
    hanging: Json, platform: LocalPlatform, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """P9: Airflow 3.3 logs no more than that on_kill raised something, so a person would not know what goes on."""
    platform.fault("status", status=502, method="POST", path="/cancel/")
    asyncio.run(trigger(hanging, cancel_on_kill=True).on_kill())
    logged = caplog.text + capsys.readouterr().out  # Airflow 2 logs by logging, Airflow 3 by structlog
    assert f"Could not cancel dbt run {hanging['id']} of a killed task; cancel it in dbt: POST" in logged


@pytest.mark.parametrize("fault", [None, {"kind": "lost", "status": 504}])
def test_what_is_said_of_a_kill_is_what_dbt_records(
    fault: Json | None,
    hanging: Json,
    platform: LocalPlatform,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """P9: the run is read again after the request, whose answer may be lost."""
    caplog.set_level("INFO")
    if fault:
        platform.fault(**fault, method="POST", path="/cancel/")
    asyncio.run(trigger(hanging, cancel_on_kill=True).on_kill())
    assert f"Cancelled dbt run {hanging['id']}: its task was killed" in caplog.text + capsys.readouterr().out
    assert platform.paths()[-1].endswith(f"/runs/{hanging['id']}/")


def test_kill_leaves_a_run_that_is_not_ours(hanging: Json, platform: LocalPlatform) -> None:
    """P9: a run that is only watched continues."""
    asyncio.run(trigger(hanging).on_kill())
    assert platform.get(f"runs/{hanging['id']}/")["status"] == 3


@pytest.fixture
def airflow_says(mocker: MockerFixture) -> Callable[[str | None], None]:
    """Let Airflow say which state the task instance has: as its API does, or as Airflow 2's database does."""

    def say(state: str | None) -> None:
        if AIRFLOW_2:
            session = mocker.patch("airflow.utils.session.create_session").return_value.__enter__.return_value
            session.query.return_value.filter.return_value = [(state,)]
        else:
            states = "airflow.sdk.execution_time.task_runner.RuntimeTaskInstance.get_task_states"
            mocker.patch(states, return_value={"run": {"task": state}})

    return say


def of_task(run: Json) -> DbtCloudRunTrigger:
    """Watch a run for a task, which is to cancel it when it is killed."""
    made = trigger(run, cancel_on_kill=True)
    made.task_instance = SimpleNamespace(dag_id="dag", task_id="task", run_id="run", map_index=-1)  # type: ignore[assignment]
    return made


@pytest.mark.parametrize(("state", "status"), [("deferred", 3), ("running", 3), (None, 3), ("failed", 30)])
def test_hand_over_or_clear_is_no_kill(
    hanging: Json, platform: LocalPlatform, airflow_says: Callable[[str | None], None], state: str, status: int
) -> None:
    """P9: a trigger that moves to another triggerer gets on_kill, too (apache/airflow#73454), as after a clear."""
    airflow_says(state)
    asyncio.run(of_task(hanging).on_kill())
    assert platform.get(f"runs/{hanging['id']}/")["status"] == status


async def stop(trigger: DbtCloudRunTrigger, *, times: int) -> None:
    """Stop a trigger as a triggerer does: by cancelling its task, again and again."""
    running = asyncio.ensure_future(anext(aiter(trigger.run())))
    await asyncio.sleep(0.5)
    for _ in range(times):
        running.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await running


@pytest.mark.skipif(hasattr(BaseTrigger, "on_kill"), reason="from 3.3 on Airflow calls on_kill")
@pytest.mark.parametrize(("state", "status"), [("deferred", 3), ("failed", 30), ("success", 30)])
def test_stop_that_is_a_kill_is_told_by_the_tasks_state(
    hanging: Json, platform: LocalPlatform, airflow_says: Callable[[str | None], None], state: str, status: int
) -> None:
    """P9: Airflow before 3.3 stops a trigger in one way, be its task killed or its triggerer stopped."""
    airflow_says(state)
    asyncio.run(stop(of_task(hanging), times=1))
    assert platform.get(f"runs/{hanging['id']}/")["status"] == status


def test_stop_of_the_triggerer_is_no_kill(
    hanging: Json, platform: LocalPlatform, airflow_says: Callable[[str | None], None]
) -> None:
    """P9: a triggerer that stops ends its triggers, and the run continues."""
    airflow_says("deferred")
    asyncio.run(stop(of_task(hanging), times=3))
    assert platform.get(f"runs/{hanging['id']}/")["status"] == 3


def test_kill_is_carried_out_although_it_is_said_again(
    hanging: Json, platform: LocalPlatform, airflow_says: Callable[[str | None], None]
) -> None:
    """P9: Airflow 3 repeats its "stop" each second; the request that cancels the run must not die of the second."""
    airflow_says("failed")

    async def kill() -> None:
        killing = asyncio.ensure_future(of_task(hanging).on_kill())
        for _ in range(20):
            await asyncio.sleep(0.01)
            killing.cancel()
        await killing

    asyncio.run(kill())
    assert platform.get(f"runs/{hanging['id']}/")["status"] == 30


def test_kill_does_not_take_for_ever() -> None:
    """A platform that hangs holds up no triggerer."""

    async def hang() -> None:
        await asyncio.sleep(60)

    with pytest.raises(TimeoutError):
        asyncio.run(finish(hang(), seconds=0.05))
