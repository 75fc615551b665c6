"""The simulated dbt, over HTTP: what it runs, what it writes, and how long it takes."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.local.timestamps import elapsed
from tests.support import EXAMPLE_PROJECT, LocalPlatform, local_platform

RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
MODELS = {path.stem for path in (EXAMPLE_PROJECT / "models").rglob("*.sql")}
AFTER_ORDERS = {"orders", "customers", "daily_revenue", "top_customers"}


def run(platform: LocalPlatform, *commands: str) -> dict[str, str]:
    """Run commands and return the status of each node of the last one."""
    return platform.results(platform.run("run", steps_override=list(commands)))


# --- one run


def test_a_run_succeeds_without_dbt(simulated: LocalPlatform) -> None:
    """Every seed, model and singular test of the project runs."""
    done = simulated.run("nightly")
    steps = simulated.steps(done)
    assert (done["status"], len(steps)) == (10, 5)
    assert set(simulated.results(done, step=4)) == {"raw_orders", "raw_customers", "raw_payments"}
    assert set(simulated.results(done)) == {*MODELS, "every_payment_has_an_order"}
    assert "Completed successfully" in steps[-1]["logs"]
    assert "PASS=9 WARN=0 ERROR=0 SKIP=0 NO-OP=0 TOTAL=9" in steps[-1]["logs"]


def test_a_failure_skips_downstream_nodes(simulated: LocalPlatform) -> None:
    """The log and the artifacts have dbt's format, and report the requested failure."""
    simulated.trouble(RESET)
    failed = simulated.run("nightly")
    results = simulated.results(failed)
    assert results.pop("orders") == "error"
    assert {name for name, status in results.items() if status == "skipped"} == AFTER_ORDERS - {"orders"}
    log = simulated.steps(failed)[-1]["logs"]
    assert "Completed with 1 error, 0 partial successes, and 0 warnings:" in log
    assert "Failure in model orders (models/marts/orders.sql)" in log
    assert log.splitlines()[-1] == "dbt command failed"


@pytest.mark.parametrize("evidence", ["artifacts", "log"])
def test_a_failure_is_diagnosed_like_a_real_one(simulated: LocalPlatform, evidence: str) -> None:
    """A diagnosis of the artifacts or of the log finds the failed node and its category."""
    simulated.trouble(RESET)
    failed = simulated.run("run")
    read = Run.from_api(simulated.get(f"runs/{failed['id']}/", include_related="run_steps"))
    artifact = simulated.send("GET", f"runs/{failed['id']}/artifacts/run_results.json").json()
    results = [StepResults.from_artifact(artifact, step_index=4)] if evidence == "artifacts" else []
    [finding] = diagnose(read, results).findings
    assert finding.category is Category.TRANSIENT
    assert "orders" in finding.subject


def test_a_failed_test_blocks_downstream_models(simulated: LocalPlatform) -> None:
    """As in ``dbt build``: models downstream of a failed test are skipped, and the test has the status ``fail``."""
    simulated.trouble({"node": "every_payment_has_an_order", "times": 1, "failures": 3})
    failed = simulated.run("nightly")
    results = simulated.results(failed)
    assert results["every_payment_has_an_order"] == "fail"
    assert {name for name, status in results.items() if status == "skipped"} == AFTER_ORDERS
    assert "Got 3 results, configured to fail if != 0" in simulated.steps(failed)[-1]["logs"]


def test_the_manifest_has_files_tags_and_parents(simulated: LocalPlatform) -> None:
    """Conditions of a policy on tags and paths can be evaluated."""
    manifest = simulated.send("GET", f"runs/{simulated.run('run')['id']}/artifacts/manifest.json").json()
    orders = manifest["nodes"]["model.corner_shop.orders"]
    assert (orders["original_file_path"], orders["tags"]) == ("models/marts/orders.sql", ["daily"])
    assert orders["fqn"] == ["corner_shop", "marts", "orders"]
    assert orders["depends_on"]["nodes"] == ["model.corner_shop.stg_orders", "model.corner_shop.stg_payments"]
    assert manifest["metadata"]["adapter_type"] == "duckdb"


def test_overrides_are_honoured(simulated: LocalPlatform) -> None:
    """Schema, threads and target come from the trigger."""
    changed = {"schema_override": "elsewhere", "threads_override": 3, "target_name_override": "weekly"}
    log = simulated.steps(simulated.run("run", **changed))[-1]["logs"]
    assert "Concurrency: 3 threads (target='weekly')" in log
    assert "elsewhere.orders" in log


# --- retry


def test_a_retry_runs_failed_and_skipped_nodes_only(simulated: LocalPlatform) -> None:
    """As ``dbt retry`` does; it succeeds when the requested failures are used up."""
    simulated.trouble({**RESET, "times": 2})
    first = simulated.run("nightly")
    second = simulated.retry(first)
    third = simulated.retry(second)
    assert [each["status"] for each in (first, second, third)] == [20, 20, 10]
    assert simulated.results(third) == dict.fromkeys(AFTER_ORDERS, "success")


def test_a_retry_of_a_success_has_nothing_to_do(simulated: LocalPlatform) -> None:
    """It succeeds with empty results, and fails if there are no results to retry."""
    done = simulated.run("run")
    artifacts = simulated.state.parent / "runs" / str(done["id"]) / "4" / "artifacts"
    assert run(simulated, f"dbt retry --state {artifacts}") == {}
    lost = simulated.run("run", steps_override=["dbt retry"])
    assert lost["status"] == 20
    assert "Could not find previous run" in simulated.steps(lost)[-1]["logs"]


# --- commands and selection


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("dbt run --select orders", {"orders"}),
        ("dbt run -s corner_shop.marts.orders", {"orders"}),
        ("dbt run --select fqn:corner_shop.marts.orders", {"orders"}),
        ("dbt run --select orders+", AFTER_ORDERS),
        ("dbt run --select +orders", {"orders", "stg_orders", "stg_payments"}),
        ("dbt run --select '+daily_revenue+'", {"daily_revenue", "orders", "stg_orders", "stg_payments"}),
        ("dbt run --select 'orders customers'", {"orders", "customers"}),
        ("dbt run --select orders customers --threads 2 --exclude orders", {"customers"}),
        ("dbt run --select staging", {"stg_orders", "stg_payments", "stg_customers"}),
        ("dbt run --select tag:daily,orders+", AFTER_ORDERS),
        ("dbt run --select path:models/staging", {"stg_orders", "stg_payments", "stg_customers"}),
        ("dbt build --select resource_type:seed", {"raw_orders", "raw_customers", "raw_payments"}),
        ("dbt build --select stg_payments", {"stg_payments", "every_payment_has_an_order"}),
        ("dbt test", {"every_payment_has_an_order"}),
        ("dbt snapshot", set()),
        ("dbt run --select no_such_thing", set()),
    ],
)
def test_selection(simulated: LocalPlatform, command: str, expected: set[str]) -> None:
    """Common selectors have the same meaning as in dbt."""
    assert set(run(simulated, command)) == expected


@pytest.mark.parametrize("command", ["dbt docs generate", "dbt run --target nowhere", "dbt run --select"])
def test_unsupported_commands_fail_before_the_first_node(simulated: LocalPlatform, command: str) -> None:
    """They leave no node results, so the platform refuses to resume the run."""
    done = simulated.run("run", steps_override=[command])
    assert (done["status"], done["retry_not_supported_reason"]) == (20, "RETRY_NO_RUN_RESULTS")


# --- time


def test_a_cancelled_command_has_results_of_finished_nodes_only(simulated: LocalPlatform) -> None:
    """As dbt on SIGINT; no other node runs afterwards."""
    simulated.trouble({"node": "orders", "times": 1, "seconds": 60})
    cancelled = simulated.trigger("run")
    simulated.until_troubled("orders")
    simulated.post(f"runs/{cancelled['id']}/cancel/")
    assert simulated.wait(cancelled)["status"] == 30
    assert set(simulated.results(cancelled).values()) == {"success"}
    assert not AFTER_ORDERS & set(simulated.results(cancelled))
    assert simulated.run("run")["status"] == 10


def test_jobs_run_side_by_side(simulated: LocalPlatform) -> None:
    """There is no warehouse to wait for: a second job succeeds while the first is still in progress."""
    simulated.trouble({"node": "stg_orders", "times": 1, "seconds": 60})
    first = simulated.trigger("run")
    simulated.until_troubled("stg_orders")
    assert simulated.run("seeds")["status"] == 10
    assert simulated.get(f"runs/{first['id']}/")["status"] == 3
    simulated.cancel(first)


def test_commands_take_as_long_as_requested(tmp_path: Path) -> None:
    """Each command of a run takes at least the seconds of the option."""
    with local_platform(tmp_path, "--simulate", "0.5", jobs={"two": "dbt seed; dbt run"}) as platform:
        steps = platform.steps(platform.run("two"))[3:]
    durations = [elapsed(step["started_at"], step["finished_at"]) for step in steps]
    assert len(durations) == 2
    assert all(duration >= timedelta(seconds=0.5) for duration in durations)


# --- the option


@pytest.mark.parametrize("options", [["--simulate", "-1"], ["--simulate", "nan"], ["--simulate", "--dbt", "dbt"]])
def test_an_invalid_option_is_named_in_one_line(tmp_path: Path, options: list[str]) -> None:
    """Exit status 2, and no traceback."""
    command = [sys.executable, "-m", "airflow_dbt_rerun.local", "--project-dir", str(EXAMPLE_PROJECT)]
    done = subprocess.run(
        [*command, "--state-dir", str(tmp_path), *options], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "--simulate" in done.stderr
    assert len(done.stderr.splitlines()) == 1
