"""The example DAGs, as Airflow's DAG processor meets them."""

from __future__ import annotations

import runpy
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from airflow.providers.common.compat.sdk import DAG, AirflowFailException
from pytest_mock import MockerFixture

from airflow_dbt_rerun.operators.base import HealingOperator
from tests.system.airflow_stack import AIRFLOW_2

NEED_AIRFLOW_3 = {"dbt_rerun_ask", "dbt_rerun_on_event"}
FOUND = sorted((Path(__file__).parents[1] / "example_dags").glob("*.py"))
EXAMPLES = [path for path in FOUND if not (AIRFLOW_2 and path.stem in NEED_AIRFLOW_3)]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_parses_without_network_or_connection(path: Path, mocker: MockerFixture) -> None:
    """Each example parses with no connection defined and no network, and its DAG is named after its file."""

    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("a DAG must not open a connection while it is parsed")

    mocker.patch.object(socket.socket, "connect", refuse)
    (dag,) = {value for value in runpy.run_path(str(path)).values() if isinstance(value, DAG)}
    assert dag.dag_id == path.stem
    assert dag.doc_md
    assert any(issubclass(getattr(task, "operator_class", type(task)), HealingOperator) for task in dag.tasks)


@pytest.mark.parametrize("installed", [True, False])
def test_notifying_example_needs_no_provider_to_parse(mocker: MockerFixture, *, installed: bool) -> None:
    """Where Slack's or PagerDuty's provider is missing the DAG is read, without callbacks."""
    notifiers = ["slack.notifications.slack_webhook", "pagerduty.notifications.pagerduty"]
    for name in notifiers:
        if installed:
            pytest.importorskip(f"airflow.providers.{name}")
    if not installed:
        mocker.patch.dict(sys.modules, {f"airflow.providers.{name}": None for name in notifiers})
    dag = runpy.run_path(str(next(path for path in EXAMPLES if path.stem == "dbt_rerun_notify")))["dag"]
    task = dag.get_task("nightly")
    for name in ("on_rerun", "on_question", "on_healed", "on_gave_up", "on_success_callback"):
        assert bool(getattr(task, name)) == installed


@pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no asset watchers")
def test_event_example_heals_each_run_that_may_pass_once() -> None:
    """One DAG run may have many events: each run once, and none whose failure a rerun cannot heal."""
    path = next(path for path in EXAMPLES if path.stem == "dbt_rerun_on_event")
    dag = runpy.run_path(str(path))["dag"]
    told = [(3, "transient"), (2, None), (5, "code"), (3, "transient"), (4, "unknown"), (6, "test_failed")]
    events = [SimpleNamespace(extra={"payload": {"run_id": run, "category": why}}) for run, why in told]
    choose = dag.get_task("failed_runs").python_callable
    assert choose({"one asset": events[:3], "another": events[3:]}) == [2, 3, 4]
    assert choose(None) == []


@pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no asset watchers")
def test_event_example_does_not_end_green_in_silence() -> None:
    """What no rerun heals fails a task that names the run and its page; Airflow then calls whom it always calls."""
    path = next(path for path in EXAMPLES if path.stem == "dbt_rerun_on_event")
    check = runpy.run_path(str(path))["dag"].get_task("left_to_people").python_callable
    told = {"job_name": "nightly", "url": "https://dbt.example/runs/5/"}
    passing, broken = (
        {"payload": {**told, "run_id": n, "category": c}} for n, c in ((4, "transient"), (5, "code"))
    )
    assert check({"one asset": [SimpleNamespace(extra=passing)]}) is None
    with pytest.raises(AirflowFailException, match=r"nightly, run 5 \(code\): https://dbt.example/runs/5/"):
        check({"one asset": [SimpleNamespace(extra=passing), SimpleNamespace(extra=broken)]})
