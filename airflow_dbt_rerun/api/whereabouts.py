"""Whether nodes are still in the project that a run was made of, by its ``manifest.json``."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint, get_json_artifact
from airflow_dbt_rerun.core.dbt.manifest import names_in
from airflow_dbt_rerun.exceptions import DbtApiError

T = TypeVar("T")


class Send(Protocol):
    """Sends an endpoint and returns its parsed answer."""

    def __call__(self, endpoint: Endpoint[T]) -> T:
        """Send one request."""
        ...


def read_still_there(send: Send, run_id: int, names: frozenset[str]) -> frozenset[str] | None:
    """Return which of these nodes are in the run's project; None if its manifest cannot be read."""
    try:
        manifest: Any = send(get_json_artifact(run_id, "manifest.json"))
    except DbtApiError:
        return None
    found = names_in(manifest)
    return names & found if found else None
