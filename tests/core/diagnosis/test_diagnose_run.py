"""Why a run failed: real artifacts, with what a person wrote down beside each before the code was asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.diagnosis.logs import error_block
from airflow_dbt_rerun.core.policy.conditions import RerunState
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunPolicy
from tests.core.builders import RESET, node, results, run, step, steps

ARTIFACTS = Path(__file__).parents[2] / "data" / "run_results"

TRANSIENT, CODE, ACCESS = Category.TRANSIENT, Category.CODE, Category.ACCESS
RESOURCES, TIMED_OUT, TEST_FAILED = Category.RESOURCES, Category.TIMED_OUT, Category.TEST_FAILED

BY_HAND = {
    "compile_time_db_error": CODE,
    "data_test_fail": TEST_FAILED,
    "data_test_fail_dbt_test": TEST_FAILED,
    "data_test_fail_upstream": TEST_FAILED,
    "data_test_sql_error": CODE,
    "duckdb_conversion_error": CODE,
    "duckdb_disk_full": RESOURCES,
    "duckdb_error_fn": TRANSIENT,
    "duckdb_extension_download": TRANSIENT,
    "duckdb_flaky_sql": TRANSIENT,
    "duckdb_flaky_udf": TRANSIENT,
    "duckdb_httpfs_read": TRANSIENT,
    "duckdb_out_of_memory": RESOURCES,
    "duckdb_syntax_error": CODE,
    "duckdb_table_missing": CODE,
    "microbatch_partial_success": Category.UNKNOWN,
    "model_sql_error": CODE,
    "model_sql_error_failfast": CODE,
    "model_sql_error_retry_unfixed": CODE,
    "on_run_end_fail": Category.UNKNOWN,  # dbt orders nodes, not hooks: the table may be on its way
    "pg_admin_terminate": TRANSIENT,
    "pg_alloc_too_large": RESOURCES,
    "pg_backend_kill9": TRANSIENT,
    "pg_column_does_not_exist": CODE,
    "pg_deadlock": TRANSIENT,
    "pg_disk_full": RESOURCES,
    "pg_division_by_zero": CODE,
    "pg_invalid_input": CODE,
    "pg_lock_timeout": TRANSIENT,
    "pg_permission_denied_schema": ACCESS,
    "pg_permission_denied_table": ACCESS,
    "pg_relation_does_not_exist": CODE,
    "pg_serialization_failure": TRANSIENT,
    "pg_server_stop_immediate": TRANSIENT,
    "pg_statement_timeout": TIMED_OUT,
    "pg_syntax_error": CODE,
    "pg_test_statement_timeout": TIMED_OUT,
    "run_operation_fail": CODE,
    "seed_fail": CODE,
    "sources_freshness_error": TEST_FAILED,
    "unit_test_fail": TEST_FAILED,
}
"""The category of each recorded failure."""

NOTHING_FAILED = {
    "data_test_warn",
    "duckdb_kill_sigint",
    "model_sql_error_retry_fixed",
    "sources_freshness_runtime_error",
}
"""Recordings in which no node failed: an interrupted run, a warning, a heal, a query that never gave results."""


def load(name: str) -> tuple[StepResults, ...]:
    """Read a recorded artifact, as that of the failed step."""
    return (StepResults.from_artifact(json.loads((ARTIFACTS / f"{name}.json").read_text()), step_index=5),)


def test_every_recording_has_its_answer() -> None:
    """No recorded artifact is left out."""
    assert {path.stem for path in ARTIFACTS.glob("*.json")} == set(BY_HAND) | NOTHING_FAILED


@pytest.mark.parametrize(("name", "category"), BY_HAND.items())
def test_recorded_failures(name: str, category: Category) -> None:
    """P4: each real failure gets the category a person gave it, and the default rules act on it accordingly."""
    diagnosis = diagnose(run(), load(name))
    assert diagnosis.verdict is category
    decision = RerunPolicy().decide(RerunState(run(), diagnosis, 1, 0.0))
    reruns = category in (TRANSIENT, TIMED_OUT, Category.UNKNOWN)
    expected = RerunAction.RERUN_FROM_FAILURE if reruns else RerunAction.FAIL
    assert decision.action is expected


@pytest.mark.parametrize("name", BY_HAND)
def test_findings_read_well(name: str) -> None:
    """P10: a finding is one short line without SQL, paths of compiled code or terminal colours."""
    for finding in diagnose(run(), load(name)).findings:
        assert 0 < len(finding.message) <= 400
        assert not set(finding.message) & {"\n", "\x1b", "\r"}
        assert "compiled code at" not in finding.message
        assert "LINE 1" not in finding.message


@pytest.mark.parametrize("name", sorted(NOTHING_FAILED))
def test_results_that_blame_no_node_leave_the_step(name: str) -> None:
    """Where no node failed, the finding is the step; without a log it is unknown, never transient."""
    seen = run(steps=(step(5, "dbt build", 20),))
    diagnosis = diagnose(seen, load(name))
    assert [finding.resource_type for finding in diagnosis.findings] == ["step"]
    assert diagnosis.verdict is Category.UNKNOWN


def test_step_without_results_is_read_from_its_log() -> None:
    """A run that failed before its first node: the finding is the step, with the log's error block."""
    log = 'Running with dbt=1.11\nEncountered an error:\nDatabase Error\n  connection to server at "h" failed: '
    log += "Connection refused\ndbt command failed"
    diagnosis = diagnose(run(steps=(step(5, "dbt build", 20, log),)))
    assert diagnosis.findings[0].resource_type == "step"
    assert diagnosis.verdict is Category.TRANSIENT
    assert diagnosis.evidence == "the log of step 5"


def test_only_the_step_that_stopped_the_run_counts() -> None:
    """A freshness box that failed without stopping the job is not the cause."""
    steps = (step(4, "dbt source freshness", 20), step(5, "dbt build", 20))
    stale = results(node("source.shop.raw.orders", "error", None), index=4)
    broken = results(node("model.shop.orders"), index=5)
    diagnosis = diagnose(run(steps=steps), (*stale, *broken))
    assert [finding.subject for finding in diagnosis.findings] == ["model.shop.orders"]


def test_message_that_says_nothing_is_replaced_by_the_log() -> None:
    """A microbatch model says only PARTIAL SUCCESS, and a run-operation may say nothing: the log knows."""
    log = "Completed with 1 error\nDatabase Error in model mb\n  deadlock detected\ndbt command failed"
    for status, words in (("partial success", "PARTIAL SUCCESS (3/4)"), ("error", None)):
        seen = results(node("model.shop.mb", status, words))
        assert diagnose(run(steps=(step(5, "dbt build", 20, log),)), seen).verdict is Category.TRANSIENT


def test_nothing_at_all_is_unknown() -> None:
    """Without steps, results and log, "dbt command failed" says nothing."""
    assert diagnose(run(steps=(), status_message="dbt command failed")).verdict is Category.UNKNOWN


def test_cancelled_by_a_person() -> None:
    """The audit record names who stopped the run."""
    diagnosis = diagnose(run(status=30, cancelled_by="ann", status_message="Cancelled by user."))
    assert diagnosis.verdict is Category.CANCELLED
    assert "ann" in diagnosis.findings[0].message


def test_cancelled_by_a_timeout() -> None:
    """Without an actor the status message decides: a job that ran too long timed out."""
    words = "This run timed out after running for 1 day, which exceeded the configured timeout of 86400 seconds."
    assert diagnose(run(status=30, status_message=words)).verdict is Category.TIMED_OUT


def test_verdict_is_the_hardest_category() -> None:
    """The verdict is what stays when all that can heal has healed."""
    mixed = results(node("model.a.b"), node("model.a.c", message="Parser Error: syntax error at or near x"))
    assert diagnose(run(), mixed).verdict is Category.CODE


def test_fingerprint_ignores_numbers_only() -> None:
    """The same failure with another process id is the same; another node or other words are not."""
    one, two, other = (
        diagnose(run(), results(node(name, message=f"deadlock detected by process {number}"))).fingerprint
        for name, number in (("model.a.b", 1), ("model.a.b", 22), ("model.a.c", 1))
    )
    assert one == two != other


@pytest.mark.parametrize(
    ("log", "block"),
    [
        ("a\nEncountered an error:\n the error \ndbt command failed", "the error"),
        (
            "x\n\x1b[31mCompleted with 1 error:\x1b[0m\nDatabase Error\ndbt command failed\n",
            "1 error:\nDatabase Error",
        ),
        ("Cloning...\nfatal: timeout", "Cloning...\nfatal: timeout"),
        ("", ""),
    ],
)
def test_error_block(log: str, block: str) -> None:
    """The error is what follows dbt's own mark; without one, the log's end."""
    assert error_block(log) == block


def logged(name: str) -> str:
    """Read a recorded log of a step."""
    return (ARTIFACTS.parent / "logs" / f"{name}.log").read_text(encoding="utf-8")


def test_log_of_several_nodes_gives_a_finding_for_each() -> None:
    """Without node results each error of the log is judged for itself, not the whole as one."""
    diagnosis = diagnose(run(steps=(step(5, "dbt build", 20, logged("several_nodes")),)))
    found = {finding.name: finding.category for finding in diagnosis.findings}
    assert found == {"a": TRANSIENT, "c": CODE, "t_fail": TEST_FAILED, "mb": TRANSIENT}
    assert all(finding.is_node for finding in diagnosis.findings)


def test_partial_success_is_told_apart_from_its_neighbours() -> None:
    """A microbatch model is judged by what its own batches said, not by what other nodes of the step met."""
    seen = run(steps=(step(5, "dbt run", 20, logged("microbatch")),))
    diagnosis = diagnose(seen, load("microbatch_partial_success"))
    assert [(finding.name, finding.category) for finding in diagnosis.findings] == [("mb", TRANSIENT)]
    silent = results(node("model.shop.zz", "partial success", "PARTIAL SUCCESS (1/2)"))
    other = diagnose(run(steps=(step(5, "dbt run", 20, logged("several_nodes")),)), silent)
    assert other.verdict is Category.UNKNOWN


def test_the_hardest_batch_decides() -> None:
    """One batch with a bug among throttled ones: the model needs a person."""
    log = "".join(
        f"Unhandled error while executing \nException on worker thread. {words}\n"
        f"04:00:0{n}  Batch {n} of 2 ERROR creating batch 2026-01-0{n} of main.mb ... [ERROR in 0.01s]\n"
        for n, words in enumerate(("Runtime Error\n  deadlock detected", "Compilation Error\n  no"), start=1)
    )
    seen = results(node("model.shop.mb", "error", "ERROR"))
    assert diagnose(run(steps=(step(5, "dbt run", 20, log),)), seen).verdict is CODE


def test_manifest_gives_adapter_path_and_tags() -> None:
    """A real artifact names no adapter; the manifest does, and knows each node's file and tags."""
    manifest = {
        "metadata": {"adapter_type": "redshift"},
        "nodes": {"model.shop.orders": {"original_file_path": "models/marts/orders.sql", "tags": ["nightly"]}},
        "sources": {"source.shop.raw.x": {"original_file_path": "models/raw.yml", "tags": []}},
        "unknown_part": 3,
    }
    facts = ManifestFacts.from_artifact(manifest)
    seen = results(node("model.shop.orders", message="schema marts does not exist"), adapter=None)
    (finding,) = diagnose(run(), seen, facts=facts).findings
    assert facts.adapter == "redshift"
    assert (finding.path, finding.tags) == ("models/marts/orders.sql", ("nightly",))
    assert ManifestFacts.from_artifact({}) == ManifestFacts()


def test_path_is_read_from_the_frame_without_a_manifest() -> None:
    """dbt puts the file into the first line of most errors."""
    assert diagnose(run(), results(node())).findings[0].path == "models/orders.sql"


@pytest.mark.parametrize("text", ["Skipping due to fail_fast", "Skipped due to upstream failure"])
def test_skip_texts_are_no_failures(text: str) -> None:
    """Some versions of dbt give a skipped node another status: its message says that it never ran."""
    seen = results(node("model.a.b"), node("model.a.c", "error", text), node("model.a.d", "skipped"))
    diagnosis = diagnose(run(), seen)
    assert [finding.subject for finding in diagnosis.findings] == ["model.a.b"]
    assert diagnosis.skipped == ("model.a.c", "model.a.d")
    assert diagnosis.undone == 3


def test_two_artifacts_of_a_step_are_merged() -> None:
    """Of one node in two artifacts the later result counts."""
    both = (*results(node("model.a.b"), node("model.a.c")), *results(node("model.a.b", "success")))
    assert [finding.subject for finding in diagnose(run(), both).findings] == ["model.a.c"]


@pytest.mark.parametrize(
    "schema",
    [
        {"status": "error", "message": RESET, "unique_id": "model.a.b"},
        {"status": "Error", "message": RESET, "unique_id": "model.a.b", "reused_from": {"x": 1}, "timing": None},
        {"status": "error", "message": RESET, "unique_id": "model.a.b", "execution_time": None, "failures": None},
    ],
)
def test_unknown_fields_and_statuses_survive(schema: dict[str, object]) -> None:
    """Schema v4 to v6 and what may come: unknown fields are ignored, unknown statuses are neither good nor bad."""
    artifact = {"metadata": {}, "results": [schema, {"status": "quarantined", "unique_id": "model.a.z"}]}
    (seen,) = (StepResults.from_artifact(artifact, step_index=5),)
    diagnosis = diagnose(run(), (seen,))
    assert [finding.category for finding in diagnosis.findings] == [TRANSIENT]
    assert (seen.nodes[1].status, seen.nodes[1].is_ok, seen.nodes[1].is_failed) == ("quarantined", False, False)


def test_a_step_that_failed_as_a_whole_counts_no_nodes() -> None:
    """The number of undone nodes is unknown if dbt failed before its first node."""
    assert diagnose(run(steps=(step(5, "dbt build", 20, logged("parse")),))).undone is None


def test_ids_do_not_change_a_fingerprint() -> None:
    """Query ids and addresses change with each try; the failure is the same."""
    prints = {
        diagnose(run(), results(node(message=f"deadlock in query {query}"))).fingerprint
        for query in ("01b2c3d4-0000-1111-0000-0a0b0c0d0e0f", "01ffffff-0000-2222-0000-1a1b1c1d1e1f")
    }
    assert len(prints) == 1


@pytest.mark.parametrize(
    ("result", "category"),
    [
        ({"unique_id": "test.shop.t", "status": "error", "message": None, "failures": 3}, Category.TEST_FAILED),
        ({"unique_id": "test.shop.t", "status": "error", "message": None, "failures": 0}, Category.UNKNOWN),
        ({"unique_id": "model.shop.m", "status": "error", "message": None, "failures": 3}, Category.UNKNOWN),
        ({"unique_id": "test.shop.t", "status": "error", "message": RESET, "failures": 3}, Category.TRANSIENT),
    ],
)
def test_test_that_counts_failures_has_failed(result: dict[str, Any], category: Category) -> None:
    """A test with failures and no message found bad rows, whatever its status; with a message, that counts."""
    artifact = StepResults.from_artifact({"results": [result]}, step_index=5)
    assert diagnose(run(steps=steps("dbt seed", "dbt build")), (artifact,)).verdict is category
