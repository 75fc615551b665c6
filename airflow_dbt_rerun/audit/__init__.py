"""An independent check of finished work: what dbt has on record, command by command.

It shares with the loop that reruns only the reading of dbt's answers, so it can contradict a green task.
"""

from airflow_dbt_rerun.audit.auditor import audit
from airflow_dbt_rerun.audit.ledger import Audit, CommandAudit, Finding

__all__ = ["Audit", "CommandAudit", "Finding", "audit"]
