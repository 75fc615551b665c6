"""Airflow's hash of a DAG stays the same from process to process, whatever a policy is made of.

A hash that changes would mean a new DAG version at every parse: Airflow puts the text of a policy into the
serialized DAG when it is passed through ``partial()`` or ``default_args``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = """
import functools, json
from airflow.providers.common.compat.sdk import DAG
from airflow.models.serialized_dag import SerializedDagModel
from tenacity import *
from airflow_dbt_rerun import DbtCloudJobOperator
from airflow_dbt_rerun.core.policy.conditions import *
from airflow_dbt_rerun.core.policy.policy import *

def is_first(state):
    return state.attempt_number == 1

def is_before(limit, state):
    return state.attempt_number < limit

class Calm:
    def __call__(self, state):
        return 60.0

class Patient(wait_fixed):
    pass

POLICY = RerunPolicy(
    rules=[
        RerunRule(any_node("transient", "throttled") & ~message("x") | every("code", "access")),
        RerunRule(node({"test", "model", "seed"}, name={"b", "a", "c"}, tag="nightly", path="models") & is_first),
        RerunRule((lambda state: True) | step("dbt test*") | run(job_id={3, 1, 2}, cause_category={"ui", "api"})),
        RerunRule(attempt_number(2) & functools.partial(is_before, 3), wait=Calm(), stop=lambda state: False),
        RerunRule(is_first, "rerun_from_start", overrides={"steps_override": ["dbt build"]}),
        *DEFAULT_RULES,
    ],
    stop=stop_after_attempt(5) | stop_after_delay(7200) & stop_before_delay(9000),
    wait=wait_chain(wait_fixed(1), wait_random(0, 2)) + wait_exponential(multiplier=3) + Patient(3),
)

with DAG(dag_id="hashed", schedule=None, default_args={"policy": POLICY}) as dag:
    DbtCloudJobOperator(task_id="by_default", job_id=1)
    DbtCloudJobOperator(task_id="plain", job_id=1, policy=POLICY)
    DbtCloudJobOperator.partial(task_id="mapped", policy=POLICY).expand(job_id=[1, 2])

try:
    from airflow.serialization.serialized_objects import DagSerialization as Serialization
except ImportError:  # before 3.2
    from airflow.serialization.serialized_objects import SerializedDAG as Serialization

data = Serialization.to_dict(dag)
text = json.dumps(data, sort_keys=True)
if hasattr(SerializedDagModel, "hash"):
    hashed = SerializedDagModel.hash(data)
else:  # Airflow 2 has it in the constructor only
    hashed = SerializedDagModel(dag).dag_hash
print(json.dumps({"hash": hashed, "told": text.count("any_node('transient', 'throttled')"), "text": text}))
"""


@pytest.mark.airflow
def test_hash_is_the_same_in_every_process(tmp_path: Path) -> None:
    """One DAG with every kind of condition, stop and wait, in processes with different hash seeds."""
    seen = [parse(tmp_path, seed) for seed in ("1", "2")]
    assert seen[0]["told"] >= 2  # the mapped operator's and the one of default_args
    assert "0x" not in seen[0]["text"]
    assert seen[0] == seen[1]


def parse(home: Path, seed: str) -> dict[str, Any]:
    """Serialize the DAG in a separate process."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    file = home / "hashed.py"
    file.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(file)],
        env={**inherited, "AIRFLOW_HOME": str(home), "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
