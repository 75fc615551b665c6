"""Whether events have the shape that OpenLineage's specification asks for.

The Python client ships classes, which check times, URIs and ids, but not the specification itself. What it requires
(spec 2-0-2: ``RunEvent``, ``Run``, ``Job``, ``Dataset``, ``BaseFacet``, ``ParentRunFacet`` 1-2-0,
``ErrorMessageRunFacet`` 1-0-1) is written down here. With ``OPENLINEAGE_SPEC=<folder "spec" of a checkout of
OpenLineage>`` in the environment, the events are checked by the JSON Schemas there as well.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import jsonschema  # type: ignore[import-untyped]
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.support import Json

OUR_FACET = Path(__file__).parents[2] / "docs" / "DbtRerunAttemptRunFacet.json"
STATES = {"START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"}
SPEC = os.environ.get("OPENLINEAGE_SPEC")


def check_shape(event: Json) -> None:
    """Check one event, as it was written."""
    assert {"eventTime", "producer", "schemaURL", "run", "job"} <= event.keys()
    assert datetime.fromisoformat(event["eventTime"]).tzinfo
    assert event["eventType"] in STATES
    assert is_uri(event["producer"])
    assert event["schemaURL"].endswith("#/$defs/RunEvent")
    UUID(event["run"]["runId"])
    for named in (event["job"], *event["inputs"], *event["outputs"]):
        assert isinstance(named["namespace"], str)
        assert isinstance(named["name"], str)
    facets = list(all_facets(event))
    for _, facet in facets:
        assert is_uri(facet["_producer"])
        assert is_uri(facet["_schemaURL"])
    check_known(dict(facets))
    if SPEC:
        check_by_spec(event, facets, Path(SPEC))


def check_known(facets: dict[str, Json]) -> None:
    """Check the facets that this package makes itself."""
    if parent := facets.get("parent"):
        for one in filter(None, (parent, parent.get("root"))):
            UUID(one["run"]["runId"])
            assert one["job"]["namespace"]
            assert one["job"]["name"]
    if error := facets.get("errorMessage"):
        assert error["message"]
        assert error["programmingLanguage"]
    if attempt := facets.get("dbtRerun_attempt"):
        jsonschema.validate(attempt, json.loads(OUR_FACET.read_text()))


def is_uri(text: str) -> bool:
    """Return whether a text is an absolute URI."""
    return bool(urlsplit(text).scheme)


def all_facets(event: Json) -> Iterator[tuple[str, Json]]:
    """Yield every facet of an event, with its key."""
    for holder in (event["run"], event["job"], *event["inputs"], *event["outputs"]):
        for kind in ("facets", "inputFacets", "outputFacets"):
            yield from (holder.get(kind) or {}).items()


def check_by_spec(event: Json, facets: list[tuple[str, Json]], spec: Path) -> None:
    """Check an event and those of its facets that the specification describes, each by its own schema."""
    schemas = [json.loads(file.read_text()) for file in (spec / "OpenLineage.json", *spec.glob("facets/*.json"))]
    registry: Any = Registry()
    known = registry.with_contents(((each["$id"], each) for each in schemas), default_specification=DRAFT202012)
    pairs = [(event["schemaURL"], event), *((facet["_schemaURL"], facet) for _, facet in facets)]
    for url, value in pairs:
        if url.partition("#")[0] in known:
            jsonschema.Draft202012Validator({"$ref": url}, registry=known).validate(value)
