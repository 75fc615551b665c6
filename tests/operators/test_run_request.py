"""P13: what a user gives is sent, or refused by name; on the first run and on a rerun."""

from __future__ import annotations

from typing import Any, cast

import pytest
from jinja2 import Environment

from airflow_dbt_rerun import (
    DbtCloudJobOperator,
    DbtConfigError,
    RerunAction,
    RerunPolicy,
    RerunRule,
    any_node,
)
from airflow_dbt_rerun.core.policy.overrides import TAKES
from airflow_dbt_rerun.operators.run_request import run_request
from airflow_dbt_rerun.operators.takes import CAUSE
from tests.api_document import schemas
from tests.border import TaskInstance, run_task
from tests.support import LocalPlatform

FIELDS = schemas()["TriggerRunRequestRequest"]["properties"]
RESET = {"node": "orders", "times": 1, "message": "Connection reset by peer"}
VALUES: dict[str, Any] = {
    "git_sha": "0a1b2c3",
    "git_branch": "dev",
    "azure_pull_request_id": 1,
    "github_pull_request_id": 2,
    "gitlab_merge_request_id": 3,
    "non_native_pull_request_id": 4,
    "schema_override": "sandbox",
    "dbt_version_override": "1.11.0-latest",
    "threads_override": 2,
    "target_name_override": "weekly",
    "generate_docs_override": False,
    "timeout_seconds_override": 600,
    "steps_override": ["dbt seed", "dbt build --exclude resource_type:seed"],
}

pytestmark = pytest.mark.usefixtures("connected")


def triggered(platform: LocalPlatform, run_id: int) -> dict[str, Any]:
    """Return the trigger of a run, as dbt has it on record."""
    trigger: dict[str, Any] = platform.get(f"runs/{run_id}/", include_related="['trigger']")["trigger"]
    return trigger


def task(platform: LocalPlatform, **arguments: Any) -> DbtCloudJobOperator:
    """Make a task of the nightly job."""
    return DbtCloudJobOperator(task_id="build", job_id=platform.jobs["nightly"], **arguments)


def render(made: DbtCloudJobOperator, **context: Any) -> None:
    """Render the task's templates as Airflow does before it executes it."""
    made.render_template_fields(cast("Any", context), Environment(autoescape=True))


def test_every_field_of_dbts_document_is_known() -> None:
    """A field that dbt adds cannot be forgotten."""
    assert {*TAKES, CAUSE} == set(FIELDS)
    assert set(VALUES) == set(TAKES)


@pytest.mark.parametrize("field", sorted(VALUES))
def test_each_field_is_sent(simulated: LocalPlatform, instance: TaskInstance, field: str) -> None:
    """What additional_run_config holds arrives at dbt."""
    run_id = run_task(task(simulated, additional_run_config={field: VALUES[field]}), instance)
    assert triggered(simulated, run_id)[field] == VALUES[field]


@pytest.mark.parametrize("field", sorted(set(VALUES) - {"steps_override"}))
def test_each_field_is_sent_again_on_a_rerun(simulated: LocalPlatform, instance: TaskInstance, field: str) -> None:
    """Nothing is lost when the failed command and those after it run again."""
    simulated.trouble(RESET)
    policy = RerunPolicy(rules=[RerunRule(any_node("transient"), RerunAction.RERUN_FROM_STEP)])
    run_id = run_task(task(simulated, policy=policy, additional_run_config={field: VALUES[field]}), instance)
    assert instance.xcom("dbt_rerun_report")["attempts"][-1]["kind"] == "rerun_from_step"
    assert triggered(simulated, run_id)[field] == VALUES[field]


def test_seeds_only_into_the_sandbox(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """The example: overrides given the official way are honoured, and nothing is built into production."""
    config = {"steps_override": ["dbt seed"], "schema_override": "sandbox"}
    run_id = run_task(task(simulated, additional_run_config=config), instance)
    trigger = triggered(simulated, run_id)
    assert (trigger["steps_override"], trigger["schema_override"]) == (["dbt seed"], "sandbox")


def test_rendered_config_is_honoured(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """A template in the mapping is rendered, then checked and sent."""
    made = task(simulated, additional_run_config={"schema_override": "{{ schema }}"})
    render(made, schema="sandbox")
    assert triggered(simulated, run_task(made, instance))["schema_override"] == "sandbox"


def test_cause_is_joined(simulated: LocalPlatform, instance: TaskInstance) -> None:
    """The author's cause follows the reason; our marker stays first."""
    made = task(simulated, trigger_reason="nightly", additional_run_config={"cause": "for finance"})
    cause = triggered(simulated, run_task(made, instance))["cause"]
    assert cause.startswith("[dbt-rerun ")
    assert cause.endswith("nightly for finance")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"schema_override": "a", "additional_run_config": {"schema_override": "b"}},
            "schema_override='a' contradicts additional_run_config['schema_override']='b'",
        ),
        (
            {"steps_override": ["dbt run"], "additional_run_config": {"steps_override": ["dbt build"]}},
            "steps_override=['dbt run'] contradicts",
        ),
        ({"additional_run_config": {"schema_overide": "x"}}, "did you mean 'schema_override'"),
        ({"additional_run_config": {"threads_override": "many"}}, "threads_override'] takes a whole number"),
        ({"additional_run_config": ["x"]}, "additional_run_config takes a mapping"),
        ({"additional_run_config": {"cause": 5}}, "additional_run_config['cause'] takes a text"),
        ({"steps_override": "dbt run"}, "steps_override takes a list"),
        ({"steps_override": []}, "steps_override takes a list that is not empty"),
        ({"schema_override": ""}, "schema_override takes a text that is not empty"),
        ({"schema_override": "NULL"}, "schema_override is the text 'NULL', which stands for a missing value"),
        ({"additional_run_config": {"git_branch": "nan"}}, "additional_run_config['git_branch'] is the text 'nan'"),
        (
            {"steps_override": ["dbt builddbt test"]},
            "steps_override[0] is 'dbt builddbt test', and dbt has no command",
        ),
    ],
)
def test_wrong_overrides_are_refused_while_the_dag_is_parsed(
    simulated: LocalPlatform, arguments: dict[str, Any], words: str
) -> None:
    """The error names the field and what it takes."""
    with pytest.raises(DbtConfigError) as caught:
        task(simulated, **arguments)
    assert words in str(caught.value)
    assert simulated.posts() == []


def test_contradiction_that_a_template_makes_is_refused_when_it_is_rendered(
    simulated: LocalPlatform, instance: TaskInstance
) -> None:
    """Nothing is started then."""
    made = task(simulated, schema_override="a", additional_run_config={"schema_override": "{{ schema }}"})
    render(made, schema="b")
    with pytest.raises(DbtConfigError, match="contradicts"):
        run_task(made, instance)
    assert simulated.posts() == []


def test_the_same_value_twice_is_no_contradiction() -> None:
    """Given in both places alike, it is sent once."""
    made = run_request(["dbt  run"], "x", {"steps_override": ["dbt  run"], "schema_override": "x"})
    assert dict(made.overrides) == {"steps_override": ["dbt  run"], "schema_override": "x"}


def test_none_changes_nothing() -> None:
    """An absent argument is not sent."""
    assert dict(run_request(None, None, {"threads_override": None}).overrides) == {}
    assert dict(run_request(None, None, None).overrides) == {}
