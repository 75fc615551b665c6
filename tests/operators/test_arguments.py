"""What people give as arguments: refused by name, at parse or after rendering, before anything is sent."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from airflow.providers.common.compat.sdk import DAG, BaseOperator

from airflow_dbt_rerun import (
    DbtCloudGetJobRunArtifactOperator,
    DbtCloudJobOperator,
    DbtCloudJobRunEventTrigger,
    DbtCloudJobSensor,
    DbtCloudListJobRunsOperator,
    DbtCloudListJobsOperator,
    DbtCloudRerunHook,
    DbtCloudRerunOperator,
    DbtCloudRunArrivalTrigger,
    DbtCloudRunSensor,
    DbtCloudRunTrigger,
    RerunPolicy,
)
from airflow_dbt_rerun.exceptions import DbtConfigError, DbtRerunError
from airflow_dbt_rerun.testing import set_testing
from tests.api.scripted import Answer, error, html, serving
from tests.border import TaskInstance, run_task
from tests.support import Json, LocalPlatform
from tests.system.airflow_stack import AIRFLOW_2

NAN = float("nan")
BROKEN = {"node": "orders", "times": 1, "message": "Table with name raw_refunds does not exist!"}
LIVE = {"dbt_cloud_conn_id": "dbt_cloud_default"}
NEEDED: dict[Any, dict[str, Any]] = {
    DbtCloudJobOperator: {"task_id": "t", "job_id": 1},
    DbtCloudRerunOperator: {"task_id": "t", "run_id": 1},
    DbtCloudJobSensor: {"task_id": "t", "job_id": 1},
    DbtCloudRunSensor: {"task_id": "t", "run_id": 1},
    DbtCloudListJobsOperator: {"task_id": "t"},
    DbtCloudListJobRunsOperator: {"task_id": "t"},
    DbtCloudGetJobRunArtifactOperator: {"task_id": "t", "run_id": 1, "path": "manifest.json"},
    DbtCloudJobRunEventTrigger: {},
    DbtCloudRunTrigger: {**LIVE, "run_id": 1},
    DbtCloudRunArrivalTrigger: {**LIVE, "awaited": {}},
    DbtCloudRerunHook: {},
}
ODD: tuple[Any, ...] = (
    None,
    True,
    False,
    "False",
    "None",
    "",
    " ",
    "x",
    "9" * 5000,
    10**400,
    "60",
    0,
    -1,
    1.5,
    NAN,
    math.inf,
    b"x",
    [],
    [None],
    ["x"],
    [[]],
    {},
    {"x": 1},
    {1: 2},
    {"cause": NAN},
    {"retry_limit": NAN},
    {"threads_override": "8"},
    object(),
    int,
    timedelta(0),
    timedelta(seconds=-1),
    lambda: None,
    lambda _, __: None,
    lambda _: None,
    "{{ params.x }}",
)
STORED = (DbtCloudRunTrigger, DbtCloudRunArrivalTrigger)
"""Their rows are in Airflow's database: what the hook refuses becomes an event there, not an error of the row."""


needs_watchers = pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no asset watchers")


def arguments() -> list[Any]:
    """List each argument of each public class."""
    by_hook = ("dbt_cloud_conn_id", "account_id", "hook_params")
    return [
        pytest.param(
            cls,
            name,
            id=f"{cls.__name__}-{name}",
            marks=[needs_watchers] if cls is DbtCloudJobRunEventTrigger else [],
        )
        for cls in NEEDED
        for name in cls.takes
        if cls not in STORED or name not in by_hook
    ]


def made(cls: Any, **given: Any) -> Any:
    """Make an object of a class with what it needs, and something else."""
    return cls(**{**NEEDED[cls], **given})


@pytest.mark.parametrize(("cls", "name"), arguments())
def test_odd_value_is_refused_by_name_or_taken(cls: Any, name: str) -> None:
    """Each odd value of each argument is what the table takes, or one line that names the argument."""
    other = {"run_id": None} if (cls, name) == (DbtCloudRerunOperator, "job_id") else {}
    refusals = [each for value in ODD if (each := refusal(cls, **{**other, name: value}))]
    assert len(refusals) > len(ODD) / 3
    assert [each for each in refusals if name not in each or "\n" in each] == []


def refusal(cls: Any, **given: Any) -> str | None:
    """Return why arguments are refused, or None if they are taken. Any other error is none of ours."""
    try:
        made(cls, **given)
    except DbtConfigError as error:
        return str(error)
    return None


SECONDS = ["check_interval", "quickest_check_interval", "poll_tolerance", "timeout"]


@pytest.mark.parametrize("name", SECONDS)
@pytest.mark.parametrize("value", [NAN, math.inf, -math.inf, -1, 0, "60", True, [60], "{{ params.x }}", b"1"])
def test_seconds_are_numbers_above_zero(name: str, value: Any) -> None:
    """NaN compares false with everything, so it passed for a number above zero; text was compared with one."""
    with pytest.raises(DbtConfigError, match=rf"^{name} takes a number of seconds above zero, not "):
        DbtCloudJobOperator(task_id="t", job_id=1, **{name: value})


def test_duration_is_told_how_it_is_written() -> None:
    """Operators take seconds; sensors take a timedelta, too, as Airflow's do."""
    with pytest.raises(DbtConfigError, match=r"timeout takes a number of seconds above zero, not .*: write 7200"):
        DbtCloudJobOperator(task_id="t", job_id=1, timeout=cast("Any", timedelta(hours=2)))
    sensor = DbtCloudJobSensor(
        task_id="t", job_id=1, timeout=timedelta(hours=2), poke_interval=timedelta(seconds=5)
    )
    assert (sensor.timeout, sensor.check_interval, sensor.poke_interval) == (7200, 5, 5)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: made(DbtCloudRerunOperator, mode="from_failur"), "mode: 'from_failure'"),
        (lambda: made(DbtCloudRerunOperator, mode="From_Start"), "mode: 'from_start'"),
        (lambda: made(DbtCloudJobSensor, match="lates"), "match: 'latest'"),
        (
            lambda: made(DbtCloudJobSensor, cause_categories="schedule"),
            "cause_categories: 'scheduled'",
        ),
        (
            lambda: made(DbtCloudJobSensor, cause_categories=["ui", "job_completion"]),
            "cause_categories: 'job completion'",
        ),
        (lambda: made(DbtCloudJobOperator, reattach="retries"), "reattach: 'retry'"),
        pytest.param(
            lambda: DbtCloudJobRunEventTrigger(statuses=["success", "eror"]),
            "statuses: 'error'",
            marks=needs_watchers,
        ),
        (
            lambda: made(DbtCloudJobOperator, hook_params={"retry_limt": 3}),
            "hook_params: 'retry_limit'",
        ),
        (
            lambda: made(DbtCloudJobOperator, additional_run_config={"thread_override": 3}),
            "additional_run_config: 'threads_override'",
        ),
        (
            lambda: made(DbtCloudJobOperator, policy={"superseded": "adopted"}),
            "policy.superseded: 'adopt'",
        ),
        (
            lambda: DbtCloudJobOperator(
                task_id="t", job_id=1, policy={"rules": [{"when": {"run": {"cause_category": "schedule"}}}]}
            ),
            "policy.rules[0].when.run.cause_category: 'scheduled'",
        ),
    ],
)
def test_words_are_suggested(make: Callable[[], Any], words: str) -> None:
    """A misspelt word is answered with the closest one that exists."""
    with pytest.raises(DbtConfigError) as caught:
        make()
    name, meant = words.split(": ")
    assert str(caught.value).startswith(name)
    assert f"did you mean {meant}?" in str(caught.value)


@pytest.mark.parametrize(
    ("cls", "given", "words"),
    [
        (DbtCloudJobOperator, {"job_id": 1.5}, "job_id must be a number, not 1.5"),
        (DbtCloudJobOperator, {"job_id": [1]}, "job_id must be a number, not [1]"),
        (
            DbtCloudJobOperator,
            {"steps_override": "dbt build"},
            "takes a list, not 'dbt build': write ['dbt build']",
        ),
        (
            DbtCloudJobOperator,
            {"additional_run_config": {"steps_override": "dbt build"}},
            "additional_run_config['steps_override'] takes a list, not 'dbt build': write ['dbt build']",
        ),
        (
            DbtCloudJobOperator,
            {"additional_run_config": {"threads_override": "{{ params.threads }}", "shema": "x"}},
            "additional_run_config: there is no field 'shema'",
        ),
        (
            DbtCloudJobOperator,
            {"hook_params": {"retry_limit": NAN}},
            "hook_params['retry_limit'] takes a whole number",
        ),
        (DbtCloudJobOperator, {"hook_params": {"account_id": 3}}, "hook_params: there is no argument 'account_id'"),
        (DbtCloudJobOperator, {"on_rerun": lambda: None}, "cannot be called with one argument"),
        (DbtCloudJobOperator, {"on_rerun": [print, lambda _, __: None]}, "cannot be called with one argument"),
        (DbtCloudJobOperator, {"on_rerun": dict}, "on_rerun takes functions or notifiers, not the class dict"),
        (
            DbtCloudJobOperator,
            {"trigger_reason": "None"},
            "trigger_reason is the text 'None': write None without",
        ),
        (DbtCloudRerunOperator, {"dry_run": "False"}, "dry_run takes True or False, not 'False'"),
        (DbtCloudRerunOperator, {"dry_run": None}, "dry_run takes True or False, not None"),
        (DbtCloudJobOperator, {"deferrable": "False"}, "deferrable takes True or False, not 'False'"),
        (DbtCloudJobOperator, {"cancel_on_kill": "no"}, "cancel_on_kill takes True or False, not 'no'"),
        (DbtCloudJobSensor, {"soft_fail": "False"}, "soft_fail takes True or False, not 'False'"),
        (
            DbtCloudJobSensor,
            {"check_interval": 5},
            "check_interval is an argument of the operators: give the",
        ),
        (DbtCloudJobSensor, {"git_branch": 3}, "git_branch takes a text, not 3"),
        (DbtCloudRerunHook, {"retry_delay": "x"}, "retry_delay takes a number of seconds, at least 0, not 'x'"),
        (
            DbtCloudRerunHook,
            {"timeout_seconds": -1},
            "timeout_seconds takes a number of seconds above zero",
        ),
        pytest.param(
            DbtCloudJobRunEventTrigger,
            {"include_reruns": "False"},
            "include_reruns takes True or False, not",
            marks=needs_watchers,
        ),
    ],
)
def test_wrong_value_is_named_with_the_fix(cls: Any, given: dict[str, Any], words: str) -> None:
    """Each is refused where the DAG is parsed."""
    with pytest.raises(DbtConfigError) as caught:
        made(cls, **given)
    assert words in str(caught.value)


@pytest.mark.parametrize("name", ["timeout", "deferrable", "hook_params", "signatures", "reattach", "on_rerun"])
def test_template_where_none_is_rendered_is_refused(name: str) -> None:
    """Airflow would pass the text itself."""
    with pytest.raises(DbtConfigError, match=rf"^{name} .*: Airflow does not render a template here"):
        DbtCloudJobOperator(task_id="t", job_id=1, **{name: cast("Any", "{{ params.x }}")})


def test_wrong_pace_of_a_trigger_is_named() -> None:
    """The pace is plain JSON that the operators write; a row that another version wrote says what is wrong."""
    with pytest.raises(TypeError, match="check_interval takes a number of seconds, at least 0, not 'x'"):
        made(DbtCloudRunTrigger, check_interval="x")


def test_output_of_another_task_is_a_template() -> None:
    """XComs and parameters of the DAG are known later only, as a Jinja text is."""
    with DAG(dag_id="d", schedule=None, params={"x": 1}) as dag:
        output: Any = BaseOperator(task_id="before").output
        DbtCloudJobOperator(
            task_id="job", job_id=output, policy=output, schema_override=output, additional_run_config=output
        )
        DbtCloudRerunOperator(
            task_id="rerun", run_id=output["id"], mode=output, dry_run=cast("Any", dag.param("x"))
        )
        DbtCloudJobSensor(task_id="sensor", job_id=output, since=output, match=output, cause_categories=[output])


def test_policy_with_a_template_inside_is_rendered() -> None:
    """A mapping that holds a template is read once that is rendered, not with the template as the pattern."""
    policy = {"rules": [{"when": {"message": "{{ params.pattern }}"}}]}
    operator = DbtCloudJobOperator(task_id="t", job_id=1, policy=policy)
    render(operator, params={"pattern": "deadlock"})
    operator._read_arguments()
    assert operator.policy == RerunPolicy.from_dict({"rules": [{"when": {"message": "deadlock"}}]})


# --- Rendered


def render(operator: Any, **context: Any) -> None:
    """Render the templates as Airflow does before it executes a task."""
    operator.render_template_fields(cast("Any", context), operator.get_template_env())


@pytest.fixture
def failed(simulated: LocalPlatform) -> Json:
    """Start a run outside the task that fails on a bug."""
    simulated.trouble(BROKEN)
    return simulated.run("nightly")


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("native", [False, True], ids=["text", "native"])
@pytest.mark.parametrize("dry", [False, True])
@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
def test_dry_run_is_rendered(
    simulated: LocalPlatform, failed: Json, instance: TaskInstance, *, native: bool, dry: bool, deferrable: bool
) -> None:
    """``dry_run="{{ params.dry }}"`` with False reruns: its text was taken for true, and the task was green."""
    with DAG(dag_id="d", schedule=None, render_template_as_native_obj=native):
        operator = DbtCloudRerunOperator(
            task_id="again",
            run_id=failed["id"],
            dry_run="{{ params.dry }}",
            deferrable=deferrable,
            check_interval=0.05,
        )
    render(operator, params={"dry": dry})
    assert type(operator.plan_only) is (bool if native else str)
    result: Any = run_task(operator, instance)
    if dry:
        assert result["action"] == "rerun_from_failure"
        assert len(simulated.posts()) == 1
    else:
        assert simulated.get(f"runs/{result}/")["retrying_run_id"] == failed["id"]


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("value", ["yes", "0", "1", "", "None", "Falsch", 0, 1, None, [], ["x"]])
def test_dry_run_that_renders_to_something_else_sends_nothing(
    simulated: LocalPlatform, instance: TaskInstance, value: Any
) -> None:
    """Neither a plan nor a rerun: the argument is named, and dbt is not asked."""
    operator = DbtCloudRerunOperator(task_id="again", run_id=1, dry_run="{{ params.dry }}")
    operator.plan_only = value
    with pytest.raises(DbtConfigError, match=r"^dry_run "):
        run_task(operator, instance)
    assert simulated.paths() == []
    assert simulated.posts() == []


@pytest.mark.parametrize(
    ("cls", "given", "rendered_to", "read"),
    [
        (DbtCloudJobOperator, "steps_override", "['dbt seed', 'dbt build']", ("dbt seed", "dbt build")),
        (DbtCloudJobOperator, "steps_override", '["dbt seed"]', ("dbt seed",)),
        (DbtCloudJobOperator, "additional_run_config", "{'threads_override': 8}", {"threads_override": 8}),
        (
            DbtCloudJobOperator,
            "additional_run_config",
            {"threads_override": "8", "generate_docs_override": "false", "git_sha": "1234567", "cause": "why"},
            {"threads_override": 8, "generate_docs_override": False, "git_sha": "1234567", "cause": "why"},
        ),
        (DbtCloudJobOperator, "job_id", " 48617 ", 48617),
        (DbtCloudJobOperator, "schema_override", "2024", "2024"),
        (DbtCloudRerunOperator, "mode", "from_step", "from_step"),
        (DbtCloudRerunOperator, "dry_run", "TRUE", True),
        (DbtCloudJobSensor, "cause_categories", "['ui', 'api']", ("ui", "api")),
        (DbtCloudJobSensor, "cause_categories", "ui", ("ui",)),
        (DbtCloudJobSensor, "since", "2026-11-23T05:00:00", datetime(2026, 11, 23, 5, tzinfo=UTC)),
    ],
)
def test_rendered_text_stands_for_what_it_says(cls: Any, given: str, rendered_to: Any, read: Any) -> None:
    """Airflow renders everything to text, unless the DAG asks for native objects."""
    operator = made(cls, **{given: "{{ x }}"})
    attribute = cls.stored_as.get(given, given)
    setattr(operator, attribute, rendered_to)
    operator._read_arguments()
    assert getattr(operator, attribute) == read
    operator._read_arguments()
    assert getattr(operator, attribute) == read


@pytest.mark.parametrize(
    ("given", "rendered_to", "words"),
    [
        ("schema_override", "NULL", "schema_override is the text 'NULL', which stands for a missing value"),
        ("schema_override", "nan", "or check its template"),
        ("schema_override", "[]", "leave the field out"),
        ("steps_override", "null", "steps_override is 'null' after rendering, which says nothing"),
        ("steps_override", "~", "steps_override takes a list, not '~'"),
        ("additional_run_config", "null", "additional_run_config is 'null' after rendering"),
        ("additional_run_config", '{"schema_override": null}', "additional_run_config['schema_override'] is null"),
        ("policy", "null", "policy takes a mapping of rules"),
    ],
)
def test_template_that_renders_to_null_is_refused(given: str, rendered_to: str, words: str) -> None:
    """``{{ params.x | tojson }}`` of None: without its override, the job would build into production."""
    operator = made(DbtCloudJobOperator, **{given: "{{ x }}"})
    setattr(operator, given, rendered_to)
    with pytest.raises(DbtConfigError) as caught:
        operator._read_arguments()
    assert words in str(caught.value)


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize("value", ["None", "", "  "])
@pytest.mark.parametrize(
    ("cls", "name"),
    [
        (DbtCloudJobOperator, "schema_override"),
        (DbtCloudJobOperator, "steps_override"),
        (DbtCloudJobOperator, "trigger_reason"),
        (DbtCloudJobOperator, "account_id"),
        (DbtCloudJobOperator, "dbt_cloud_conn_id"),
        (DbtCloudJobOperator, "policy"),
        (DbtCloudRerunOperator, "mode"),
        (DbtCloudRerunOperator, "dry_run"),
        (DbtCloudJobSensor, "git_branch"),
        (DbtCloudJobSensor, "cause_categories"),
        (DbtCloudJobSensor, "since"),
    ],
)
def test_template_that_renders_to_nothing_is_refused(
    simulated: LocalPlatform, instance: TaskInstance, cls: Any, name: str, value: str
) -> None:
    """A missing value must not be taken for one that was not given, or for the text 'None'; nothing is sent."""
    operator = made(cls, **{name: "{{ x }}"})
    setattr(operator, cls.stored_as.get(name, name), value)
    with pytest.raises(DbtConfigError, match=f"^{name} is .* after rendering: check its template"):
        run_task(operator, instance)
    assert simulated.paths() == []


@pytest.mark.usefixtures("connected")
@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"schema_override": "None"}, "additional_run_config['schema_override'] is 'None' after rendering"),
        ({"threads_override": "many"}, "additional_run_config['threads_override'] takes a whole number"),
        ({"generate_docs_override": "yes"}, "additional_run_config['generate_docs_override'] takes True or False"),
        ("['x']", "additional_run_config takes a mapping"),
        ("{'shema': 'x'}", "additional_run_config: there is no field 'shema'"),
    ],
)
def test_rendered_config_is_checked_before_anything_is_sent(
    simulated: LocalPlatform, instance: TaskInstance, config: Any, words: str
) -> None:
    """The field is named as at parse."""
    operator = DbtCloudJobOperator(task_id="t", job_id=1, additional_run_config=cast("Any", "{{ x }}"))
    operator.additional_run_config = config
    with pytest.raises(DbtConfigError) as caught:
        run_task(operator, instance)
    assert words in str(caught.value)
    assert simulated.paths() == []


# --- What is wrong with the connection


ANSWERS = {
    "token": (error(401, "Invalid token."), "compare the connection's host .* then check the token"),
    "account": (error(403, "Access denied."), "check the account id, then the token's permissions"),
    "other account": (error(404, "Not found."), "check the account id, then the host|correct job_id"),
    "other host": (html(404), "an HTML page, so this is not the API"),
}


@pytest.mark.parametrize(("answer", "words"), ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize("cls", [DbtCloudJobOperator, DbtCloudRerunOperator, DbtCloudJobSensor])
def test_first_message_says_what_to_check(
    monkeypatch: pytest.MonkeyPatch, instance: TaskInstance, cls: Any, answer: Answer, words: str
) -> None:
    """Wrong token, wrong account: one request says so, and nothing is started, however often Airflow retries."""
    with serving() as server, set_testing(True):
        server.answers(answer)
        connection = {"host": f"http://{server.address}", "login": "123", "password": "secret"}
        monkeypatch.setenv("AIRFLOW_CONN_DBT_CLOUD_DEFAULT", json.dumps({"conn_type": "dbt_cloud", **connection}))
        needed: dict[str, Any] = {"run_id": None} if cls is DbtCloudRerunOperator else {}
        needed |= {"since": datetime(2026, 1, 1, tzinfo=UTC)} if cls is DbtCloudJobSensor else {}
        for _ in range(2):
            with pytest.raises(DbtRerunError, match=words):
                run_task(made(cls, job_id=5, **needed), instance)
        assert [asked.method for asked in server.asked] == ["GET", "GET"]
