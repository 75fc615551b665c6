"""Answers and requests, compared with dbt's own OpenAPI document (tests/data/dbt-admin-api-v2.yaml)."""

from __future__ import annotations

from functools import cache
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.api_document import schemas
from tests.support import Json, LocalPlatform


def json_schema(part: Any, *, is_property: bool = False) -> Any:
    """Translate OpenAPI 3.0 to JSON Schema: any property may be null.

    The document never uses ``nullable``, yet recorded answers have nulls in many properties. The check is about the
    other types, such as ``integer`` for ids and ``string`` for timestamps.
    """
    if isinstance(part, list):
        return [json_schema(each) for each in part]
    if not isinstance(part, dict):
        return part
    schema = {
        name: {key: json_schema(value, is_property=True) for key, value in each.items()}
        if name == "properties"
        else json_schema(each)
        for name, each in part.items()
    }
    return {"anyOf": [schema, {"type": "null"}]} if is_property else schema


@cache
def validator(name: str) -> jsonschema.Draft7Validator:
    """Return a validator for one of the document's schemas."""
    translated = {key: json_schema(schema) for key, schema in schemas().items()}
    whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": translated}}
    return jsonschema.Draft7Validator(whole)


@pytest.fixture(scope="module")
def run(shared_platform: LocalPlatform) -> Json:
    """Return a failed run with steps of both kinds."""
    return shared_platform.run("seeds", steps_override=["dbt seed", "dbt run --no-such-option"])


PATHS = {
    "runs/?include_related=trigger,job,audit&limit=5": "RunResponseListEnveloped",
    "runs/{run}/?include_related=trigger,job,environment,run_steps,audit,debug_logs": "RunResponseEnveloped",
    "runs/{run}/": "RunResponseEnveloped",
    "runs/{run}/retry/": "RunFailureDetailsEnveloped",
    "runs/{run}/artifacts/": "ListOfStringsEnveloped",
    "steps/{step}/": "RunStepEnveloped",
    "jobs/": "HumanReadableJobDefinitionListEnveloped",
    "jobs/{job}/": "HumanReadableJobDefinitionEnveloped",
    "environments/": "EnvironmentV2ListEnveloped",
    "projects/": "ProjectListEnveloped",
    "": "AccountEnveloped",
    "/api/v2/accounts/": "AccountListEnveloped",
}


@pytest.mark.dbt
@pytest.mark.parametrize(("path", "schema"), PATHS.items())
def test_answers_match_the_document(shared_platform: LocalPlatform, run: Json, path: str, schema: str) -> None:
    """Every value has the documented type, and required properties are present."""
    step = shared_platform.steps(run)[-1]["id"]
    answer = shared_platform.send("GET", path.format(run=run["id"], job=run["job_id"], step=step)).json()
    assert answer["data"]
    without_duckdb(answer["data"])
    assert [error.message for error in validator(schema).iter_errors(answer)] == []


def without_duckdb(data: Any) -> None:
    """Call the warehouse of the example project what dbt calls one that it has no name of its own for."""
    for each in data if isinstance(data, list) else [data]:
        if isinstance(each, dict) and each.get("connection"):
            assert each["connection"]["type"] == "duckdb"
            each["connection"]["type"] = "adapter"


@pytest.mark.dbt
@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("runs/{run}/", "RunResponse"),
        ("jobs/{job}/", "HumanReadableJobDefinitionResponse"),
        ("steps/{step}/", "RunStepResponse"),
        ("", "AccountResponse"),
        ("environments/{environment}/", "EnvironmentV2Response"),
        ("projects/{project}/", "ProjectResponse"),
    ],
)
def test_nothing_documented_is_missing(shared_platform: LocalPlatform, run: Json, path: str, schema: str) -> None:
    """Optional properties are present too, if only as nulls: a client can read any of them."""
    ids = {"run": run["id"], "job": run["job_id"], "step": shared_platform.steps(run)[-1]["id"]}
    ids |= {"environment": run["environment_id"], "project": run["project_id"]}
    documented = set(schemas()[schema]["properties"])
    assert documented - set(shared_platform.get(path.format(**ids))) == set()


# --- triggers

SAMPLES = {"string": "sample", "integer": 7, "boolean": True}
STEPS = ["dbt seed --select raw_orders"]


def a_full_trigger() -> Json:
    """Return a value for every field that the document names for a trigger."""
    fields = schemas()["TriggerRunRequestRequest"]["properties"]
    return {name: STEPS if field["type"] == "array" else SAMPLES[field["type"]] for name, field in fields.items()}


def test_every_documented_field_of_a_trigger_is_kept(simulated: LocalPlatform) -> None:
    """The answer to the POST shows all of them, and so does the run later, alone and in a list."""
    sent = a_full_trigger()
    run = simulated.post(f"jobs/{simulated.jobs['seeds']}/run/", sent)
    listed = simulated.get("runs/", pk=run["id"], include_related="trigger")[0]
    single = simulated.get(f"runs/{run['id']}/", include_related="trigger")
    for shown in (run, listed, single):
        assert {name: shown["trigger"][name] for name in sent} == sent
    done = simulated.wait(run)
    assert (done["status"], done["git_branch"], done["git_sha"]) == (10, "sample", "sample")


def test_a_documented_field_of_the_wrong_type_is_refused(simulated: LocalPlatform) -> None:
    """The platform checks the value of every field, and its message names the field."""
    for field, value in a_full_trigger().items():
        body = {**a_full_trigger(), field: {"not": value}}
        answer = simulated.send("POST", f"jobs/{simulated.jobs['seeds']}/run/", json=body)
        assert answer.status_code == 400
        assert answer.json()["status"]["user_message"].startswith(f"{field}: ")


def test_a_trigger_without_overrides_shows_every_documented_field(simulated: LocalPlatform) -> None:
    """As a null: a client can read any of them."""
    run = simulated.run("seeds")
    trigger = simulated.get(f"runs/{run['id']}/", include_related="trigger")["trigger"]
    documented = set(schemas()["RunTrigger"]["properties"])
    assert documented - set(trigger) == set()
    assert {trigger[name] for name in a_full_trigger().keys() - {"cause"}} == {None}


# --- the check itself


@pytest.mark.dbt
def test_the_check_finds_a_wrong_type(shared_platform: LocalPlatform, run: Json) -> None:
    """An id as text is reported, so the checks above can fail."""
    answer = shared_platform.send("GET", f"runs/{run['id']}/").json()
    answer["data"]["id"] = str(run["id"])
    assert [error.validator for error in validator("RunResponseEnveloped").iter_errors(answer)] == ["anyOf"]
