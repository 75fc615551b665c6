"""The versions that the simulated dbt reports: of v2, the one whose output was recorded."""

from __future__ import annotations

from airflow_dbt_rerun.local.dbt.engine import Engine

SIMULATED_VERSIONS = {Engine.CORE: "1.11.0-simulated", Engine.V2: "2.0.0-preview.196"}
