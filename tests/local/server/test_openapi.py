"""What is served, checked against dbt's own OpenAPI document (tests/data/dbt-admin-api-v2.yaml)."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from tests.support import Json, LocalPlatform

pytestmark = pytest.mark.dbt

DOCUMENT = Path(__file__).parents[2] / "data" / "dbt-admin-api-v2.yaml"


def json_schema(part: Any, *, is_property: bool = False) -> Any:
    """Translate OpenAPI 3.0 to JSON Schema: any property may be null.

    The document never says ``nullable``, yet recorded answers have nulls in many properties; it says ``integer``
    for ids and ``string`` for moments, and these are what the check is for.
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
def components() -> Json:
    """Return the document's schemas."""
    loaded: Json = yaml.safe_load(DOCUMENT.read_text())["components"]["schemas"]
    return loaded


@cache
def validator(name: str) -> jsonschema.Draft7Validator:
    """Return a validator for one of the document's schemas."""
    schemas = {key: json_schema(schema) for key, schema in components().items()}
    return jsonschema.Draft7Validator({"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}})


@pytest.fixture(scope="module")
def run(shared_platform: LocalPlatform) -> Json:
    """A failed run with steps of both kinds."""
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


@pytest.mark.parametrize(("path", "schema"), PATHS.items())
def test_answers_are_of_the_documented_shape(
    shared_platform: LocalPlatform, run: Json, path: str, schema: str
) -> None:
    """Every value has the documented type, and what is required is there."""
    step = shared_platform.steps(run)[-1]["id"]
    answer = shared_platform.send("GET", path.format(run=run["id"], job=run["job_id"], step=step)).json()
    assert answer["data"]
    assert [error.message for error in validator(schema).iter_errors(answer)] == []


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
    """Optional properties are there too, if only as nulls: a client may read any of them."""
    ids = {"run": run["id"], "job": run["job_id"], "step": shared_platform.steps(run)[-1]["id"]}
    ids |= {"environment": run["environment_id"], "project": run["project_id"]}
    documented = set(components()[schema]["properties"])
    assert documented - set(shared_platform.get(path.format(**ids))) == set()


def test_the_check_finds_a_wrong_type(shared_platform: LocalPlatform, run: Json) -> None:
    """An id as text is reported: the checks above can fail."""
    answer = shared_platform.send("GET", f"runs/{run['id']}/").json()
    answer["data"]["id"] = str(run["id"])
    assert [error.validator for error in validator("RunResponseEnveloped").iter_errors(answer)] == ["anyOf"]
