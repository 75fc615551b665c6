"""The example DAGs, as Airflow's DAG processor meets them."""

from __future__ import annotations

import runpy
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest
from airflow.providers.common.compat.sdk import DAG
from pytest_mock import MockerFixture

from airflow_dbt_rerun.healing import HealingOperator

EXAMPLES = sorted((Path(__file__).parents[1] / "example_dags").glob("*.py"))


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
