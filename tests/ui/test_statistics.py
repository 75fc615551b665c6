"""What the reports of many tasks say together."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_dbt_rerun.ui.statistics import MOST_LISTED, Heal, statistics
from tests.ui import reports

NOW = datetime(2026, 11, 30, 6, tzinfo=UTC)


def heal(report: Any, *, task: str = "build", days_ago: int = 0, run: str = "one") -> Heal:
    """Return a row of XCom as the query gives it."""
    return Heal.from_row(("shop", run, task, -1, NOW - timedelta(days=days_ago), report))


def succeeded() -> Any:
    """Return the report of a run that succeeded at once."""
    return reports.report("succeeded", "dbt run 1 succeeded", reports.attempt(1, "Success"))


def test_it_counts_what_became_of_failures() -> None:
    """Failed, healed, given up, in progress: a success at the first run is none of them."""
    told = statistics(
        [heal(each) for each in (reports.healed(), reports.gave_up(), reports.waiting(), succeeded())]
    )
    assert told["counts"] == {
        "task_runs": 4,
        "dbt_runs": 5,
        "failed": 3,
        "healed": 1,
        "person": 1,
        "in_progress": 1,
        "would": 0,
        "unreadable": 0,
    }
    assert [row["outcome"] for row in told["heals"]] == ["healed", "failed", "in progress"]
    assert told["heals"][1]["findings"][0]["message"] == reports.BROKEN["message"]


def test_it_tells_what_heals_saved() -> None:
    """20 nodes at 48 s for 5 nodes are 192 s; from the first failure on, nobody had to be there for 85.2 s."""
    told = statistics([heal(reports.healed()), heal(reports.gave_up())])
    assert told["saved"] == {"nodes": 20, "seconds": 192.0, "unattended_seconds": 85.2}


def test_the_estimate_is_at_most_the_first_run() -> None:
    """A rerun from start would have taken as long as the first run did, so no more than that was saved."""
    report = reports.healed()
    report["attempts"][1]["nodes_saved"] = 10_000
    assert statistics([heal(report)])["saved"]["seconds"] == 312.0


def test_a_job_that_is_healed_every_night_is_broken() -> None:
    """Three days, and half of all days: fewer are chance."""
    nights = [heal(reports.healed(), days_ago=day, run=str(day)) for day in range(3)]
    others = [heal(succeeded(), days_ago=day, run=str(day)) for day in range(3, 7)]
    assert statistics([*nights, *others[:3]])["tasks"][0]["is_chronic"] is True
    assert statistics([*nights, *others])["tasks"][0]["is_chronic"] is False
    assert statistics(nights[:2])["tasks"][0]["is_chronic"] is False


def test_tasks_and_signatures_come_in_order_of_failures() -> None:
    """What stops most is first; an error counts once a run, however many nodes have it."""
    rows = [heal(reports.gave_up(), run=str(n)) for n in range(2)] + [heal(reports.healed(), task="other")]
    rows[0].report["attempts"][0]["findings"].append(reports.BROKEN)
    told = statistics(rows)
    assert [(task["task_id"], task["failed"], task["jobs"]) for task in told["tasks"]] == [
        ("build", 2, [{"id": 48617, "name": "nightly"}]),
        ("other", 1, [{"id": 48617, "name": "nightly"}]),
    ]
    assert [
        (each["signature"], each["category"], each["task_runs"], each["tasks"]) for each in told["signatures"]
    ] == [
        (None, "code", 2, 1),
        ("connection reset", "transient", 1, 1),
    ]


def test_the_list_is_bounded() -> None:
    """A page stays a page."""
    report = reports.gave_up()
    told = statistics([heal(report, run=str(n)) for n in range(MOST_LISTED + 5)])
    assert (len(told["heals"]), told["heals_left"]) == (MOST_LISTED, 5)


def test_what_is_no_report_is_counted_apart() -> None:
    """A custom XCom backend stores references; another version, or another program, may have pushed anything."""
    old = {**reports.healed(), "version": 3}
    del old["job_id"], old["policy"], old["now"]
    rows: list[Any] = [
        "s3://bucket/key",
        None,
        7,
        [],
        {},
        {"outcome": "healed", "attempts": [None, "x"]},
        json.dumps(old),
    ]
    told = statistics([heal(row) for row in rows])
    assert told["counts"]["unreadable"] == 5
    assert told["counts"]["healed"] == 2


def test_what_was_held_back_is_counted() -> None:
    """A week of shadow mode is told by the page of heals."""
    held = {"outcome": "failed", "attempts": [{"verdict": "transient", "would": "rerun_from_failure"}]}
    asked = {"outcome": "failed", "attempts": [{"verdict": "code", "would": "ask"}]}
    heals = [Heal("shop", "run", "build", -1, datetime(2026, 11, 30, tzinfo=UTC), each) for each in (held, asked)]
    assert statistics(heals)["counts"]["would"] == 1


def test_what_a_person_decided_did_not_heal_itself() -> None:
    """A button or an answer is a person's work, and its waiting time was not without anybody."""
    report = reports.healed()
    report["attempts"][0]["by_person"] = True
    told = statistics([heal(report), heal(reports.healed())])
    assert (told["counts"]["healed"], told["counts"]["person"]) == (1, 1)
    assert told["saved"] == statistics([heal(reports.healed())])["saved"]


def test_each_failed_node_is_listed() -> None:
    """The row holds all nodes of the newest failure that the report names, and how many there were."""
    report = reports.gave_up()
    report["attempts"][0].update(findings=[reports.BROKEN, reports.LOST], found=30)
    (row,) = statistics([heal(report)])["heals"]
    assert [each["subject"] for each in row["findings"]] == ["model.shop.daily_revenue", "model.shop.stg_orders"]
    assert (row["found"], row["job_id"], row["job_name"]) == (30, 48617, "nightly")


def test_a_job_is_named_as_it_is_called_now() -> None:
    """A job may be renamed, and older reports have no name."""
    new, old = reports.gave_up(), reports.gave_up()
    new["job_name"], old["job_name"] = "nightly build", None
    (task,) = statistics([heal(new), heal(old, run="two")])["tasks"]
    assert task["jobs"] == [{"id": 48617, "name": "nightly build"}]
