"""Run the DAGs of some files by ``dag.test()``, and print the state of each task as JSON: a process of its own."""

from __future__ import annotations

import json
import runpy
import sys
from typing import Any

from airflow.providers.common.compat.sdk import DAG

from airflow_dbt_rerun.testing import set_testing


def states_of(dag: Any) -> dict[str, list[str]]:
    """Run a DAG, and return the states of each task's instances."""
    run = dag.test()
    states: dict[str, list[str]] = {}
    for instance in run.get_task_instances():
        states.setdefault(instance.task_id, []).append(str(instance.state))
    return states


def main(files: list[str]) -> None:
    """Run each DAG of each file."""
    found: dict[str, Any] = {}
    with set_testing(True):
        for file in files:
            for value in runpy.run_path(file).values():
                if isinstance(value, DAG) and value.dag_id not in found:
                    found[value.dag_id] = states_of(value)
    sys.stdout.write(f"\nSTATES {json.dumps(found)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
