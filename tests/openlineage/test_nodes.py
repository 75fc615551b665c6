"""The events of nodes, from what dbt 1.11 wrote about a build in which a model and a test failed.

In ``tests/data/lineage``: model *broken* fails, so *below* and its two tests are skipped; test *unique_prices_id*
fails, so *revenue* and its two tests are skipped; test *not_null_prices_price* warns by ``warn_if`` although its
severity is *error*.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

pytest.importorskip("openlineage.common", reason="the extra openlineage is not installed")

from openlineage.client.serde import Serde
from openlineage.common.provider.dbt import ParentRunMetadata

from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.openlineage.artifacts import StepArtifacts
from airflow_dbt_rerun.openlineage.nodes import NodeEvents
from airflow_dbt_rerun.openlineage.parents import run_as_parent
from tests.core.builders import run
from tests.openlineage.shape import check_shape
from tests.support import Json

DATA = Path(__file__).parents[1] / "data" / "lineage"
WAREHOUSE = {"name": "wh", "type": "duckdb", "details": {"path": "/wh.duckdb"}}
TASK = ParentRunMetadata(str(uuid4()), "shop.build", "airflow", "shop", "airflow", str(uuid4()))
RUN = run(4711, created_at="2026-11-30 10:06:00+00:00", finished_at="2026-11-30 10:06:25+00:00")
MODEL, TESTS = ".build.run", ".build.test"


@pytest.fixture
def recorded() -> dict[str, Json]:
    """Read what dbt wrote."""
    return {name: json.loads((DATA / f"{name}.json").read_text()) for name in ("run_results", "manifest")}


def events(recorded: dict[str, Json], *, index: int = 4, of: Run = RUN, **known: Any) -> list[Json]:
    """Return the events of a step, as they are written."""
    results = recorded["run_results"]
    nodes = {node.unique_id: node for node in StepResults.from_artifact(results).nodes}
    me = run_as_parent(of, "dbt.example/1", TASK)
    made = NodeEvents(of, me, known.get("connection", WAREHOUSE), known.get("messages", {}))
    found = made.of_step(StepArtifacts(index, results, recorded["manifest"], nodes))
    return [json.loads(Serde.to_json(event)) for event in found]


def ends(found: list[Json]) -> dict[str, str]:
    """Return how each node ended, by its short name."""
    return {short(event): event["eventType"] for event in found if event["eventType"] != "START"}


def short(event: Json) -> str:
    """Return ``prices.build.test`` for ``wh.main.shop.prices.build.test``."""
    return str(event["job"]["name"]).partition(".shop.")[2]


def error(found: list[Json], name: str) -> str:
    """Return the error of a node that failed."""
    (event,) = (each for each in found if short(each) == name and each["eventType"] == "FAIL")
    return str(event["run"]["facets"]["errorMessage"]["message"])


def test_only_what_failed_is_failed(recorded: dict[str, Json]) -> None:
    """Skipped models and skipped tests have no events."""
    found = ends(events(recorded))
    assert found == {
        "alone" + MODEL: "COMPLETE",
        "broken" + MODEL: "FAIL",
        "prices" + MODEL: "COMPLETE",
        "prices" + TESTS: "FAIL",
    }


def test_a_warning_is_no_failure(recorded: dict[str, Json]) -> None:
    """Also if the test's severity is error, and only its ``warn_if`` made it a warning."""
    (failed,) = (r for r in recorded["run_results"]["results"] if r["unique_id"].startswith("test.shop.unique_pri"))
    failed["status"] = "pass"
    assert ends(events(recorded))["prices" + TESTS] == "COMPLETE"
    severities = {
        node["config"]["severity"] for name, node in recorded["manifest"]["nodes"].items() if "test." in name
    }
    assert severities == {"ERROR"}  # what was read is left as it was


def test_each_start_has_its_end(recorded: dict[str, Json]) -> None:
    """The two have one run id."""
    found = events(recorded)
    starts = {event["run"]["runId"] for event in found if event["eventType"] == "START"}
    assert len(starts) == len(found) / 2
    assert starts == {event["run"]["runId"] for event in found if event["eventType"] != "START"}


def test_errors_are_told_on_one_line_without_values(recorded: dict[str, Json]) -> None:
    """A model tells its own error, a model's tests those of the tests that failed."""
    found = events(recorded)
    assert error(found, "broken" + MODEL) == "Conversion Error: Could not convert string '…' to INT32"
    assert error(found, "prices" + TESTS) == "unique_prices_id: Got 1 result, configured to fail if != 0"
    assert not any("errorMessage" in event["run"]["facets"] for event in found if event["eventType"] != "FAIL")


def test_the_reports_message_goes_first(recorded: dict[str, Json]) -> None:
    """It may come from the log, which knows more than the results."""
    found = events(recorded, messages={"model.shop.broken": "no disk"})
    assert error(found, "broken" + MODEL) == "no disk"


def test_the_parent_is_the_dbt_run(recorded: dict[str, Json]) -> None:
    """Its root is the DAG run."""
    me = run_as_parent(RUN, "dbt.example/1", TASK)
    parents = [event["run"]["facets"]["parent"] for event in events(recorded)]
    assert {parent["run"]["runId"] for parent in parents} == {me.run_id}
    assert {parent["job"]["name"] for parent in parents} == {f"dbt-cloud-job-{RUN.job_id}"}
    assert {parent["root"]["run"]["runId"] for parent in parents} == {TASK.root_parent_run_id}


def test_ids_last(recorded: dict[str, Json]) -> None:
    """The same attempt has the same ids whenever it is emitted; another step, run or account has others."""
    first = ids(events(recorded))
    assert ids(events(recorded)) == first
    assert not ids(events(recorded, index=5)) & first
    assert not ids(events(recorded, of=run(4712, created_at=RUN.created_at))) & first
    assert run_as_parent(RUN, "dbt.example/2", TASK).run_id != run_as_parent(RUN, "dbt.example/1", TASK).run_id


def ids(found: list[Json]) -> set[str]:
    """Return the run ids of events."""
    return {event["run"]["runId"] for event in found}


def test_no_event_is_later_than_the_run(recorded: dict[str, Json]) -> None:
    """OpenLineage dates tests to the moment at which it reads the artifacts."""
    times = {short(event): event["eventTime"] for event in events(recorded) if event["eventType"] != "START"}
    assert times["prices" + TESTS] == "2026-11-30T10:06:25+00:00"
    assert times["prices" + MODEL] == "2026-11-30T10:06:22.095294+00:00"


def test_statuses_of_newer_dbts(recorded: dict[str, Json]) -> None:
    """A node that was reused is done, and one whose batches failed in part has failed."""
    status = {"model.shop.alone": "no-op", "model.shop.prices": "partial success"}
    for result in recorded["run_results"]["results"]:
        result["status"] = status.get(result["unique_id"], result["status"])
    found = ends(events(recorded))
    assert (found["alone" + MODEL], found["prices" + MODEL]) == ("COMPLETE", "FAIL")


def test_a_node_that_the_manifest_does_not_know_is_left_out(recorded: dict[str, Json]) -> None:
    """The others are told all the same."""
    del recorded["manifest"]["nodes"]["model.shop.alone"]
    assert set(ends(events(recorded))) == {"broken" + MODEL, "prices" + MODEL, "prices" + TESTS}


def test_the_manifest_names_the_adapter(recorded: dict[str, Json]) -> None:
    """A connection of type *adapter* does not; a warehouse that needs no address works without a connection."""
    recorded["manifest"]["metadata"]["adapter_type"] = "bigquery"
    for connection in (None, {"name": "wh", "type": "adapter", "details": None}):
        outputs = [output for event in events(recorded, connection=connection) for output in event["outputs"]]
        assert {output["namespace"] for output in outputs} == {"bigquery"}


def test_the_shape(recorded: dict[str, Json]) -> None:
    """Every event is one of the specification."""
    before = copy.deepcopy(recorded)
    for event in events(recorded):
        check_shape(event)
    assert recorded == before
