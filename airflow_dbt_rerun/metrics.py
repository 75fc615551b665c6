"""Count what happens, by Airflow's own Stats (StatsD, OpenTelemetry, ...). Never a reason for a task to fail.

| metric | counts | tags |
|---|---|---|
| ``dbt_rerun.attempt`` | reruns that were started | ``kind``, ``verdict`` |
| ``dbt_rerun.succeeded`` | tasks whose first run succeeded | |
| ``dbt_rerun.healed`` | tasks that are green because of reruns | |
| ``dbt_rerun.gave_up`` | tasks that failed | ``outcome`` |
| ``dbt_rerun.duration`` | milliseconds from the first run to the end of a task | ``outcome`` |
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

_LOG = logging.getLogger(__name__)
_GREEN = ("succeeded", "healed")


def rerun(happened: Mapping[str, Any]) -> None:
    """Count a rerun.

    :param happened: what :func:`airflow_dbt_rerun.core.heal.report.happened` gives.
    """
    tags = {"kind": happened["kind"], "verdict": happened["verdict"] or "unknown"}
    _send(lambda stats: stats.incr("dbt_rerun.attempt", tags=tags))


def ended(report: Mapping[str, Any]) -> None:
    """Count the end of a task.

    :param report: what :func:`airflow_dbt_rerun.core.heal.report.report` gives.
    """
    outcome = report["outcome"]
    name = outcome if outcome in _GREEN else "gave_up"
    tags = {} if outcome in _GREEN else {"outcome": outcome}
    _send(lambda stats: stats.incr(f"dbt_rerun.{name}", tags=tags))
    _send(lambda stats: stats.timing("dbt_rerun.duration", report["seconds"] * 1000, tags={"outcome": outcome}))


def _send(what: Any) -> None:
    try:
        from airflow.providers.common.compat.sdk import Stats  # noqa: PLC0415 - only a task that runs needs it

        what(Stats)
    except Exception as error:  # noqa: BLE001 - whatever a metrics backend raises
        _LOG.debug("No metrics: %s", error)
