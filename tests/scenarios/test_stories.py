"""Twelve nights, each through the operator on real dbt, of both engines: how a careful person would end them."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tenacity import wait_fixed

from airflow_dbt_rerun import (
    DbtCloudRerunHook,
    DbtCloudRerunOperator,
    DbtRunExhausted,
    DbtRunFailed,
    RerunPolicy,
    RerunRule,
)
from airflow_dbt_rerun.audit import audit
from airflow_dbt_rerun.core.policy.conditions import RerunState
from tests.border import TaskInstance, run_task
from tests.engines import V2_CACHE, platform_options, running_dbt
from tests.scenarios.test_traps import GOOD_PRICES, RESET, Nightly, kinds, lay_out
from tests.support import LocalPlatform, local_platform

REPOSITORY = Path(__file__).parents[2]
DUCKDB = REPOSITORY / ".venv-dbt" / "bin" / "python"
IN_A_HURRY = RerunPolicy(wait=wait_fixed(0))
pytestmark = pytest.mark.dbt


@pytest.fixture(scope="module")
def engine_platform(engine: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """One platform for the stories of an engine, with a project of three models."""
    folder = tmp_path_factory.mktemp("stories")
    lay_out(folder / "project")
    with local_platform(folder, *platform_options(engine), jobs={"tiny": "dbt build"}) as platform:
        yield platform


@pytest.fixture
def platform(
    engine_platform: LocalPlatform,
    monkeypatch: pytest.MonkeyPatch,
    test_mode: None,  # noqa: ARG001
) -> Iterator[LocalPlatform]:
    """The platform as it was before any story, and a connection to it."""
    engine_platform.connect(monkeypatch)
    (engine_platform.state / "prices.csv").write_text(GOOD_PRICES)
    engine_platform.control("DELETE", "requests")
    yield engine_platform
    engine_platform.trouble()
    lay_out(engine_platform.project)


@pytest.fixture
def nightly(request: pytest.FixtureRequest, platform: LocalPlatform) -> Callable[..., Nightly]:
    """Return the task of a story, with separate work."""
    return lambda *commands: Nightly(platform, commands, TaskInstance(run_id=request.node.name))


Make = Callable[..., Nightly]


def after(mend: Callable[[], object]) -> RerunPolicy:
    """A policy that reruns whatever failed, once somebody has mended what was wrong."""

    def mended(_: RerunState) -> bool:
        mend()
        return True

    return RerunPolicy(rules=[RerunRule(mended)], wait=wait_fixed(0))


def query(platform: LocalPlatform, sql: str) -> str:
    """Ask the warehouse, as another process."""
    code = "import duckdb, sys; print(duckdb.connect(sys.argv[1], read_only=True).sql(sys.argv[2]).fetchall())"
    (warehouse,) = platform.state.parent.rglob("warehouse.duckdb")
    return subprocess.run(
        [DUCKDB, "-c", code, str(warehouse), sql], capture_output=True, text=True, check=True
    ).stdout.strip()


def has_healed(attempts: list[dict[str, Any]], *more: str) -> bool:
    """Whether one rerun, of one of these kinds, did the work, as the record shows."""
    return (
        len(attempts) == 2
        and attempts[1]["kind"] in (more or ("rerun_from_failure", "rerun_from_step"))
        and attempts[1]["verification"].startswith("verified")
    )


# --- The twelve


def test_model_loses_its_connection(nightly: Make, platform: LocalPlatform) -> None:
    """1: resumed from the failed model."""
    platform.trouble({"node": "revenue", **RESET})
    assert has_healed(nightly("dbt build").heal(IN_A_HURRY), "rerun_from_failure")


def test_warehouse_is_locked_at_the_start(nightly: Make, platform: LocalPlatform) -> None:
    """2: another process holds the file; nothing ran."""
    platform.run("tiny")
    (warehouse,) = platform.state.parent.rglob("warehouse.duckdb")
    code = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([DUCKDB, "-c", code, str(warehouse)], **pipes) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        attempts = nightly("dbt build").heal(after(holder.kill))
    assert has_healed(attempts)
    assert attempts[0]["findings"][0]["category"] == "transient"


def test_connection_is_refused(nightly: Make, platform: LocalPlatform, engine: str) -> None:
    """3: nothing listens at the port of the warehouse; nothing ran."""
    if engine == "v2" and not V2_CACHE.exists():
        pytest.skip("dbt v2 was set up without the driver for Postgres: make v2")
    profiles = platform.project / "profiles.yml"
    right = profiles.read_text()
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    wrong = right.replace("target: duckdb", "target: postgres")
    profiles.write_text(
        re.sub(r"port: .*", f"port: {port}", wrong).replace("'PGPASSWORD', ''", "'PGPASSWORD', 'x'")
    )
    attempts = nightly("dbt build").heal(after(lambda: profiles.write_text(right)))
    assert has_healed(attempts)
    assert attempts[0]["findings"][0]["category"] == "transient"


@pytest.mark.nightly
def test_test_loses_its_connection(nightly: Make, platform: LocalPlatform) -> None:
    """4: a test that could not run is no failed test."""
    platform.trouble({"node": "no_price_is_missing", **RESET})
    assert has_healed(nightly("dbt build").heal(IN_A_HURRY), "rerun_from_failure")


def test_fail_fast(nightly: Make, platform: LocalPlatform) -> None:
    """5: the first failure stops the command."""
    platform.trouble({"node": "prices", **RESET})
    assert has_healed(nightly("dbt build --fail-fast").heal(IN_A_HURRY))


HOOK = """
on-run-end:
  - "copy (select error('Connection reset by peer') where (select count(*) from glob('STATE/mended')) = 0)
    to 'STATE/hooked' (format csv)"
""".replace("STATE", "{{ env_var('DBT_LOCAL_STATE') }}")


def test_hook_loses_its_connection(nightly: Make, platform: LocalPlatform) -> None:
    """6: a hook is not resumed; its command runs as a whole."""
    with (platform.project / "dbt_project.yml").open("a") as file:
        file.write(HOOK)
    mended = platform.state / "mended"
    mended.unlink(missing_ok=True)
    attempts = nightly("dbt run --select rates").heal(after(mended.touch))
    assert has_healed(attempts, "rerun_from_step")
    assert attempts[0]["findings"][0]["resource_type"] == "operation"


def test_parse_error_is_fixed_and_the_run_rerun(nightly: Make, platform: LocalPlatform) -> None:
    """7: whatever the results name, no model had run: all of them do now."""
    broken = platform.project / "models" / "broken.sql"
    broken.write_text("select * from {{ ref('nowhere') }}")
    failed = nightly("dbt run").fail()
    broken.write_text("select 1 as one")
    again, instance = (
        DbtCloudRerunOperator(task_id="again", run_id=failed["id"], mode="from_failure"),
        TaskInstance(),
    )
    run_id = run_task(again, instance)
    assert set(platform.results({"id": run_id})) == {"rates", "prices", "revenue", "broken"}
    assert audit(DbtCloudRerunHook().client, run_id, of_run=failed["id"]).is_done


@pytest.mark.nightly
def test_variables_are_not_forgotten(nightly: Make, platform: LocalPlatform) -> None:
    """8: the rerun builds with the variables of the command."""
    (platform.project / "models" / "day.sql").write_text("select '{{ var('day', 'default') }}' as day")
    platform.trouble({"node": "day", **RESET})
    assert has_healed(nightly("dbt run --select day --vars '{day: monday}'").heal(IN_A_HURRY))
    assert query(platform, "select day from day") == "[('monday',)]"


def test_full_refresh_is_not_forgotten(nightly: Make, platform: LocalPlatform) -> None:
    """9: an incremental model is rebuilt as a whole, also by the rerun."""
    (platform.project / "models" / "log.sql").write_text("{{ config(materialized='incremental') }} select 1 as n")
    for _ in range(2):
        platform.run("tiny", steps_override=["dbt run --select log"])
    platform.trouble({"node": "log", **RESET})
    assert has_healed(nightly("dbt run --select log --full-refresh").heal(IN_A_HURRY))
    assert query(platform, "select count(*) from log") == "[(1,)]"


EVENTS = "{{ config(event_time='moment') }} select timestamp '2026-01-01 12:00:00' as moment"
MICROBATCH = """
{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='moment', begin='2026-01-01',
          batch_size='day') }}
select moment, error('Connection reset by peer') as x from {{ ref('events') }}
"""


@pytest.mark.nightly
def test_microbatch_model_fails_for_ever(nightly: Make, platform: LocalPlatform) -> None:
    """10: no green rerun of what comes after it hides that it was never built."""
    (platform.project / "models" / "events.sql").write_text(EVENTS)
    (platform.project / "models" / "batches.sql").write_text(MICROBATCH)
    (platform.project / "models" / "last.sql").write_text("select * from {{ ref('batches') }}")
    command = "dbt run --select events batches last --event-time-start 2026-01-01 --event-time-end 2026-01-03"
    task = nightly(command)
    with pytest.raises((DbtRunExhausted, DbtRunFailed)):
        task.heal(IN_A_HURRY)
    assert "rerun_from_failure" not in kinds(task.attempts) or task.attempts[-1]["status"] == "Error"


UNIT_TEST = """
unit_tests:
  - name: adds_up
    model: revenue
    given:
      - input: ref('prices')
        rows: [{price: 1}, {price: 2}]
    expect:
      rows: [{revenue: 4}]
"""


def test_unit_test_fails(nightly: Make, platform: LocalPlatform) -> None:
    """11: a failed unit test is for people: nothing is rerun."""
    platform.run("tiny")
    (platform.project / "models" / "tests.yml").write_text(UNIT_TEST)
    task = nightly("dbt build --select revenue")
    with pytest.raises(DbtRunFailed):
        task.heal(IN_A_HURRY)
    assert kinds(task.attempts) == ["trigger"]
    assert task.attempts[0]["findings"][0]["category"] == "test_failed"


def test_interrupted(nightly: Make, platform: LocalPlatform) -> None:
    """12: nobody knows what it left undone, so its command runs as a whole."""
    platform.trouble({"node": "revenue", "times": 1, "seconds": 20})
    threading.Thread(target=_interrupt, args=(platform, "revenue"), daemon=True).start()
    attempts = nightly("dbt run --select prices revenue").heal(after(lambda: None))
    assert has_healed(attempts, "rerun_from_step")


def _interrupt(platform: LocalPlatform, node: str) -> None:
    """Send dbt what a container that is stopped sends it."""
    platform.until_troubled(node)
    running_dbt(platform.process.pid).send_signal(signal.SIGINT)
