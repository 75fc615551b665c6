"""What only real dbt does to a run: documentation, and commands that it refuses, so that no retry is possible."""

from __future__ import annotations

import pytest

from tests.support import Json, LocalPlatform

pytestmark = pytest.mark.dbt


@pytest.mark.nightly
def test_documentation_is_the_last_step(platform: LocalPlatform) -> None:
    """The override has the effect of the job's checkbox; the artifacts are those of the last step."""
    run = platform.run("seeds", generate_docs_override=True)
    assert run["has_docs_generated"] is True
    assert platform.steps(run)[-1]["name"] == "Invoke dbt with `dbt docs generate`"
    assert "catalog.json" in platform.get(f"runs/{run['id']}/artifacts/")


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        ({"steps_override": ["dbt seed", "dbt run --no-such-option"]}, "RETRY_NO_RUN_RESULTS"),
        ({"steps_override": ["dbt seed", "dbt ls --no-such-option"]}, "RETRY_UNSUPPORTED_CMD"),
        ({"steps_override": ["dbt run --no-such-option"], "dbt_version_override": "1.5.0-latest"},
         "RETRY_UNSUPPORTED_VERSION"),
        ({}, "RETRY_NOT_FAILED_RUN"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_be_resumed_is_refused_with_the_reason(
    platform: LocalPlatform, overrides: Json, reason: str
) -> None:
    """The reason is in the run, in lists and in the refusal. Results of an earlier command do not count."""
    run = platform.run("seeds", **overrides)
    assert platform.resumable(run) == (False, reason)
    answer = platform.send("POST", f"runs/{run['id']}/retry/")
    assert answer.status_code == 400
    assert reason in answer.json()["status"]["user_message"]


def test_rerun_can_be_made_to_refuse(platform: LocalPlatform) -> None:
    """If the newest run failed and cannot be resumed, nothing runs."""
    platform.behave(rerun_when_not_retryable="refuse")
    run = platform.run("seeds", steps_override=["dbt run --no-such-option"])
    answer = platform.send("POST", f"jobs/{run['job_id']}/rerun/")
    assert answer.status_code == 400
    assert "RETRY_NO_RUN_RESULTS" in answer.json()["status"]["user_message"]


def test_skipped_steps_can_be_shown_and_named(platform: LocalPlatform) -> None:
    """They appear in run_steps with the chosen status, and by name in the details of the failure."""
    platform.behave(skipped_step_status=1, retry_details="names")
    run = platform.run("seeds", steps_override=["dbt run --no-such-option", "dbt seed"])
    last = platform.steps(run)[-1]
    assert (last["name"], last["status_humanized"], last["logs"]) == ("Invoke dbt with `dbt seed`", "Queued", "")
    assert platform.get(f"runs/{run['id']}/retry/") == {
        "failed_step": "Invoke dbt with `dbt run --no-such-option`",
        "skipped_steps": ["Invoke dbt with `dbt seed`"],
    }
