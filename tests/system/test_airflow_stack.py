"""Tests that start Airflow's components leave none of their processes behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from tests.system.airflow_stack import AirflowStack, wait_until

WITH_A_TASK = """
import subprocess, sys, time
task = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], process_group=0)
print(task.pid, flush=True)
time.sleep({seconds})
"""


@pytest.mark.parametrize("seconds", [60, 0], ids=["alive", "dead"])
def test_a_component_ends_with_its_tasks(tmp_path: Path, seconds: int) -> None:
    """A task is a separate process group, and may have outlived the component."""
    stack = AirflowStack(tmp_path, {}, port=0)
    command = [sys.executable, "-c", WITH_A_TASK.format(seconds=seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as component:
        assert component.stdout is not None
        task = psutil.Process(int(component.stdout.readline()))
        if not seconds:
            component.wait()
        stack.processes["worker"] = component
        stack.kill("worker")
    wait_until("the task is gone", lambda: not task.is_running() or task.status() == psutil.STATUS_ZOMBIE)
