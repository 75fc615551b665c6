"""The bundled project builds, and its failures on demand work as its README describes."""

from __future__ import annotations

import os
import socket
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from airflow_dbt_rerun.local.dbt.runner import DbtRunner, find_dbt
from tests.local.conftest import WithDbt
from tests.local.shop import Shop

pytestmark = pytest.mark.dbt


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Return a separate project for each test."""
    return Shop(tmp_path)


class Dbt(Protocol):
    """Runs commands in a shop in turn and returns their exit codes."""

    def __call__(self, shop: Shop, *commands: str) -> list[int]: ...  # noqa: D102


@pytest.fixture
def dbt(with_dbt: WithDbt) -> Dbt:
    """Run commands given as a user would type them."""

    def run(shop: Shop, *commands: str) -> list[int]:
        async def work(runner: DbtRunner) -> list[int]:
            return [await shop.dbt(runner, *command.split()) for command in commands]

        return with_dbt(work)

    return run


def test_plain_dbt_build_works_without_any_variable(shop: Shop) -> None:
    """A copy of the project builds without setup and writes below its own directory only."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("DBT_")}
    subprocess.run([find_dbt(), "build"], cwd=shop.project, env=env, check=True, capture_output=True)
    assert Counter(shop.statuses().values()) == {"success": 12, "pass": 13}
    assert (shop.project / "warehouse.duckdb").exists()


@pytest.mark.nightly
def test_node_fails_as_often_as_requested_and_heals_through_retry(dbt: Dbt, shop: Shop) -> None:
    """With two failures requested, build and the first retry fail with DuckDB's error; the second retry heals."""
    shop.trouble({"node": "orders", "times": 2, "message": "Connection reset by peer"})
    assert dbt(shop, "build", "retry") == [1, 1]
    assert shop.results()["orders"]["message"] == (
        "Runtime Error in model orders (models/marts/orders.sql)\n  Invalid Input Error: Connection reset by peer"
    )
    assert shop.statuses()["customers"] == "skipped"
    assert dbt(shop, "retry", "build") == [0, 0]


@pytest.mark.nightly
def test_retry_runs_only_the_failed_and_the_skipped_nodes(dbt: Dbt, shop: Shop) -> None:
    """Nodes that succeeded before do not run again."""
    shop.trouble({"node": "customers", "message": "Connection reset by peer"})
    assert dbt(shop, "build") == [1]
    unfinished = {name for name, status in shop.statuses().items() if status in {"error", "skipped"}}
    assert dbt(shop, "retry") == [0]
    assert set(shop.statuses()) == unfinished
    assert unfinished == {
        "customers",
        "top_customers",
        "unique_customers_customer_id",
        "not_null_customers_customer_id",
    }


@pytest.mark.nightly
def test_minus_one_fails_every_time(dbt: Dbt, shop: Shop) -> None:
    """A permanent failure does not heal by retries."""
    shop.trouble({"node": "orders", "times": -1, "message": "no"})
    assert dbt(shop, "build", "retry", "retry") == [1, 1, 1]


@pytest.mark.nightly
def test_every_kind_of_node_can_be_made_to_fail(dbt: Dbt, shop: Shop) -> None:
    """Seed, model, snapshot, data test and unit test: each fails with the requested text when it runs."""
    nodes = {
        "raw_payments": "error",
        "orders_snapshot": "error",
        "not_null_orders_order_id": "error",
        "payments_add_up_by_method": "error",
        "stg_customers": "error",
    }
    shop.trouble(*({"node": node, "message": f"it's {node}"} for node in nodes))
    assert dbt(shop, "seed", "seed") == [1, 0], "once is the default"
    assert dbt(shop, "run", "run", "build") == [1, 0, 1]
    output = shop.text
    for node in nodes:
        assert f"Invalid Input Error: it's {node}" in output


@pytest.mark.nightly
def test_data_test_finds_the_requested_number_of_rows(dbt: Dbt, shop: Shop) -> None:
    """A failing test has the status ``fail``, not ``error``, and heals as well."""
    shop.trouble({"node": "unique_orders_order_id", "times": 1, "failures": 3})
    assert dbt(shop, "build") == [1]
    result = shop.results()["unique_orders_order_id"]
    assert (result["status"], result["failures"]) == ("fail", 3)
    assert dbt(shop, "retry") == [0]


@pytest.mark.nightly
def test_troubles_of_two_nodes_are_counted_separately(dbt: Dbt, shop: Shop) -> None:
    """Each node has its own count."""
    shop.trouble(
        {"node": "daily_revenue", "times": 1, "message": "one"},
        {"node": "customers", "times": 2, "message": "two"},
    )
    assert dbt(shop, "build") == [1]
    assert (shop.statuses()["daily_revenue"], shop.statuses()["customers"]) == ("error", "error")
    assert dbt(shop, "retry") == [1]
    assert (shop.statuses()["daily_revenue"], shop.statuses()["customers"]) == ("success", "error")
    assert dbt(shop, "retry") == [0]


@pytest.mark.nightly
def test_entries_of_one_node_apply_in_turn(dbt: Dbt, shop: Shop) -> None:
    """A connection is reset twice, then the code is wrong, then the node heals."""
    shop.trouble(
        {"node": "orders", "times": 2, "message": "Connection reset by peer"},
        {"node": "orders", "times": 3, "message": "no such column"},
    )
    shop_runs = ["seed", *["run --select stg_orders stg_payments orders"] * 4]
    assert dbt(shop, *shop_runs) == [0, 1, 1, 1, 0]
    assert shop.text.count("  Invalid Input Error: Connection reset by peer") == 2
    assert shop.text.count("  Invalid Input Error: no such column") == 1


@pytest.mark.nightly
def test_two_copies_can_share_failures_and_warehouse(dbt: Dbt, tmp_path: Path) -> None:
    """A platform that copies the project for each run has one warehouse and one count for all copies."""
    first, second = Shop(tmp_path / "first"), Shop(tmp_path / "second")
    second.state, second.warehouse = first.state, first.warehouse
    first.trouble({"node": "orders", "times": 1, "message": "once"})
    assert dbt(first, "build") == [1]
    assert dbt(second, "run --select orders") == [0]


@pytest.mark.nightly
def test_freshness_and_docs_work(dbt: Dbt, shop: Shop) -> None:
    """The project has a source, so that both checkboxes of a job have an effect."""
    assert dbt(shop, "seed", "source freshness", "docs generate") == [0, 0, 0]
    assert (shop.project / "target" / "sources.json").exists()
    assert (shop.project / "target" / "catalog.json").exists()


@pytest.fixture
def postgres_schema(dbt: Dbt, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return a separate schema on this machine's PostgreSQL, dropped at the end."""
    with socket.socket() as server:
        if server.connect_ex(("127.0.0.1", 5432)) != 0:
            pytest.skip("no PostgreSQL server on 127.0.0.1:5432")
    schema = f"corner_shop_{uuid.uuid4().hex}"
    monkeypatch.setenv("DBT_LOCAL_SCHEMA", schema)
    drop = "{% macro drop_all() %}{% do run_query('drop schema ' ~ target.schema ~ ' cascade') %}{% endmacro %}"
    (shop.project / "macros" / "drop_all.sql").write_text(drop)
    yield schema
    assert dbt(shop, "run-operation drop_all --target postgres") == [0]


@pytest.mark.postgres
def test_project_builds_on_postgres(dbt: Dbt, shop: Shop, postgres_schema: str) -> None:
    """The project also builds on PostgreSQL, where ``failures.json`` has no effect."""
    shop.trouble({"node": "orders", "message": "for DuckDB only"})
    assert dbt(shop, "build --target postgres") == [0]
    assert shop.results()["orders"]["relation_name"] == f'"postgres"."{postgres_schema}"."orders"'
