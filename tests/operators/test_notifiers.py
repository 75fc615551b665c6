"""Callbacks and notifiers: each message is its own, and each end of a heal has one."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import BaseNotifier
from tenacity import stop_after_attempt, wait_none

from airflow_dbt_rerun import DbtCloudJobOperator, DbtRunFailed, RerunPolicy
from tests.border import TaskInstance, run_task
from tests.support import LocalPlatform

pytestmark = pytest.mark.usefixtures("connected")

RESET = {"node": "orders", "times": 2, "message": "Connection reset by peer"}
BUG = {"node": "orders", "times": 1, "message": 'syntax error at or near "selec"'}
THREE = RerunPolicy(stop=stop_after_attempt(3), wait=wait_none())
TEXT = "{{ dbt_rerun.event }} {{ dbt_rerun.attempt }} of {{ dbt_rerun.of_run }}: {{ dbt_rerun.headline }}"
HEADLINE = "model orders: Invalid Input Error: "


class Pager(BaseNotifier):
    """A notifier as providers write them: a template, rendered on the object itself."""

    template_fields = ("text",)
    sent: list[str] = []  # noqa: RUF012 - one box for all copies

    def __init__(self, text: str = TEXT) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:  # noqa: ARG002 - the text is rendered already
        """Keep the message."""
        self.sent.append(self.text)


@pytest.fixture
def sent() -> list[str]:
    """An empty box."""
    Pager.sent.clear()
    return Pager.sent


def task(platform: LocalPlatform, **arguments: Any) -> DbtCloudJobOperator:
    """A job that is rerun at most twice."""
    job = platform.jobs["nightly"]
    return DbtCloudJobOperator(task_id="build", job_id=job, policy=THREE, check_interval=0.05, **arguments)


def test_each_rerun_has_a_message_of_its_own(
    simulated: LocalPlatform, instance: TaskInstance, sent: list[str]
) -> None:
    """A notifier renders its fields for good, so the second message was the first once more."""
    simulated.trouble(RESET)
    pager = Pager()
    last = run_task(task(simulated, on_rerun=pager), instance)
    assert [text.split(":")[0] for text in sent] == [f"rerun 2 of {last - 2}", f"rerun 3 of {last - 1}"]
    assert pager.text == TEXT


def test_heal_is_announced(simulated: LocalPlatform, instance: TaskInstance, sent: list[str]) -> None:
    """With what had failed at first; a task that needed no rerun says nothing."""
    ends = {"on_healed": Pager(), "on_gave_up": Pager()}
    run_task(task(simulated, **ends), TaskInstance(dag_id=f"{instance.dag_id} first"))
    assert sent == []
    simulated.trouble({**RESET, "times": 1})
    last = run_task(task(simulated, **ends), instance)
    what = "Connection reset by peer (transient, connection reset; models/marts/orders.sql)"
    assert sent == [f"healed 2 of {last - 1}: {HEADLINE}{what}"]


def test_end_without_a_heal_is_announced(simulated: LocalPlatform, instance: TaskInstance, sent: list[str]) -> None:
    """Once, with the failure that decided."""
    simulated.trouble(BUG)
    with pytest.raises(DbtRunFailed):
        run_task(
            task(simulated, on_healed=Pager(), on_gave_up=[Pager(), Pager("{{ dbt_rerun.reason }}")]), instance
        )
    assert sent[0].startswith("gave_up 1 of ")
    assert HEADLINE in sent[0]
    assert sent[1].startswith("no rule covers")


def test_callback_that_raises_changes_nothing(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """A full mailbox must not turn a healed task red."""

    def fail(context: Any) -> None:
        raise OSError(f"no route to {context['dbt_rerun']['event']}")

    simulated.trouble({**RESET, "times": 1})
    run_task(task(simulated, on_rerun=fail, on_healed=fail), instance)
    assert instance.xcom("dbt_rerun_report")["outcome"] == "healed"
