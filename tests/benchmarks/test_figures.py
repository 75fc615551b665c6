"""The benchmarks count rightly. What they measure is printed by ``make bench``."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import math
import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.core.signatures import all_signatures
from benchmarks import _watch_client, _watch_server, accuracy, diagnosis, growth, heal, watch
from benchmarks._hostile import _way, example, units

SAMPLES: list[dict[str, Any]] = [
    {
        "id": "a",
        "adapter": "postgres",
        "node_status": "error",
        "message": "deadlock detected",
        "category": "transient",
    },
    {"id": "b", "adapter": "postgres", "node_status": "error", "message": "deadlock detected", "category": "code"},
    {"id": "c", "adapter": None, "node_status": "error", "message": "nobody knows", "category": "access"},
    {"id": "d", "adapter": None, "node_status": "fail", "message": "Got 1 result", "category": "test_failed"},
]


def test_accuracy_is_counted_as_the_issue_asks() -> None:
    """Exact, healable or not, and permanent errors called healable: the last is what may never happen."""
    exact, heal, false_heals = accuracy.figures(accuracy.judged(SAMPLES, adapter_known=True))
    assert (exact, heal, false_heals) == (0.5, 0.75, 1)


def test_each_corpus_is_printed_for_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its origin, its confusion table, a line for each adapter, and on demand each miss."""
    file = tmp_path / "more.jsonl"
    file.write_text("\n".join(map(json.dumps, SAMPLES)), encoding="utf-8")
    accuracy.main([str(file), "--misses"])
    shown = capsys.readouterr().out
    assert "messages.jsonl: " in shown
    assert "the patterns were tuned on these" in shown
    _, mine = shown.split("more.jsonl: 4 messages")
    assert re.search(r"^code +\| +1 ", mine, re.MULTILINE)
    assert re.search(r"^postgres +2 +50.0% / 50.0% ", mine, re.MULTILINE)
    assert "1 / 1 of 3 (33.3% / 33.3%)" in mine
    assert "FALSE HEAL b: code, said transient: deadlock detected" in mine


def test_hostile_texts_are_made_from_the_pattern() -> None:
    """They hold its beginning, all but its end, and long runs of what it repeats."""
    found = list(units(r"\brelation \S+ (?:does not|cannot) exist"))
    assert "relation a does not exis" in found
    assert "relation a cannot exis" in found
    assert f"relation {'a' * 60}" in found


def test_examples_fit_their_patterns() -> None:
    """Most patterns are understood well enough to write a text that they match; lookarounds are not."""
    patterns = [one.pattern for one in all_signatures()]
    trees = [list(_way(re._parser.parse(pattern), 0)) for pattern in patterns]  # type: ignore[attr-defined]
    fit = sum(one.found_in(example(tree)) for one, tree in zip(all_signatures(), trees, strict=True))
    assert fit > 0.8 * len(patterns)


def test_a_diagnosis_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    """Seconds in all and for the tables, MB and the number of findings come back."""
    file = tmp_path / "step.log"
    file.write_text(f"Completed with 1 error:\n\n{diagnosis.message(0)}\n", encoding="utf-8")
    seconds, tables, megabytes, findings = diagnosis.in_a_process_of_its_own(file)
    assert (seconds > tables > 0, megabytes >= 0, findings) == (True, True, 1)


def test_a_skipped_node_costs_nothing() -> None:
    """A failed node was executed, and counts; what was skipped because of it was not."""
    statuses = {"success": 1.0, "pass": 0.25, "error": 0.5, "skipped": 4.0}
    cost = heal.Cost.of({"status": status, "execution_time": seconds} for status, seconds in statuses.items())
    assert cost == heal.Cost(3, 1.75)


COSTS = [(24, 9.0), (15, 3.0), (10, 2.0), (15, 4.0), (10, 2.0), (15, 3.0), (24, 7.0)]
"""Of yesterday's run, and of the two runs of each way."""

AS_INTENDED = heal.Past(
    ("Success", *("Error", "Success") * 3),
    tuple(heal.Cost(nodes, seconds) for nodes, seconds in COSTS),
    ("jobs/run", "jobs/run", "runs/retry", "jobs/run", "jobs/rerun", "jobs/run", "jobs/run"),
)


def test_a_heal_is_compared_with_ours() -> None:
    """Of the second run and of both together: nodes and seconds, each with its ratio to the first way's."""
    heal.check(AS_INTENDED)
    _, _, *lines = heal.table(AS_INTENDED)
    numbers = [re.findall(r"[\d.]+", line.rpartition("  ")[0]) for line in lines]
    assert numbers == [
        ["10", "1.00", "2.00", "1.00", "25", "1.00", "5.00", "1.00"],
        ["10", "1.00", "2.00", "1.00", "25", "1.00", "6.00", "1.20"],
        ["24", "2.40", "7.00", "3.50", "39", "1.56", "10.00", "2.00"],
    ]


@pytest.mark.parametrize(
    "otherwise",
    [
        replace(AS_INTENDED, statuses=(*AS_INTENDED.statuses[:-1], "Error")),
        replace(AS_INTENDED, posts=(*AS_INTENDED.posts, "jobs/run")),
    ],
    ids=["red", "one POST more"],
)
def test_other_runs_than_intended_are_not_compared(otherwise: heal.Past) -> None:
    """A way that ends red, or posts once more, would give its figures to another."""
    with pytest.raises(SystemExit, match="and not"):
        heal.check(otherwise)


@pytest.mark.dbt
@pytest.mark.nightly  # forty seconds of a processor, and `make bench` itself refuses runs that are not as intended
def test_the_mart_fails_once_for_each_way_and_each_run_is_counted_for_itself(tmp_path: Path) -> None:
    """On real dbt, with slow marts and quick views: a clean run, one that fails, and its rerun."""
    with heal.platform(tmp_path, milliseconds=7) as there:
        there.trouble(*heal.every_other_time())
        there.run(heal.JOB)
        there.retry(there.run(heal.JOB))
        found = heal.past(there)
    assert found.statuses == AS_INTENDED.statuses[:3]
    assert [cost.nodes for cost in found.costs] == [nodes for nodes, _ in COSTS[:3]]
    assert found.posts == AS_INTENDED.posts[:3]
    models = tmp_path / "project" / "models"
    slow = {model.parent.name for model in models.glob("*/*.sql") if "sleep_ms(7)" in model.read_text()}
    assert slow == {"marts"}


def test_each_way_is_gone_as_its_users_go_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours heals within its try; the official operator has Airflow retry it once, with and without its flag."""
    monkeypatch.setenv("JOB_ID", "48617")
    dag = importlib.import_module("benchmarks.dags.three_ways").dag
    found = [
        (task.task_id, task.retries, getattr(task, "retry_from_failure", None)) for task in dag.topological_sort()
    ]
    assert found == [("ours", 0, None), ("official_retry", 1, True), ("official_from_start", 1, False)]
    assert dag.dag_id == heal.DAG_ID


def figures(**differently: Any) -> watch.Figures:
    """Give what it cost to watch a thousand runs, if all is well."""
    usual = watch.Figures(
        requests=50,
        due=50,
        connections=2,
        bytes=9_000_000,
        cpu=0.09,
        memory=7.0,
        delays=tuple(number / 200 for number in range(1000)),
        missed=0,
        stalls=((0.02, 0.0), (0.12, 0.05)),
        idle_collection=0.04,
    )
    return replace(usual, **differently)


def test_what_was_heard_is_read_as_delays() -> None:
    """From each run's own end; a run whose end was not told has no delay, and is counted as missed."""
    ends = [_watch_server.end_of(number, 35.0) for number in range(4)]
    told = {"requests": 9, "connections": 1, "bytes": 10, "cpu": 0.5, "memory": 1.0, "idle_collection": 0.1}
    moments = [ends[0] + 2, ends[1] + 1, None, ends[3] + 4]
    found = watch.Figures.of(
        {**told, "moments": moments, "stalls": [[0.05, 0.0], [0.11, 0.02], [0.3, 0.1]]}, 35.0, 5.0
    )
    assert [round(delay, 6) for delay in found.delays] == [1, 2, 4]
    assert found.missed == 1
    assert found.due == sum(1 + math.ceil(end / 5) for end in ends)
    assert [(max(held), watch.warnings(held)) for held in (found.held(), found.held(by_triggers=True))] == [
        (0.3, 2),
        (pytest.approx(0.2), 1),
    ]
    assert [round(found.delay(part), 6) for part in (0.0, 0.5, 1)] == [1, 2, 4]


def test_runs_end_at_spread_moments() -> None:
    """Evenly, whatever their number, and neighbours not together."""
    for count in (1, 100, 5000):
        moments = sorted(_watch_server.end_of(number, 35.0) for number in range(count))
        gaps = [after - before for before, after in zip([0.0, *moments], [*moments, 35.0], strict=True)]
        assert max(gaps) < 3 * 35 / (count + 1)
    assert abs(_watch_server.end_of(1, 35.0) - _watch_server.end_of(2, 35.0)) > 5


@pytest.mark.parametrize(
    ("differently", "missed"),
    [
        ({}, []),
        ({"requests": 51}, ["requests"]),
        ({"connections": 5}, ["connections"]),
        ({"cpu": 0.6}, ["CPU seconds"]),
        ({"memory": 76.0}, ["memory growth, MB"]),
        ({"delays": (6.5,)}, ["p99"]),
        ({"stalls": ((0.15, 0.04),), "missed": 1}, ["but for garbage collection", "ends not told"]),
    ],
)
def test_ours_is_held_against_the_aims_for_many(differently: dict[str, Any], missed: list[str]) -> None:
    """An aim is of the official trigger's figure, or a limit by itself; a miss is said."""
    official = figures(requests=3000, due=3000, connections=3000, cpu=6.0, memory=300.0)
    lines = list(watch.table(1000, {"official": official, "ours": figures(**differently)}))
    assert [re.split(r"  +", line.strip())[0] for line in lines if line.endswith("MISSED")] == missed
    assert "(1/" in lines[2]


def test_ours_is_held_against_the_least_that_it_could_take() -> None:
    """A thousand runs of 35 s, polled every 5 s: seven polls, a request for each hundred ends, each run once."""
    limit = watch.least(1000)
    good, dear = (
        list(watch.beside_limit(1000, figures(requests=requests, bytes=int(limit["bytes"] * part))))
        for requests, part in ((25, 1.2), (26, 1.4))
    )
    assert limit["requests"] == 17
    assert not any("MISSED" in line for line in good)
    assert all(line.endswith("MISSED") for line in dear)


def test_several_times_are_summed_up() -> None:
    """The figures are of one and the same time, that with the middle CPU seconds; the memory is the most of all."""
    times = [figures(memory=grown, cpu=cpu) for grown, cpu in ((24.0, 3.0), (170.0, 1.0), (77.0, 2.0))]
    assert watch.summed_up(times) == replace(times[2], memory=170.0)
    assert watch.summed_up(times[:1]) == times[0]


def test_who_cannot_keep_up_saves_nothing() -> None:
    """Else the official trigger would seem to get by with fewer requests: the aim is of those that are due."""
    in_time, late = (
        list(watch.table(1000, {"official": figures(requests=sent, due=3000), "ours": figures()}))
        for sent in (3000, 1500)
    )
    assert in_time[-1].startswith("ends not told")
    assert late[-1].startswith("the official trigger did not keep its interval: 1,500 requests where 3,000 are due")
    assert [("(1/30)" in lines[1], "MISSED" in lines[1]) for lines in (in_time, late)] == [
        (False, False),
        (True, False),
    ]
    dearer = watch.table(1000, {"official": figures(requests=1500, due=3000), "ours": figures(requests=51)})
    assert "MISSED" in list(dearer)[1]


def test_one_run_may_cost_as_much_as_the_official_trigger() -> None:
    """Few runs have other aims than many: no saving, but no loss either."""
    assert not [line for line in watch.table(1, {"official": figures(), "ours": figures()}) if "MISSED" in line]
    dearer = watch.table(1, {"official": figures(), "ours": figures(requests=51, connections=3, cpu=0.26)})
    assert [line.split()[0] for line in dearer if "MISSED" in line] == ["requests", "connections", "CPU"]


@pytest.mark.parametrize(
    ("kind", "options", "by_list"),
    [
        ("ours", (), True),
        ("ours", ("--ignores-pk-in",), True),
        pytest.param("official", (), False, marks=pytest.mark.nightly),
    ],
    ids=["ours", "ours without pk__in", "official"],
)
def test_each_trigger_hears_of_every_end(
    kind: str, options: tuple[str, ...], tmp_path: Path, *, by_list: bool
) -> None:
    """A dozen runs over a second, over TLS, each kind in a process of its own: what is counted is what was done."""
    found = watch.measure(kind, 12, tmp_path, *options, seconds=1.0, interval=0.3)
    assert (found.missed, len(found.delays)) == (0, 12)
    assert min(found.delays) > 0
    assert (found.requests < 12) is by_list
    assert found.connections == found.requests if kind == "official" else found.connections <= 4
    assert found.bytes > found.requests * 2000
    assert found.cpu > 0


def test_the_watchdog_notices_a_loop_that_is_held_up() -> None:
    """It tells by how much its sleep was too long, as the triggerer's does."""

    async def hold_up() -> list[_watch_client.Stall]:
        stalls: list[_watch_client.Stall] = []
        watchdog = asyncio.create_task(_watch_client.watch_loop(stalls))
        await asyncio.sleep(0)
        time.sleep(0.3)  # noqa: ASYNC251 - what a bad trigger does
        await asyncio.sleep(0.15)
        watchdog.cancel()
        return stalls

    held, collecting = max(asyncio.run(hold_up()))
    assert held - collecting > 0.15


def test_what_the_garbage_collector_takes_is_counted_apart() -> None:
    """A trigger does not choose when Python collects, nor how much a triggerer has imported."""

    async def collect() -> list[_watch_client.Stall]:
        stalls: list[_watch_client.Stall] = []
        watchdog = asyncio.create_task(_watch_client.watch_loop(stalls))
        await asyncio.sleep(0)
        while not stalls:
            gc.collect()
            await asyncio.sleep(0.01)
        watchdog.cancel()
        return stalls

    count = len(gc.callbacks)
    assert asyncio.run(collect())[0][1] > 0
    assert len(gc.callbacks) == count


def test_a_run_of_the_benchmark_is_as_large_as_a_recorded_one() -> None:
    """2 to 3 KB, in every list and alone; before the beginning all runs are over, and afterwards none yet."""
    platform = _watch_server.Platform(3, 35.0)
    path = f"/api/v2/accounts/{_watch_server.ACCOUNT}/runs/"
    assert {run["status"] for run in json.loads(platform.answer(path))["data"]} == {10}
    platform.begin()
    listed = json.loads(platform.answer(f"{path}?pk__in=[{_watch_server.FIRST_RUN}]&limit=100&offset=0"))
    alone = platform.answer(f"{path}{_watch_server.FIRST_RUN}/")
    assert listed["data"] == [json.loads(alone)["data"]]
    assert listed["data"][0]["status"] == 3
    assert listed["data"][0]["id"] == _watch_server.FIRST_RUN
    assert 2000 < len(alone) < 3000


def test_the_picture_shows_each_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PNG with both kinds, also where a cost was nothing."""
    pytest.importorskip("matplotlib", reason="make setup installs it")
    monkeypatch.setattr(watch, "PICTURE", tmp_path / "watching.png")
    monkeypatch.setattr(watch, "ROOT", tmp_path)
    watch.draw({count: {"official": figures(memory=0.0), "ours": figures()} for count in (1, 100)})
    assert (tmp_path / "watching.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["aliases", "brackets", "exponential", "silent_nodes"])
def test_the_growth_of_an_input_is_measured(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line of JSON: seconds and MB, neither below zero."""
    growth.measure(name)
    seconds, megabytes = json.loads(capsys.readouterr().out)
    assert seconds >= 0
    assert megabytes >= 0
