"""How fast a failed run is understood, and how much memory that takes: each case in a process of its own.

The first error of a process reads the tables of signatures. That is measured apart: a worker pays it once.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from airflow_dbt_rerun.core.dbt.models import Run, RunStep
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis.classify_message import match
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose

NODES = 10_000
BODY = "select 1 as a from b\n" * 130
"""Compiled SQL, to make the artifact as heavy as real ones: about 30 MB."""

LOG_SIZE = 5_000_000
TIMES = 3
"""Processes for each case; the best one counts, for it was disturbed least."""

ALIKE = "Database Error in model m (models/m.sql)\n  deadlock detected\n  DETAIL:  Process 1 waits for ShareLock"
WORDS = (
    "deadlock detected",
    "SSL SYSCALL error: EOF detected",
    "column c{0} does not exist\n  LINE {0}: select c{0} from t",
    "could not connect to server {0}: Connection timed out",
    "something that nobody ever heard of happened to part {0} of the whole",
)

ARTIFACT = 1.0, 300
LOG = 0.3, 300
"""The aims: CPU seconds, with the reading of the tables, and MB."""


def main() -> None:
    """Print seconds and memory for large artifacts and large logs."""
    print(f"CPU seconds, best of {TIMES} fresh processes; memory: how much the peak grew over the imports")
    with tempfile.TemporaryDirectory() as folder:
        for title, name, content, aims in cases():
            file = Path(folder) / name
            file.write_text(content, encoding="utf-8")
            seconds, tables, megabytes, findings = min(in_a_process_of_its_own(file) for _ in range(TIMES))
            late = "" if seconds <= aims[0] and megabytes <= aims[1] else " - MISSED"
            print(f"{title}, {len(content) / 1e6:.0f} MB, {findings:,} findings:")
            parts = f"{tables:.2f} to read the tables and {seconds - tables:.2f} for the rest"
            print(f"  {seconds:.2f} s (aim {aims[0]}): {parts}; {megabytes:.0f} MB (aim {aims[1]}){late}")


def cases() -> Iterator[tuple[str, str, str, tuple[float, int]]]:
    """Give title, file name, content and aims of each case."""
    yield "run_results.json, 1 node in 10 failed, all alike", "results.json", artifact(10, "same"), ARTIFACT
    yield (
        "run_results.json, 1 node in 10 failed, each with other words",
        "results.json",
        artifact(10, "own"),
        ARTIFACT,
    )
    yield "run_results.json, every node failed, all alike", "results.json", artifact(1, "same"), ARTIFACT
    line = "12:00:00  1 of 9 OK created sql view model a.b\n"
    end = "12:00:01  Encountered an error:\nDatabase Error\n  deadlock detected\n"
    yield "a log with one error at its end", "step.log", line * (LOG_SIZE // len(line)) + end, LOG
    yield "a log full of failed nodes", "step.log", log_of_failures(), LOG
    yield "a log without any known mark", "step.log", line * (LOG_SIZE // len(line)), LOG


def artifact(every: int, words: str) -> str:
    """Write a run_results.json of :data:`NODES` nodes."""
    nodes = [
        {
            "unique_id": f"model.shop.m{number}",
            "status": "success" if number % every else "error",
            "message": "OK" if number % every else ALIKE if words == "same" else message(number),
            "execution_time": 1.0,
            "compiled_code": BODY,
        }
        for number in range(NODES)
    ]
    return json.dumps({"metadata": {"adapter_type": "postgres"}, "results": nodes})


def log_of_failures() -> str:
    """Write a log that holds nothing but failed nodes."""
    blocks, size, number = ["12:00:00  Completed with many errors:\n"], 0, 0
    while size < LOG_SIZE:
        blocks.append(f"12:00:00  \n12:00:00    {message(number)}\n  compiled code at target/run/m.sql\n")
        size, number = size + len(blocks[-1]), number + 1
    return "".join(blocks)


def message(number: int) -> str:
    """Write an error message that no other node has."""
    said = WORDS[number % len(WORDS)].format(number)
    return f"Database Error in model m{number} (models/m{number}.sql)\n  {said}"


def in_a_process_of_its_own(file: Path) -> tuple[float, float, float, int]:
    """Diagnose a file; return seconds in all, those for the tables, MB and the number of findings."""
    command = [sys.executable, "-m", "benchmarks.diagnosis", str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    seconds, tables, megabytes, findings = json.loads(done.stdout)
    return seconds, tables, megabytes, findings


def measure(file: Path) -> None:
    """Print as JSON what reading the tables, and reading, parsing and diagnosing a file took."""
    before, began = peak(), time.process_time()
    match("words that no table has", adapter="postgres" if file.suffix == ".json" else None)
    tables = time.process_time() - began
    findings = len(diagnose(*evidence_in(file)).findings)
    print(json.dumps([time.process_time() - began, tables, peak() - before, findings]))


def evidence_in(file: Path) -> tuple[Run, list[StepResults]]:
    """Read a file as the only evidence of a failed step."""
    text = file.read_text(encoding="utf-8")
    is_artifact = file.suffix == ".json"
    step = RunStep(1, 4, "Invoke dbt with `dbt build`", 20, logs="" if is_artifact else text)
    results = [StepResults.from_artifact(json.loads(text), step_index=4)] if is_artifact else []
    return Run(1, 1, 20, steps=(step,)), results


def peak() -> float:
    """Give the most memory this process has had, in MB. Linux counts it anew for each program that is started."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024


if __name__ == "__main__":
    measure(Path(sys.argv[1])) if sys.argv[1:] else main()
