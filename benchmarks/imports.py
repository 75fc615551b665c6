"""What importing our operators costs a DAG that is parsed, beside the official operator's import."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys

TIMES = 15
"""Fresh processes for each module, by turns: so what else the machine does disturbs both alike."""

MODULES = {"ours": "airflow_dbt_rerun.operators", "official": "airflow.providers.dbt.cloud.operators.dbt"}

PROGRAM = """
import json, sys, time
import airflow.sdk
wall, cpu, before = time.perf_counter(), time.process_time(), len(sys.modules)
__import__({module!r})
print(json.dumps([time.perf_counter() - wall, time.process_time() - cpu, len(sys.modules) - before]))
"""
"""Airflow itself is imported first: every DAG file needs it anyway."""


def main() -> None:
    """Print the median cost of both imports over ``import airflow.sdk``, and their ratio."""
    taken: dict[str, list[tuple[float, float, int]]] = {name: [] for name in MODULES}
    for module in MODULES.values():
        cost(module)  # so that the files are cached, and compiled
    for _ in range(TIMES):
        for name, module in MODULES.items():
            taken[name].append(cost(module))
    print(f"over `import airflow.sdk`, median of {TIMES} fresh processes each, by turns:")
    print(f"{'':10}{'wall':>10}{'CPU':>10}{'modules':>9}")
    middle = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in taken.items()
    }
    for name, (wall, cpu, modules) in middle.items():
        print(f"{name:10}{wall * 1000:>7.0f} ms{cpu * 1000:>7.0f} ms{modules:>9.0f}  import {MODULES[name]}")
    wall, cpu = (ours / official for ours, official in zip(middle["ours"][:2], middle["official"][:2], strict=True))
    print(f"{'ratio':10}{wall:>10.2f}{cpu:>10.2f}{'':9}  aim: at most 1")


def cost(module: str) -> tuple[float, float, int]:
    """Import a module in a fresh process; return wall seconds, CPU seconds and the modules it loaded."""
    command = [sys.executable, "-c", PROGRAM.format(module=module)]
    # An installed package is compiled. A checkout would be compiled anew each time where this variable is set.
    keeps_bytecode = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, env=keeps_bytecode
    )
    wall, cpu, modules = json.loads(done.stdout.splitlines()[-1])
    return wall, cpu, modules


if __name__ == "__main__":
    main()
