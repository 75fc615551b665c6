"""The trigger for asset watchers: each ended run has an event, across restarts, outages and foreign reruns.

What is real: the trigger, rebuilt from its serialized form, HTTP, and a platform that simulates dbt. What Airflow
keeps for it between two triggerers is a dictionary here.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
from pytest_mock import MockerFixture

from airflow_dbt_rerun import DbtCloudRerunOperator
from airflow_dbt_rerun.exceptions import DbtConfigError
from airflow_dbt_rerun.triggers.asset_events import DbtCloudJobRunEventTrigger
from tests.border import TaskInstance, run_task
from tests.support import GENEROUS, Json, LocalPlatform, local_platform
from tests.system.airflow_stack import AIRFLOW_2

JOBS = {"nightly": "dbt seed; dbt build --exclude resource_type:seed", "seeds": "dbt seed"}
RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
INTERVAL = 0.1
NO_STORE = object()
"""Says that Airflow gives the watcher nothing to keep values in."""

OFTEN = {"check_interval": INTERVAL, "hook_params": {"retry_limit": 1}}

needs_watchers = pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no asset watchers")


@pytest.fixture(scope="module")
def _one_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    with local_platform(tmp_path_factory.mktemp("events"), "--simulate", jobs=JOBS) as platform:
        yield platform


@pytest.fixture
def dbt(_one_platform: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPlatform]:
    """A platform with runs of earlier tests on record, and a connection to it."""
    dbt = _one_platform
    dbt.connect(monkeypatch)
    before = dbt.control("GET", "behaviour")
    dbt.control("DELETE", "requests")
    yield dbt
    dbt.control("DELETE", "faults")
    dbt.behave(**before)
    dbt.trouble()


class Store:
    """What Airflow 3.3 gives a watcher of one asset to keep values in."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.reading: Exception | None = None
        self.writing: Exception | None = None

    async def aget(self, key: str) -> Any:
        """Read a value."""
        if self.reading:
            raise self.reading
        return self.values.get(key)

    async def aset(self, key: str, value: Any) -> None:
        """Write a value, which must be JSON as in Airflow."""
        if self.writing:
            raise self.writing
        self.values[key] = json.loads(json.dumps(value))


class Watcher:
    """A trigger as a triggerer runs it: its events so far, and whether it has ended."""

    def __init__(self, store: Any, arguments: dict[str, Any]) -> None:
        path, plain = DbtCloudJobRunEventTrigger(**{**OFTEN, **arguments}).serialize()
        assert path == "airflow_dbt_rerun.triggers.DbtCloudJobRunEventTrigger"
        self.trigger: Any = DbtCloudJobRunEventTrigger(**json.loads(json.dumps(plain)))
        self.trigger.asset_state_store = store
        self.told: list[Json] = []
        self.task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        async for event in self.trigger.run():
            self.told.append(json.loads(json.dumps(event.payload)))

    @property
    def run_ids(self) -> list[int]:
        """The runs that had an event, in order."""
        return [run["run_id"] for run in self.told]

    async def tells(self, *runs: Json) -> None:
        """Wait for the events of these runs, and check that no others follow for a while."""
        await until(lambda: len(self.told) >= len(runs))
        await asyncio.sleep(3 * INTERVAL)
        assert self.run_ids == [run["id"] for run in runs]


@asynccontextmanager
async def watching(store: Any = None, **arguments: Any) -> AsyncIterator[Watcher]:
    """Run a trigger for a while, and end it as a triggerer that stops does."""
    store = None if store is NO_STORE else store or Store()
    watcher = Watcher(store, arguments)
    await until(lambda: watcher.trigger._store is not None or bool(getattr(store, "reading", None)))
    try:
        yield watcher
        assert not watcher.task.done(), "a watcher's trigger has no end"
    finally:
        watcher.task.cancel()
        await asyncio.wait([watcher.task])


async def until(condition: Callable[[], bool]) -> None:
    """Let everything go on until a condition holds."""
    async with asyncio.timeout(GENEROUS):
        while not condition():  # noqa: ASYNC110 - the condition has no event
            await asyncio.sleep(0.01)


async def run(dbt: LocalPlatform, job: str = "seeds", **overrides: Any) -> Json:
    """Run a job to its end, outside Airflow."""
    return await asyncio.to_thread(dbt.run, job, **overrides)


async def failing_run(dbt: LocalPlatform) -> Json:
    """Run a job that fails for a passing reason, outside Airflow."""
    dbt.trouble(RESET)
    return await run(dbt, "nightly")


def story(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test in a new event loop; it must leave no session open and no task running."""

    async def watched(**fixtures: Any) -> None:
        await test(**fixtures)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    def run(**fixtures: Any) -> None:
        asyncio.run(watched(**fixtures))

    run.__signature__ = inspect.signature(test)  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = test.__name__, test.__doc__
    marked: Callable[..., None] = needs_watchers(run)
    return marked


def lists(dbt: LocalPlatform) -> int:
    """Count the requests for ended runs."""
    return sum(path.endswith("/runs/") for path in dbt.paths())


# --- Events


@story
async def test_each_run_that_ends_is_told_once(dbt: LocalPlatform) -> None:
    """One event a run, whatever started it; its payload says which run, how it ended, why, and its URL."""
    async with watching() as watcher:
        failed = await failing_run(dbt)
        good = await run(dbt)
        await watcher.tells(failed, good)
    told = watcher.told[0]
    assert datetime.fromisoformat(told.pop("finished_at")) == datetime.fromisoformat(failed["finished_at"])
    assert told == {
        "run_id": failed["id"],
        "job_id": dbt.jobs["nightly"],
        "job_name": "nightly",
        "status": "Error",
        "category": "transient",
        "url": failed["href"],
    }
    assert (watcher.told[1]["status"], watcher.told[1]["category"]) == ("Success", None)
    assert sum(path.endswith(f"/runs/{failed['id']}/") for path in dbt.paths()) >= 1


@story
async def test_cancelled_run_is_told_as_such(dbt: LocalPlatform) -> None:
    """What a person stopped is category cancelled, and costs no further request."""
    dbt.trouble({"node": "raw_orders", "times": 1, "seconds": 60})
    async with watching(statuses="cancelled") as watcher:
        going = await asyncio.to_thread(dbt.trigger, "seeds")
        await asyncio.to_thread(dbt.until_troubled, "raw_orders")
        dbt.cancel(going, by="Ann")
        await watcher.tells(going)
    assert (watcher.told[0]["status"], watcher.told[0]["category"]) == ("Cancelled", "cancelled")


@story
async def test_cancelled_run_without_an_end_is_told_once(dbt: LocalPlatform) -> None:
    """dbt's scheduler cancels queued runs; such a run never started, and may lack the moment of its end."""
    dbt.behave(over_scheduling="cancel_older", cancelled_finished_at_filled=False)
    dbt.trouble({"node": "raw_orders", "times": 1, "seconds": 60})
    schedule = f"jobs/{dbt.jobs['seeds']}/schedule"
    async with watching(statuses="cancelled") as watcher:
        first = await asyncio.to_thread(dbt.control, "POST", schedule)
        await asyncio.to_thread(dbt.until_troubled, "raw_orders")
        queued = await asyncio.to_thread(dbt.control, "POST", schedule)
        last = await asyncio.to_thread(dbt.control, "POST", schedule)
        await watcher.tells({"id": queued["id"]})
        dbt.cancel(first, by="Ann")
        await asyncio.to_thread(dbt.wait, last)
    assert watcher.run_ids[0] == queued["id"]


@story
async def test_no_category_where_the_run_cannot_be_read(dbt: LocalPlatform) -> None:
    """An event without a category is better than none."""
    dbt.fault("status", status=500, path=r"/runs/\d+/$", method="GET", count=-1)
    async with watching() as watcher:
        dbt.trouble(RESET)
        dbt.trigger("nightly")
        await until(lambda: bool(watcher.told))
    assert (watcher.told[0]["status"], watcher.told[0]["category"]) == ("Error", None)


WANTED: list[tuple[Json, bool]] = [
    ({"job_ids": "nightly"}, True),
    ({"job_ids": "seeds"}, False),
    ({"statuses": ["error", "cancelled"]}, True),
    ({"statuses": ["Success"]}, False),
    ({"environment_id": "environment_id"}, True),
    ({"environment_id": 99}, False),
    ({"project_id": "project_id"}, True),
    ({"project_id": 99}, False),
]


@story
async def test_only_what_is_wanted_is_told(dbt: LocalPlatform) -> None:
    """Jobs, ends, environment and project choose: of many watchers those hear of a run who want to."""
    known = {**dbt.jobs, **dbt.get(f"jobs/{dbt.jobs['seeds']}/")}
    async with AsyncExitStack() as stack:
        watchers = []
        for wanted, _ in WANTED:
            arguments = {name: known.get(str(value), value) for name, value in wanted.items()}
            watchers.append(await stack.enter_async_context(watching(**arguments)))
        failed = await failing_run(dbt)
        await watchers[0].tells(failed)
        assert [watcher.run_ids == [failed["id"]] for watcher in watchers] == [told for _, told in WANTED]
        assert all(watcher.told == [] for watcher, (_, told) in zip(watchers, WANTED, strict=True) if not told)


@story
async def test_what_somebody_looks_after_is_not_told(dbt: LocalPlatform) -> None:
    """P5: an event for a rerun that failed, or for a run that a task of ours heals, would begin a second heal."""
    async with watching() as quiet, watching(include_reruns=True) as full:
        failed = await failing_run(dbt)
        dbt.trouble({**RESET, "times": 1})
        rerun = await asyncio.to_thread(dbt.retry, failed)
        ours = await run(dbt, cause="[dbt-rerun 0123456789abcdef] nightly")
        await full.tells(failed, rerun, ours)
        assert rerun["status"] == 20
        await quiet.tells(failed)


# --- What is remembered


@story
async def test_restart_neither_misses_nor_repeats(dbt: LocalPlatform) -> None:
    """Runs that ended while no triggerer ran have their event when one is back; no event is repeated."""
    store = Store()
    async with watching(store) as first:
        before = await run(dbt)
        await first.tells(before)
    meanwhile = [await run(dbt), await failing_run(dbt)]
    async with watching(store) as second:
        await second.tells(*meanwhile)
    async with watching(store) as third:
        await third.tells()
        await third.tells(await run(dbt))


@story
async def test_restart_before_the_first_event_misses_nothing(dbt: LocalPlatform) -> None:
    """The first start saves the cursor at once: a run that ends during the first restart has its event."""
    store = Store()
    async with watching(store):
        pass
    meanwhile = await run(dbt)
    async with watching(store) as watcher:
        await watcher.tells(meanwhile)


@story
async def test_first_start_leaves_the_past_alone(dbt: LocalPlatform) -> None:
    """A new watcher emits no events for runs that ended before its start."""
    await run(dbt)
    async with watching() as watcher:
        await watcher.tells()


@story
async def test_death_before_the_note_repeats(dbt: LocalPlatform) -> None:
    """At least once: an event that Airflow may not have stored is repeated; P2: the rerun is started once."""
    store = Store()
    async with watching(store) as first:
        failed = await failing_run(dbt)
        await until(lambda: bool(first.told))
    async with watching(store) as second:
        await second.tells(failed)
    operator = DbtCloudRerunOperator(task_id="heal", run_id=failed["id"], check_interval=0.05)
    healed = {await asyncio.to_thread(run_task, operator, TaskInstance(run_id=f"of event {n}")) for n in (1, 2)}
    assert len(healed) == 1
    assert sum(path.endswith("/retry/") for path in dbt.posts()) == 1


@story
async def test_too_old_to_be_told(dbt: LocalPlatform) -> None:
    """P5: after a long stop, runs that failed more than ``lookback`` seconds ago have no event."""
    store = Store()
    async with watching(store):
        pass
    await run(dbt)
    await asyncio.sleep(1.5)
    late = await run(dbt)
    async with watching(store, lookback=1.0) as watcher:
        await watcher.tells(late)


@story
async def test_nothing_is_told_without_knowing_what_was(dbt: LocalPlatform) -> None:
    """Airflow's database has a bad moment: the watcher waits for it, and then neither misses nor repeats."""
    store = Store()
    async with watching(store) as first:
        await first.tells(await run(dbt))
    meanwhile = await run(dbt)
    store.reading = RuntimeError("database is locked")
    async with watching(store) as second:
        await second.tells()
        store.reading = None
        await second.tells(meanwhile)


@story
async def test_goes_on_where_nothing_can_be_noted(dbt: LocalPlatform, capfd: pytest.CaptureFixture[str]) -> None:
    """Events come all the same, and a warning says what a restart will cost."""
    store = Store()
    store.writing = RuntimeError("no space")
    async with watching(store) as watcher:
        await watcher.tells(await run(dbt))
    assert "a restart may miss or repeat some: no space" in "".join(capfd.readouterr())


@story
async def test_what_is_no_cursor_is_a_first_start(dbt: LocalPlatform) -> None:
    """A stored value that is not a cursor is replaced."""
    store = Store()
    async with watching(store):
        pass
    store.values = dict.fromkeys(store.values, "nonsense")
    async with watching(store) as watcher:
        await watcher.tells(await run(dbt))
    assert "nonsense" not in store.values.values()


@pytest.fixture
def variables(mocker: MockerFixture) -> dict[str, str]:
    """What Airflow Variables there are: the triggerer's way to them is played."""
    kept: dict[str, str] = {}
    mocker.patch("airflow.sdk.Variable.get", side_effect=lambda key, *, default: kept.get(key, default))
    mocker.patch("airflow.sdk.Variable.set", side_effect=lambda key, text, **_: kept.update({key: text}))
    return kept


@needs_watchers
@pytest.mark.parametrize("assets", [0, 2])
def test_variable_remembers_where_no_asset_can(
    dbt: LocalPlatform, request: pytest.FixtureRequest, assets: int
) -> None:
    """Before Airflow 3.3, and for a trigger of several assets: the same promise, kept in an Airflow Variable."""
    store = _store_of(assets)
    variables = request.getfixturevalue("variables")

    async def test() -> None:
        async with watching(store) as first:
            await first.tells(await run(dbt))
        meanwhile = await run(dbt)
        async with watching(store) as second:
            await second.tells(meanwhile)

    asyncio.run(test())
    ((key, text),) = variables.items()
    assert key.startswith("dbt_rerun_cursor_")
    assert len(json.loads(text)["told"]) == 2


def _store_of(assets: int) -> Any:
    """Make the store that Airflow gives a trigger of so many assets; before 3.3 there is none."""
    if assets == 0:
        return NO_STORE
    accessors = pytest.importorskip("airflow.sdk.execution_time.context")
    if not hasattr(accessors, "AssetStateStoreAccessors"):
        pytest.skip("Airflow before 3.3 gives no store")
    from airflow.sdk import Asset  # noqa: PLC0415 - not there on Airflow 2

    return accessors.AssetStateStoreAccessors(inlets=[Asset(f"asset_{number}") for number in range(assets)])


@story
async def test_watchers_of_one_asset_have_cursors_of_their_own(dbt: LocalPlatform) -> None:
    """Two watchers of one asset want different runs: an event of one does not hide the run from the other."""
    store = Store()
    async with watching(store, job_ids=dbt.jobs["seeds"]), watching(store, job_ids=dbt.jobs["nightly"]):
        pass
    assert len(store.values) == 2


# --- What it costs, and what it bears


@story
async def test_watchers_of_an_account_share_one_request(dbt: LocalPlatform) -> None:
    """Ten watchers cost what one costs: a request an interval, on one connection."""
    async with AsyncExitStack() as stack, watching(statuses=["success", "error"]) as watcher:
        for number in range(1, 10):
            await stack.enter_async_context(watching(job_ids=number, statuses=["success", "error"]))
        dbt.control("DELETE", "requests")
        began = time.monotonic()
        await asyncio.sleep(10 * INTERVAL)
        asked, ticks = lists(dbt), (time.monotonic() - began) / INTERVAL
        await watcher.tells(await run(dbt))
    assert ticks / 2 <= asked <= ticks + 2


@story
async def test_outage_delays_and_loses_nothing(dbt: LocalPlatform, caplog: pytest.LogCaptureFixture) -> None:
    """Runs that ended during an outage have events afterwards, the earliest first; warnings are one a minute."""
    caplog.set_level(logging.WARNING, logger="airflow_dbt_rerun")
    async with watching() as watcher:
        dbt.fault("status", status=502, path="/runs/$", method="GET", count=5)
        first, second = await run(dbt), await run(dbt)
        await watcher.tells(first, second)
    assert len([record for record in caplog.records if "Cannot read" in record.message]) == 1


@story
async def test_throttling_pauses_all_watchers(dbt: LocalPlatform) -> None:
    """A 429 concerns the account: no watcher sends a request before the time that it names."""
    async with watching() as one, watching(statuses="error"):
        await until(lambda: lists(dbt) > 0)
        dbt.fault("status", status=429, retry_after=2, path="/runs/$", method="GET", count=1)
        await until(lambda: dbt.control("GET", "faults") == [])
        asked = lists(dbt)
        await asyncio.sleep(1)
        assert lists(dbt) == asked
        await one.tells(await run(dbt))


@story
async def test_many_ends_come_page_by_page(dbt: LocalPlatform, mocker: MockerFixture) -> None:
    """After a long stop there is more than a page of runs: all have events, in the order of their ends."""
    mocker.patch("airflow_dbt_rerun.watching.ended_runs.PAGE", 2)
    store = Store()
    async with watching(store):
        pass
    meanwhile = [await run(dbt) for _ in range(5)]
    async with watching(store) as watcher:
        await watcher.tells(*meanwhile)


@story
async def test_missing_connection_ends_nothing(
    dbt: LocalPlatform, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Airflow would restart an ended trigger each second, so it warns and waits until the connection exists."""
    async with watching(dbt_cloud_conn_id="later") as watcher:
        await until(lambda: "Cannot read" in caplog.text)
        fields = {"host": dbt.base_url, "login": str(dbt.account_id), "password": dbt.token}
        monkeypatch.setenv("AIRFLOW_CONN_LATER", json.dumps({"conn_type": "dbt_cloud", **fields}))
        await watcher.tells(await run(dbt))


# --- In a DAG


@needs_watchers
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"job_ids": ["x"]}, "job_ids must be a number"),
        ({"environment_id": "prod"}, "environment_id must be a number"),
        ({"statuses": ["failed"]}, "statuses must be among success, error, cancelled"),
        ({"statuses": []}, "statuses must be among success, error, cancelled"),
        ({"check_interval": 0}, "check_interval takes a number of seconds above zero"),
        ({"lookback": -1}, "lookback takes a number of seconds above zero"),
    ],
    ids=str,
)
def test_wrong_arguments_fail_while_the_dag_is_parsed(wrong: Json, words: str) -> None:
    """What can be known to be wrong is refused where the DAG is parsed, with the argument's name."""
    with pytest.raises(DbtConfigError, match=words):
        DbtCloudJobRunEventTrigger(**wrong)


@needs_watchers
def test_equal_watchers_are_one_trigger() -> None:
    """Airflow distinguishes triggers by their arguments: order and type of ids do not make a second one."""
    one = DbtCloudJobRunEventTrigger(job_ids=["9", 7], statuses=["Error", "success"])
    other = DbtCloudJobRunEventTrigger(job_ids=(7, 9), statuses=["success", "error"])
    assert one.serialize() == other.serialize()
    hashed: Any = DbtCloudJobRunEventTrigger.hash
    assert hashed(*one.serialize()) == hashed(*other.serialize())


def test_airflow_2_says_what_it_lacks(mocker: MockerFixture) -> None:
    """The module can be imported on any Airflow; who uses the trigger on Airflow 2 reads what is missing."""
    mocker.patch("airflow_dbt_rerun.triggers.asset_events._EventBase", None)
    with pytest.raises(DbtConfigError, match="needs Airflow 3"):
        DbtCloudJobRunEventTrigger()
