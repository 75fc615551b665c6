"""Send metrics through Airflow's Stats (StatsD, OpenTelemetry, ...). Errors of a backend never fail a task.

| metric | counts | tags |
|---|---|---|
| ``dbt_rerun.attempt`` | started reruns | ``kind``, ``verdict``, ``signature`` |
| ``dbt_rerun.succeeded`` | tasks whose first run succeeded | |
| ``dbt_rerun.healed`` | tasks that succeeded by reruns | |
| ``dbt_rerun.gave_up`` | tasks that failed | ``outcome`` |
| ``dbt_rerun.duration`` | milliseconds from the first run to the end of a task | ``outcome`` |
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

_LOG = logging.getLogger(__name__)
_SUCCESS = ("succeeded", "healed")


def rerun(happened: Mapping[str, Any]) -> None:
    """Count a rerun.

    :param happened: the result of :func:`airflow_dbt_rerun.core.heal.report.happened`.
    """
    verdict = happened["verdict"] or "unknown"
    tags = {"kind": happened["kind"], "verdict": verdict, "signature": _signature(happened["findings"], verdict)}
    _send(lambda stats: stats.incr("dbt_rerun.attempt", tags=tags))


def ended(report: Mapping[str, Any]) -> None:
    """Count the end of a task.

    :param report: the result of :func:`airflow_dbt_rerun.core.heal.report.report`.
    """
    outcome = report["outcome"]
    name = outcome if outcome in _SUCCESS else "gave_up"
    tags = {} if outcome in _SUCCESS else {"outcome": outcome}
    _send(lambda stats: stats.incr(f"dbt_rerun.{name}", tags=tags))
    _send(lambda stats: stats.timing("dbt_rerun.duration", report["seconds"] * 1000, tags={"outcome": outcome}))


def _signature(findings: Iterable[Mapping[str, Any]], verdict: str) -> str:
    """Return the id of the known error that decided; ``none`` if nothing was recognised."""
    decisive = (finding["signature_id"] for finding in findings if finding["category"] == verdict)
    return next((identity for identity in decisive if identity), "none")


def _send(what: Any) -> None:
    try:
        from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415 - needed only while a task runs

        what(Stats)
    except Exception as error:  # noqa: BLE001 - a metrics backend may raise anything
        _LOG.debug("Cannot send dbt_rerun metrics: %s", error)
