"""What the web server of Airflow 2 does when a person marks a task or a run, or clears a task. Run as a script."""

from __future__ import annotations

import sys

from airflow.api.common.mark_tasks import set_dag_run_state_to_failed, set_dag_run_state_to_success, set_state
from airflow.models.dagbag import DagBag
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState


def main(action: str, dag_id: str, run_id: str, task_id: str, state: str) -> None:
    """Click."""
    dag = DagBag().get_dag(dag_id)
    if action == "mark":
        set_state(tasks=[dag.get_task(task_id)], run_id=run_id, state=TaskInstanceState(state), commit=True)
    elif action == "mark_run":
        mark = {"failed": set_dag_run_state_to_failed, "success": set_dag_run_state_to_success}[state]
        mark(dag=dag, run_id=run_id, commit=True)
    else:
        with create_session() as session:
            found = session.query(TaskInstance).filter_by(dag_id=dag_id, run_id=run_id, task_id=task_id).all()
            clear_task_instances(found, session)


if __name__ == "__main__":
    main(*sys.argv[1:])
