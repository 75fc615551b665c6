"""How fast a failure is understood."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable

from airflow_dbt_rerun.core.classify import match
from airflow_dbt_rerun.core.diagnosis import diagnose, error_block
from airflow_dbt_rerun.core.models import Run, RunStep, StepResults

NODES = 10_000
MESSAGE = "Database Error in model m (models/m.sql)\n  deadlock detected\n  DETAIL:  Process 1 waits for ShareLock"


def main() -> None:
    """Print seconds for a large artifact, a large log and a large message."""
    nodes = [_node(number) for number in range(NODES)]
    text = json.dumps({"metadata": {"adapter_type": "postgres"}, "results": nodes})
    run = Run(1, 1, 20, steps=(RunStep(1, 4, "Invoke dbt with `dbt build`", 20),))
    tracemalloc.start()
    began = time.perf_counter()
    diagnosis = diagnose(run, [StepResults.from_artifact(json.loads(text), step_index=4)])
    seconds, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    failed = len(diagnosis.findings)
    print(f"run_results.json of {NODES:,} nodes, {len(text) / 1e6:.0f} MB, {failed:,} of them failed:")
    print(f"  {seconds:.2f} s while memory is traced, {peak / 1e6:.0f} MB at the most")

    log = "12:00:00  1 of 9 OK created sql view model a.b\n" * 100_000 + "Encountered an error:\nDatabase Error\n x"
    print(f"a log of {len(log) / 1e6:.0f} MB: {_seconds(lambda: match(error_block(log))):.3f} s")
    print(f"a message of 1 MB: {_seconds(lambda: match('connection ' * 90_000)):.3f} s")


def _node(number: int) -> dict[str, object]:
    failed = number % 10 == 0
    return {
        "unique_id": f"model.shop.m{number}",
        "status": "error" if failed else "success",
        "message": MESSAGE if failed else "OK",
        "execution_time": 1.0,
        "compiled_code": "select 1 as a from b\n" * 130,
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
