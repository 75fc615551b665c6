"""The simulated dbt v2: its output has the shape of what real dbt v2 left of the same commands, and heals alike."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from tenacity import wait_fixed

from airflow_dbt_rerun import DbtCloudJobOperator, DbtCloudRerunHook, DbtRunFailed, RerunPolicy
from airflow_dbt_rerun.audit import Finding, audit
from tests.border import TaskInstance, run_task
from tests.core.diagnosis.v2_samples import SAMPLES
from tests.scenarios.test_traps import lay_out
from tests.support import Json, LocalPlatform, local_platform

RESET = {"times": 1, "message": "Connection reset by peer"}
NOWHERE = "Ref 'nowhere' not found in project. Searched for 'tiny.nowhere, nowhere'"
REFUSED = '[libpq] Failed to connect: connection to server at "127.0.0.1", port 5999 failed: Connection refused'
EVENTS = "{{ config(event_time='moment') }} select timestamp '2026-01-01 12:00:00' as moment"
BATCHES = "{{ config(materialized='incremental', incremental_strategy='microbatch') }} from {{ ref('events') }}"
MICROBATCH = {"events": EVENTS, "batches": BATCHES, "last": "select * from {{ ref('batches') }}"}
RUN_MICROBATCH = "dbt run --select events batches last"


@pytest.fixture(scope="module")
def v2_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """One simulated v2 with the project of which the recorded commands are."""
    folder = tmp_path_factory.mktemp("simulated_v2")
    lay_out(folder / "project")
    with local_platform(folder, "--simulate", "--engine", "v2", jobs={"tiny": "dbt build"}) as platform:
        yield platform


@pytest.fixture
def platform(v2_platform: LocalPlatform) -> Iterator[LocalPlatform]:
    """The platform as it was before any test."""
    before = v2_platform.control("GET", "behaviour")
    yield v2_platform
    v2_platform.behave(**before)
    v2_platform.trouble()
    lay_out(v2_platform.project)


# --- Beside recorded commands


def log_of(platform: LocalPlatform, run: Json) -> str:
    """What the last step printed."""
    log: str = platform.steps(run)[-1]["logs"]
    return log.removesuffix("\n").removesuffix("dbt command failed").rstrip()


def artifact(platform: LocalPlatform, run: Json, name: str = "run_results") -> Json:
    """A file that the last step wrote."""
    written: Json = platform.send("GET", f"runs/{run['id']}/artifacts/{name}.json").json()
    return written


def recorded(name: str) -> tuple[str, Json]:
    """A recorded command: its console and its results, if it wrote any."""
    results = SAMPLES / f"{name}.run_results.json"
    written = json.loads(results.read_text()) if results.exists() else {"results": []}
    return (SAMPLES / f"{name}.console.log").read_text().rstrip(), written


def form(log: str) -> Counter[str]:
    """The lines of a console without times, in any order: which of two nodes ends first is chance."""
    bare = log.replace("C Data interface error: ", "")  # the driver's words, which differ with its version
    return Counter(re.sub(r"\[ *[\d.]+(?:s|ms|us)\]", "[TIME]", line) for line in bare.splitlines())


def block_of(log: str) -> str:
    """The block of errors in a console."""
    return log.partition("= Errors and Warnings =")[2].partition("= Execution Summary =")[0]


def meaning(results: Json) -> dict[str, tuple[Any, ...]]:
    """What is recorded of each node."""
    return {
        result["unique_id"]: (result["status"], _words(result["message"]), result.get("failures"))
        for result in results["results"]
    }


def _words(message: str) -> str:
    return message.replace("C Data interface error: ", "")


def shape(value: Any) -> Any:
    """The keys and the kinds of values of JSON, of lists those of any element."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted({json.dumps(shape(inner), sort_keys=True) for inner in value})
    return "number" if isinstance(value, int | float) else type(value).__name__


CASES = {
    "tiny_success/1-build": ("dbt build", []),
    "tiny_retry/1-build": ("dbt build", [{"node": "prices", **RESET}]),
    "duck_result_model/1-build": ("dbt build", [{"node": "revenue", **RESET}]),
    "duck_result_test/1-build": ("dbt build", [{"node": "no_price_is_missing", **RESET}]),
    "tiny_parse/1-build": ("dbt build", [{"node": "revenue", "parsing": True, "message": NOWHERE}]),
    "tiny_target/1-build": ("dbt build --target late", []),
    "tiny_microbatch/1-run": (RUN_MICROBATCH, [{"node": "batches", **RESET}]),
}


@pytest.mark.parametrize("name", CASES)
def test_output_is_that_of_real_v2(platform: LocalPlatform, name: str) -> None:
    """The console line by line, what each node's result says, and the keys of the results."""
    command, trouble = CASES[name]
    if command == RUN_MICROBATCH:
        write_models(platform, MICROBATCH)
    platform.trouble(*trouble)
    run = platform.run("tiny", steps_override=[command])
    console, results = recorded(name)
    assert form(log_of(platform, run)) == form(console)
    if results["results"]:
        simulated = artifact(platform, run)
        assert meaning(simulated) == meaning(results)
        assert shape(simulated | {"metadata": {}}) == shape(without_rows(results) | {"metadata": {}})
        assert simulated["metadata"].keys() == results["metadata"].keys()
        assert simulated["metadata"]["dbt_version"] == results["metadata"]["dbt_version"]
    else:
        assert run["retry_not_supported_reason"] == "RETRY_NO_RUN_RESULTS"


def write_models(platform: LocalPlatform, models: dict[str, str]) -> None:
    """Add models to the project."""
    for model, code in models.items():
        (platform.project / "models" / f"{model}.sql").write_text(code)


def without_rows(results: Json) -> Json:
    """Results without the number of rows, which no simulation has."""
    return results | {"results": [each | {"adapter_response": {}} for each in results["results"]]}


def test_retry_is_that_of_real_v2(platform: LocalPlatform) -> None:
    """It runs what is unfinished, and fails if nothing is."""
    platform.trouble({"node": "prices", **RESET})
    healed = platform.retry(platform.run("tiny"))
    console, results = recorded("tiny_retry/2-retry")
    assert form(log_of(platform, healed)) == form(console)
    assert meaning(artifact(platform, healed)) == meaning(results)
    state = platform.state.parent / "runs" / str(healed["id"]) / "4" / "artifacts"
    again = platform.run("tiny", steps_override=[f"dbt retry --state {state}"])
    assert form(log_of(platform, again)) == form(recorded("tiny_retry/3-retry")[0])


def test_fail_fast_leaves_placeholders(platform: LocalPlatform) -> None:
    """Which nodes end before it stops is chance; errors and results are not."""
    platform.trouble({"node": "prices", **RESET})
    run = platform.run("tiny", steps_override=["dbt build --fail-fast"])
    console, results = recorded("tiny_fail_fast/1-build")
    assert form(block_of(log_of(platform, run))) == form(block_of(console))
    assert meaning(artifact(platform, run)) == meaning(results)


def test_refused_connection_leaves_placeholders(platform: LocalPlatform) -> None:
    """The recorded one is of another project, on Postgres: the error has the same words."""
    platform.trouble({"node": "connection", "times": 1, "message": REFUSED})
    run = platform.run("tiny")
    (line,) = (line for line in log_of(platform, run).splitlines() if line.startswith("[error]"))
    expected = next(each for each in recorded("pg_refused/1-build")[0].splitlines() if each.startswith("[error]"))
    assert re.sub(r"'[^']*'|for \S+", "", line) == re.sub(r"'[^']*'|for \S+", "", expected)
    assert "Summary:" not in log_of(platform, run)
    assert {each[:2] for each in meaning(artifact(platform, run)).values()} == {("error", "Compilation Error")}


@pytest.mark.parametrize(
    ("node", "name"), [("revenue", "int_model/1-build"), ("no_price_is_missing", "int_test/1-build")]
)
def test_cancelled_command_leaves_placeholders(platform: LocalPlatform, node: str, name: str) -> None:
    """As on SIGINT; the cancellations are all that the log says."""
    platform.trouble({"node": node, "times": 1, "seconds": 60})
    cancelled = platform.trigger("tiny")
    platform.until_troubled(node)
    platform.cancel(cancelled)
    cancelled = platform.wait(cancelled)
    console, results = recorded(name)
    assert block_of(log_of(platform, cancelled)) == block_of(console)
    assert meaning(artifact(platform, cancelled)) == meaning(results)


def test_manifest_names_the_adapter(platform: LocalPlatform) -> None:
    """The results do not; both have the platform's variables."""
    run = platform.run("tiny")
    manifest = artifact(platform, run, "manifest")
    assert manifest["metadata"]["adapter_type"] == "duckdb"
    assert manifest["child_map"]["model.tiny.prices"] == [
        "model.tiny.revenue",
        "test.tiny.no_price_is_missing",
        "test.tiny.no_price_is_zero",
    ]
    assert artifact(platform, run)["metadata"]["env"]["DBT_CLOUD_RUN_ID"] == str(run["id"])


@pytest.mark.parametrize("command", ["dbt docs generate", "dbt run --select"])
def test_unsupported_command_fails_before_the_first_node(platform: LocalPlatform, command: str) -> None:
    """It leaves no node results."""
    done = platform.run("tiny", steps_override=[command])
    assert (done["status"], log_of(platform, done).startswith("error: ")) == (20, True)


def test_selection_that_matches_nothing_succeeds(platform: LocalPlatform) -> None:
    """With empty results and a warning."""
    done = platform.run("tiny", steps_override=["dbt run --select no_such_model"])
    assert done["status"] == 10
    assert artifact(platform, done)["results"] == []
    assert "Finished 'run' with 1 warning for target" in log_of(platform, done)


# --- Healed through the operator


@pytest.fixture
def heal(
    platform: LocalPlatform,
    instance: TaskInstance,
    monkeypatch: pytest.MonkeyPatch,
    test_mode: None,  # noqa: ARG001
) -> Any:
    """Run a command through the operator, with the default policy; give the report's attempts."""
    platform.connect(monkeypatch)
    platform.control("DELETE", "requests")

    def run(command: str) -> list[Json]:
        operator = DbtCloudJobOperator(
            task_id="t",
            job_id=platform.jobs["tiny"],
            steps_override=[command],
            policy=RerunPolicy(wait=wait_fixed(0)),
            check_interval=0.05,
        )
        run_task(operator, instance)
        attempts: list[Json] = instance.xcom("dbt_rerun_report")["attempts"]
        done = audit(DbtCloudRerunHook().client, instance.xcom("job_run_id"), of_run=attempts[0]["run_id"])
        assert done.finding is Finding.DONE, done.to_dict()
        return attempts

    return run


@pytest.mark.parametrize(
    ("command", "trouble", "kind"),
    [
        ("dbt build", {"node": "revenue", **RESET}, "rerun_from_failure"),
        ("dbt build", {"node": "no_price_is_missing", **RESET}, "rerun_from_failure"),
        ("dbt build", {"node": "connection", **RESET}, "rerun_from_failure"),
        ("dbt build --fail-fast", {"node": "prices", **RESET}, "rerun_from_failure"),
        ("dbt run --vars '{day: monday}'", {"node": "prices", **RESET}, "rerun_from_step"),
        ("dbt run --full-refresh", {"node": "prices", **RESET}, "rerun_from_step"),
        (RUN_MICROBATCH, {"node": "batches", **RESET}, "rerun_from_step"),
    ],
)
def test_passing_error_heals(platform: LocalPlatform, heal: Any, command: str, trouble: Json, kind: str) -> None:
    """Resumed where dbt v2 has recorded everything; as a whole where its retry would leave something out."""
    if command == RUN_MICROBATCH:
        write_models(platform, MICROBATCH)
    platform.trouble(trouble)
    first, second = heal(command)
    assert first["findings"][0]["category"] == "transient"
    assert second["kind"] == kind
    assert second["verification"].startswith("verified")


@pytest.mark.parametrize(
    ("trouble", "category"),
    [
        ({"node": "no_price_is_missing", "times": 1, "failures": 2}, "test_failed"),
        ({"node": "revenue", "parsing": True, "message": NOWHERE}, "code"),
    ],
)
def test_lasting_error_is_not_rerun(platform: LocalPlatform, heal: Any, trouble: Json, category: str) -> None:
    """A failed test has no error in the log; a parse error has nothing but."""
    platform.trouble(trouble)
    with pytest.raises(DbtRunFailed) as failed:
        heal("dbt build")
    assert failed.value.diagnosis is not None
    assert str(failed.value.diagnosis.verdict) == category
