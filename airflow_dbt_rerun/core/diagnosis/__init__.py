"""Find out why a run failed: from dbt's evidence to a category for each failed node or step."""

from typing import TYPE_CHECKING

from airflow_dbt_rerun._lazy import lazy_names

if TYPE_CHECKING:
    from airflow_dbt_rerun.core.diagnosis.classify_message import classify
    from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
    from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis, Finding

__all__ = ["Diagnosis", "Finding", "classify", "diagnose"]

# Loaded at first use: classify and diagnose import about a thousand signatures.
__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "classify_message": ("classify",),
        "diagnose_run": ("diagnose",),
        "diagnosis": ("Diagnosis", "Finding"),
    },
)
