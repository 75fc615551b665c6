"""The ways in which ``dbt retry`` does nothing, or cannot, on real dbt: each is healed all the same (P6)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from tenacity import wait_fixed

from airflow_dbt_rerun import DbtCloudJobOperator, RerunPolicy, RerunRule
from tests.border import TaskInstance, run_task
from tests.support import LocalPlatform

pytestmark = pytest.mark.dbt

RESET = {"node": "daily_revenue", "times": 1, "message": "Connection reset by peer"}
STATE = "{{ env_var('DBT_LOCAL_STATE') }}"
FAILS_ONCE = """
on-run-end:
  - "copy (select 1) to 'STATE/hooked.{{ invocation_id }}' (format csv)"
  - "select error('Connection reset by peer') where (select count(*) from glob('STATE/hooked.*')) < 2"
"""
"""The first command with these hooks fails, the next one passes."""

New = Callable[..., AbstractContextManager[LocalPlatform]]


@pytest.fixture
def platform(new_platform: New, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPlatform]:
    """A platform whose project may be changed, its seeds loaded."""
    with new_platform(jobs={"seeds": "dbt seed", "models": "dbt run"}) as started:
        fields = {"host": started.base_url, "login": str(started.account_id), "password": started.token}
        monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_DEFAULT", json.dumps({"conn_type": "dbt_cloud", **fields}))
        assert started.run("seeds")["status"] == 10
        yield started


def heal(platform: LocalPlatform, policy: RerunPolicy) -> list[dict[str, Any]]:
    """Run the models as a task would, and give the report's attempts."""
    instance = TaskInstance()
    operator = DbtCloudJobOperator(task_id="t", job_id=platform.jobs["models"], policy=policy, check_interval=0.1)
    run_task(operator, instance)
    attempts: list[dict[str, Any]] = instance.xcom("dbt_rerun_report")["attempts"]
    return attempts


def test_hook_that_failed_is_run_again(platform: LocalPlatform) -> None:
    """``dbt retry`` would say "Nothing to do" and exit 0: the command runs as a whole, its hook with it."""
    with (platform.project / "dbt_project.yml").open("a") as file:
        file.write(FAILS_ONCE.replace("STATE", STATE))
    attempts = heal(platform, RerunPolicy(wait=wait_fixed(0)))
    assert [attempt["kind"] for attempt in attempts] == ["trigger", "rerun_from_step"]
    assert attempts[0]["findings"][0]["resource_type"] == "operation"


def test_node_that_was_renamed_since(platform: LocalPlatform) -> None:
    """``dbt retry`` cannot find the node by its old name: the command runs as a whole, by the new one."""
    models = platform.project / "models" / "marts"

    def renaming(_: Any) -> float:
        (models / "daily_revenue.sql").rename(models / "revenue_by_day.sql")
        (models / "marts.yml").write_text(
            (models / "marts.yml").read_text().replace("daily_revenue", "revenue_by_day")
        )
        return 0.0

    platform.trouble(RESET)
    policy = RerunPolicy(rules=[RerunRule(lambda state: state.attempt_number == 1, wait=renaming)])
    attempts = heal(platform, policy)
    assert [attempt["kind"] for attempt in attempts] == ["trigger", "rerun_from_failure", "rerun_from_step"]
    assert "dbt_could_not_resume" in attempts[1]["decision"]
