"""dbt v2 (Fusion): its recorded failures are judged as labelled, and its placeholders are never shown."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.possible_rerun import choose_kind, could_not_resume
from airflow_dbt_rerun.core.policy.policy import RerunAction
from tests.core.diagnosis.v2_samples import Sample, sample, samples

FAILED = [each for each in samples() if each.right]
FROM_FAILURE, FROM_STEP = RerunAction.RERUN_FROM_FAILURE, RerunAction.RERUN_FROM_STEP


def is_right(found: Diagnosis, right: str) -> bool:
    """Whether a diagnosis says what the label says."""
    if right == "nothing to resume":
        return could_not_resume(found) is not None
    if "interrupted" in right:
        return found.interrupted and found.verdict in {Category.UNKNOWN, Category.CANCELLED}
    if right.startswith("mixed"):
        return Counter(finding.category for finding in found.findings) == {"test_failed": 1, "code": 3}
    if right == "code (a hook)":
        return found.verdict is Category.CODE and found.only_hooks_failed
    return str(found.verdict) in right.split("|")


def kind_of(run: Run, found: Diagnosis) -> RerunAction:
    """The kind of rerun for a policy that wants to resume."""
    return choose_kind(FROM_FAILURE, run, found, FROM_STEP).action


@pytest.mark.parametrize("each", FAILED, ids=lambda each: each.name)
def test_recorded_failure_is_judged_as_labelled(each: Sample) -> None:
    """From results and log together."""
    found = each.diagnosed()
    assert is_right(found, each.right), found
    told = " ".join(finding.message for finding in found.findings)
    assert not any(
        finding.message in {"Compilation Error:", "Compilation Error", "Error"} for finding in found.findings
    )
    assert "select " not in told.lower(), "SQL is shown to people"
    assert "Query was" not in told


@pytest.mark.parametrize("each", FAILED, ids=lambda each: each.name)
def test_console_alone_is_enough(each: Sample) -> None:
    """The results may be missing; what failed is then read from the log."""
    assert is_right(each.diagnosed(results=False), each.right)


@pytest.mark.parametrize("each", [each for each in FAILED if each.has_file], ids=lambda each: each.name)
@pytest.mark.parametrize("results", [True, False])
def test_dbts_own_log_file_is_read(each: Sample, *, results: bool) -> None:
    """``logs/dbt.log`` has times, hundreds of lines of SQL, and no block of errors."""
    assert is_right(each.diagnosed(results=results, kind="dbt"), each.right)


@pytest.mark.parametrize(
    ("name", "undone"),
    [
        ("pg_refused/1-build", 8),  # nothing ran, and all of it is recorded
        ("fail_fast_test/1-build", 1),  # the log shows the model after it as done
        ("fail_fast/1-build", 5),  # three of eight did their work: the log says so, the results do not
        ("a4_hook_end_fail/1-build", 1),
        ("microbatch_downstream/1-run", None),
        ("parse_error_retry_fixed/2-build", None),
        ("int_pg/1-build", None),
    ],
)
def test_undone_counts_what_the_log_does_not_show_as_done(name: str, undone: int | None) -> None:
    """None where the results do not hold all of it."""
    assert sample(name).diagnosed().undone == undone


@pytest.mark.parametrize(
    ("name", "kind", "why"),
    [
        ("pg_refused/1-build", FROM_FAILURE, "all nodes are recorded as not done"),
        ("fail_fast/1-build", FROM_FAILURE, "the same"),
        ("pg_terminate/1-build", FROM_FAILURE, "as with dbt-core"),
        ("microbatch/1-run", FROM_STEP, "the failed model is in no result"),
        ("microbatch_downstream/1-run", FROM_STEP, "only the model after it is"),
        ("parse_error_retry_fixed/2-build", FROM_STEP, "only the node with the error is recorded"),
        ("missing_source/1-build", FROM_STEP, "the same"),
        ("jinja_undefined_macro/1-build", FROM_STEP, "nothing is recorded"),
        ("int_pg/1-build", FROM_STEP, "interrupted"),
        ("int_cut/1-build", FROM_STEP, "interrupted before it could say so"),
        ("int_test/1-build", FROM_STEP, "interrupted in a test"),
        ("kill_running/1-build", FROM_STEP, "killed"),
        ("a4_hook_end_fail/1-build", FROM_STEP, "a hook"),
        ("retry_vars/1-build", FROM_STEP, "--vars and --full-refresh would be forgotten"),
        ("retry_target/1-build", FROM_STEP, "--target would be"),
        ("run_operation/1-run-operation", FROM_STEP, "it records models that were not its work"),
    ],
)
def test_resume_is_guarded(name: str, kind: RerunAction, why: str) -> None:
    """What ``dbt retry`` of v2 would leave out or forget runs from the step."""
    each = sample(name)
    assert kind_of(each.run(), each.diagnosed()) is kind, why


OPTIONS = [
    *("--vars '{x: 1}'", "--vars={x: 1}", "--full-refresh", "-f", "--target pg", "-t pg", "--profile other"),
    *('--warn-error-options \'{"error": "all"}\'', "--event-time-start 2026-01-01", "--sample 3d", "--empty"),
    "--defer --state s",
]


@pytest.mark.parametrize("options", OPTIONS)
def test_option_that_v2_forgets_rules_out_a_resume(options: str) -> None:
    """Whatever the failed command has that the results' ``args`` do not hold is lost."""
    each = replace(sample("pg_terminate/1-build"), command=f"dbt build {options}")
    choice = choose_kind(FROM_FAILURE, each.run(), each.diagnosed(), FROM_STEP)
    assert choice.action is FROM_STEP
    assert options.partition(" ")[0].partition("=")[0] in (choice.why_not_wanted or "")


@pytest.mark.parametrize("options", ["", "--select orders", "--threads 4", "--exclude x", "--fail-fast"])
def test_option_that_changes_nothing_is_no_obstacle(options: str) -> None:
    """The nodes are recorded, and the rest does not matter."""
    each = replace(sample("pg_terminate/1-build"), command=f"dbt build {options}".strip())
    assert kind_of(each.run(), each.diagnosed()) is FROM_FAILURE


def test_option_that_the_results_hold_is_kept() -> None:
    """Later betas record ``--full-refresh``: what decides is the results' shape, not the version."""
    each = replace(sample("pg_terminate/1-build"), command="dbt build --full-refresh")
    results = [replace(artifact, kept_options=("command", "full_refresh", "which")) for artifact in each.results]
    assert kind_of(each.run(), diagnose(each.run(), results)) is FROM_FAILURE


def test_dbt_core_keeps_its_options() -> None:
    """Its results hold all of them, so nothing changes there."""
    each = replace(sample("pg_terminate/1-build"), command="dbt build --vars '{x: 1}'")
    results = [replace(artifact, kept_options=None) for artifact in each.results]
    assert kind_of(each.run(), diagnose(each.run(), results)) is FROM_FAILURE


def test_placeholders_without_a_log_say_nothing() -> None:
    """Not even that it is the code: a refused connection leaves the same."""
    each = sample("pg_refused/1-build")
    silent = replace(each.run(), steps=(replace(each.run().steps[0], logs=""),))
    found = diagnose(silent, each.results)
    assert found.verdict is Category.UNKNOWN
    assert [finding.message for finding in found.findings] == ["(dbt gave no message)"]


def retold(each: Sample, log: str) -> Diagnosis:
    """Diagnose a recorded command as if it had printed something else."""
    return diagnose(replace(each.run(), steps=(replace(each.run().steps[0], logs=log),)), each.results)


@pytest.mark.parametrize("name", ["model_sql_error/1-build", "duck_reset_model/1-build", "data_test_fail/1-build"])
def test_log_that_lost_its_end_is_no_interruption(name: str) -> None:
    """The results are then those of a command that ended by itself; a signal leaves placeholders only."""
    each = sample(name)
    found = retold(each, each.log().partition("\n\n")[0])
    assert not found.interrupted
    assert is_right(found, each.right)


def test_profile_can_be_anywhere() -> None:
    """The first line names it as the command was given it."""
    each = sample("int_cut/1-build")
    assert retold(each, each.log().replace("Loading profiles.yml", "Loading some where/profiles.yml")).interrupted


def test_panic_is_no_interruption() -> None:
    """Whatever dbt says besides its progress is the cause."""
    each = sample("kill_running/1-build")
    found = retold(each, f"{each.log()}thread 'main' panicked at src/lib.rs:5\nindex out of bounds\n")
    assert not found.interrupted
    assert found.findings[0].signature == "dbt's own bug"


@pytest.mark.parametrize("name", ["duck_result_model/1-build", "duck_result_test/1-build"])
def test_frame_of_an_error_in_a_result_is_not_shown(name: str) -> None:
    """Arrow puts words of its own before an error that comes while a result is fetched."""
    (finding,) = sample(name).diagnosed().findings
    assert finding.message == "Invalid Input Error: Connection reset by peer"


def test_backtrace_is_no_message() -> None:
    """With RUST_BACKTRACE each error is followed by a stack."""
    each = sample("pg_refused/1-build")
    stack = "".join(f"   {frame}: <unknown>\n" for frame in range(40))
    stack += "  40: start_thread\n             at ./nptl/pthread_create.c:442:8\n"
    summary = "==================== Execution Summary"
    log = each.log().replace(summary, f"{stack}\n{summary}")
    found = retold(each, log)
    assert found.verdict is Category.TRANSIENT
    assert "unknown>" not in found.findings[0].message
    assert "pthread" not in found.findings[0].message
