"""The facet that this package adds to OpenLineage's own: which attempt of a heal a dbt run was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attr
from openlineage.client.facet_v2 import RunFacet

from airflow_dbt_rerun._version import __version__

PRODUCER = f"https://pypi.org/project/airflow-provider-dbt-rerun/{__version__}/"
"""Who emits the events, as a URI (spec: ``BaseEvent.producer``)."""

ATTEMPT = "dbtRerun_attempt"
"""The facet's key: a prefix of the project, then a name, as OpenLineage asks of custom facets."""

SCHEMA = "urn:airflow-provider-dbt-rerun:1-0-0:DbtRerunAttemptRunFacet"
"""The ``$id`` of ``docs/DbtRerunAttemptRunFacet.json``."""


@attr.define
class DbtRerunAttemptRunFacet(RunFacet):
    """One dbt run as an attempt of a heal; the values are those of the XCom ``dbt_rerun_report``."""

    attempt: int
    attempts: int
    """How many there are in all."""
    dbtRunId: int  # noqa: N815 - the spec writes names so
    url: str | None
    kind: str
    ofRun: int | None  # noqa: N815
    """The dbt run that this one repairs."""
    status: str | None
    verdict: str | None
    decision: str | None
    verified: str | None
    nodesRun: int | None  # noqa: N815
    nodesSaved: int | None  # noqa: N815
    outcome: str
    """How the whole work ended."""

    @staticmethod
    def _get_schema() -> str:
        return SCHEMA


def attempt_facet(report: Mapping[str, Any], attempt: Mapping[str, Any]) -> DbtRerunAttemptRunFacet:
    """Return the facet of one attempt in a report."""
    return DbtRerunAttemptRunFacet(
        attempt=attempt["attempt"],
        attempts=len(report["attempts"]),
        dbtRunId=attempt["run_id"],
        url=attempt["url"],
        kind=attempt["kind"],
        ofRun=attempt["of_run"],
        status=attempt["status"],
        verdict=attempt["verdict"],
        decision=attempt["decision"],
        verified=attempt["verified"],
        nodesRun=attempt["nodes_run"],
        nodesSaved=attempt["nodes_saved"],
        outcome=report["outcome"],
        producer=PRODUCER,
    )
