"""Bugs that other tools of this field have had, and the test that keeps each of them out of this one."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

BUGS = {
    "a cancelled run makes the task green (airflow#35597, #69786)": (
        "operators/test_job.py::test_cancelled_run_is_not_rerun"
    ),
    "an event that says nothing makes the task green (airflow#69739)": (
        "operators/test_job.py::test_event_that_says_nothing_is_neither_success_nor_failure"
    ),
    "waiting in vain returns false, and the task is green (airflow#61300)": "scenarios/test_modes.py::out_of_time",
    "a poll that fails is told as a run that failed (airflow#70398, #51801)": (
        "operators/test_job.py::test_unreadable_run_is_not_a_failed_run"
    ),
    "a timeout is told as an error of the job (airflow#61979)": (
        "operators/test_job.py::test_timeout_cancels_the_run"
    ),
    "a deadline of one machine's clock is read on another (airflow#67616)": (
        "triggers/test_run.py::test_fires_at_its_deadline"
    ),
    "an unknown status is taken for an end (kestra#271)": "core/dbt/test_models.py::test_unknown_status_is_no_end",
    "an end waits for logs that do not come (kestra#299)": (
        "operators/test_job.py::test_late_artifacts_are_waited_for"
    ),
    "a job without runs crashes (astronomer/docs#2977)": "operators/test_rerun.py::test_job_without_a_run",
    "a sensor watches the newest run, whichever it is (fivetran#71, #37)": (
        "sensors/test_job.py::test_filters_choose_the_run"
    ),
    "a sensor fails without a word, when deferred": "sensors/test_job.py::test_without_a_policy_it_detects_only",
    "a lost worker means a second run (kestra#307, airflow#72423)": (
        "scenarios/test_crashes.py::test_killed_at_each_boundary"
    ),
    "a POST without an answer is posted again (dagster, airflow)": (
        "api/test_retries.py::test_a_post_is_never_repeated"
    ),
    "a query that dbt refuses (airflow#40047, #39271)": (
        "local/server/test_openapi.py::test_answers_match_the_document"
    ),
    "the first try resumes a run of somebody else (airflow#43347)": (
        "operators/test_job.py::test_success_is_one_run"
    ),
    "the job's latest run is resumed, whichever it is (airflow#43453)": (
        "operators/test_job.py::test_transient_failure_is_healed_from_failure"
    ),
    "a resumed run cannot be traced, since it has no cause": (
        "core/heal/test_lineage.py::test_rerun_without_a_parent_is_known_by_its_cause_category"
    ),
    "overrides are dropped with a warning (airflow#38868)": (
        "core/heal/test_decision.py::test_overrides_of_a_rule_need_a_new_run_and_say_so"
    ),
    "the reason is looked for in the run's message only (airflow#44213)": (
        "core/diagnosis/test_diagnose_run.py::test_recorded_failures"
    ),
    "the last rerun is started and not waited for (prefect)": "operators/test_job.py::test_limits_end_it",
    "no rerun at all still fails at once without an answer (prefect#17634)": "scenarios/test_modes.py::no_policy",
    "the steps are told by their place (prefect)": (
        "core/heal/test_loop.py::test_from_failed_step_runs_that_command_and_those_after_it"
    ),
    "a run that is not there yet ends the wait (prefect#12959)": (
        "engine/test_refusals.py::test_run_that_is_not_there_yet"
    ),
    "nothing to retry is success (docs.getdbt.com#7153)": "scenarios/test_traps.py::test_retry_after_a_no_op",
    "execution_timeout is forgotten while deferred (airflow#61467, #67360)": (
        "operators/test_rerun.py::test_execution_timeout_counts_across_deferrals"
    ),
    "a killed deferred task leaves its run going (airflow#36090)": (
        "system/test_kills.py::test_marked_task_stops_its_run"
    ),
    "a trigger that moves cancels its run (airflow#73454, #41231)": (
        "triggers/test_run.py::test_hand_over_or_clear_is_no_kill"
    ),
    "a kill waits for days": "triggers/test_run.py::test_kill_does_not_take_for_ever",
    "a connection is looked up in the event loop (airflow#63760, #53447)": (
        "test_hooks.py::test_the_async_client_asks_the_same"
    ),
    "a cleared task is resumed with an old event (airflow#62845)": (
        "operators/test_rerun.py::test_event_of_before_a_clear_is_not_believed"
    ),
    "a task that ends in the trigger has no retries (airflow#69819)": (
        "triggers/test_run.py::test_what_goes_wrong_is_an_event_too"
    ),
    "what was in XCom is gone at the next try (airflow#71211)": (
        "operators/test_job.py::test_next_try_goes_on_with_a_failed_run"
    ),
    "one of the two modes raises other errors (airflow#68254)": (
        "scenarios/test_modes.py::test_both_modes_tell_the_same"
    ),
    "the mode depends on try_number (provider 3.8.1)": "operators/test_job.py::test_cleared_task_begins_a_new_life",
    "many tasks poll one after the other (kestra#54)": (
        "watching/test_shared_polling.py::test_few_connections_however_many_watch"
    ),
    "a long cause is refused (airflow#38896)": "core/heal/test_lineage.py::test_long_cause_keeps_its_marker",
    "an account id that is a number (airflow#51957), other hosts (airflow#22730)": (
        "api/test_settings.py::test_the_official_connection_works_as_it_is"
    ),
    "a network at parse time (Paradime, airflow#70336)": (
        "test_example_dags.py::test_example_parses_without_network_or_connection"
    ),
    "an artifact that is missing hides the failure (kestra#321)": (
        "operators/test_job.py::test_missing_artifacts_do_not_hide_the_failure"
    ),
    "retries that never happen (terraform-provider-dbtcloud#695)": (
        "api/test_retries.py::test_a_get_gets_through_a_bad_moment"
    ),
    "one error for everything (cosmos#1651)": (
        "test_exceptions.py::test_final_errors_stop_airflows_retries_and_the_others_do_not"
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_each_bug_has_the_test_that_it_names(bug: str) -> None:
    """The list is true only as long as its tests are there."""
    file, name = BUGS[bug].split("::")
    assert f"def {name}(" in (TESTS / file).read_text(encoding="utf-8")
