"""The memory of a deferred task: what an event and a session may say, and what is never acted upon."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_dbt_rerun import DbtCloudJobOperator
from airflow_dbt_rerun.exceptions import DbtRunUnwatchable
from airflow_dbt_rerun.triggers import DbtCloudRunTrigger
from tests.border import TaskInstance, first_event, fresh_copy
from tests.support import Json, LocalPlatform

RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
HANGS = {"node": "orders", "times": 1, "seconds": 60}
JOBS = {"ours": "dbt build --select +orders", "theirs": "dbt build --select +orders"}
pytestmark = pytest.mark.usefixtures("connected")


def renamed(session: Json, run_id: int) -> Json:
    """A session whose newest attempt is about another run."""
    return {**session, "attempts": [*session["attempts"][:-1], {**session["attempts"][-1], "run_id": run_id}]}


TAMPERED: dict[str, Callable[[Json, int], Json]] = {
    "event": lambda event, stranger: {**event, "run_id": stranger},
    "session": lambda event, stranger: {**event, "session": renamed(event["session"], stranger)},
    "both": lambda event, stranger: {
        **event,
        "run_id": stranger,
        "session": renamed(event["session"], stranger),
    },
    "no attempts": lambda event, _: {**event, "session": {**event["session"], "attempts": None}},
    "no session": lambda event, _: {**event, "session": None},
}


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
def test_memory_that_names_a_run_of_another_job_is_not_acted_upon(
    simulated: LocalPlatform, instance: TaskInstance, tamper: Callable[[Json, int], Json]
) -> None:
    """P3, P9: a stranger's failed run is neither rerun nor cancelled nor believed, whatever the event says."""
    simulated.trouble(RESET)
    stranger = simulated.run("theirs")["id"]
    simulated.control("DELETE", "requests")
    operator = DbtCloudJobOperator(task_id="t", job_id=simulated.jobs["ours"], deferrable=True, poll_tolerance=0.1)
    with pytest.raises(TaskDeferred) as deferred:
        operator.execute({"ti": instance})  # type: ignore[typeddict-item]
    event = tamper(asyncio.run(first_event(deferred.value.trigger)), stranger)
    with suppress(TaskDeferred, DbtRunUnwatchable):
        fresh_copy(operator).execute_complete({"ti": instance}, event)  # type: ignore[typeddict-item]
    assert simulated.posts() == [f"/api/v2/accounts/{simulated.account_id}/jobs/{simulated.jobs['ours']}/run/"]


def test_trigger_cancels_no_run_of_another_job(simulated: LocalPlatform) -> None:
    """P9: its memory says which job the task is about."""
    simulated.trouble(HANGS)
    run = simulated.trigger("theirs")
    simulated.until_troubled("orders")
    session = {"job": simulated.jobs["ours"]}
    trigger = DbtCloudRunTrigger(
        dbt_cloud_conn_id="dbt_cloud_default", run_id=run["id"], session=session, cancel_on_kill=True
    )
    asyncio.run(trigger.on_kill())
    assert simulated.get(f"runs/{run['id']}/")["status"] == 3
    simulated.cancel(run)
