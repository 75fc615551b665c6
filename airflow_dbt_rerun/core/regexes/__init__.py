"""Regular expressions that users write: refused if they can take very long, searched with a time limit."""

from airflow_dbt_rerun.core.regexes.checked import check_pattern, user_pattern
from airflow_dbt_rerun.core.regexes.limited import TooSlowError, found_in

__all__ = ["TooSlowError", "check_pattern", "found_in", "user_pattern"]
