"""Short ways to write runs, node results and diagnoses in tests."""

from __future__ import annotations

from typing import Any

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run, RunStatus, RunStep, RunTrigger
from airflow_dbt_rerun.core.dbt.results import NODE_FAILED, NodeResult, StepResults
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis, Finding
from airflow_dbt_rerun.core.policy.conditions import RerunState

RESET = "Runtime Error in model orders (models/orders.sql)\n  Invalid Input Error: Connection reset by peer"
SYNTAX = 'Runtime Error in model orders (models/orders.sql)\n  Parser Error: syntax error at or near "selec"'

COMMANDS = ("dbt seed", "dbt build", "dbt docs generate")


def step(index: int, name: str, status: int = 10, logs: str = "") -> RunStep:
    """One step; a name that starts with ``dbt`` becomes the platform's wording."""
    shown = f"Invoke dbt with `{name}`" if name.startswith("dbt") else name
    return RunStep(id=1000 + index, index=index, name=shown, status=status, logs=logs)


def steps(*commands: str, failed: bool = True) -> tuple[RunStep, ...]:
    """The built-in steps, then these commands; the last one failed."""
    built_in = (step(1, "Clone git repository"), step(2, "Create profile"), step(3, "dbt deps"))
    own = [step(4 + place, command) for place, command in enumerate(commands)]
    if failed:
        last = own[-1]
        own[-1] = RunStep(last.id, last.index, last.name, 20, "Completed with 1 error\ndbt command failed")
    return (*built_in, *own)


def run(run_id: int = 101, status: int = RunStatus.ERROR, **changes: Any) -> Run:
    """A run of job 7; in Error it failed in its second command and can be retried."""
    defaults: dict[str, Any] = {
        "job_id": 7,
        "href": f"https://dbt.example/runs/{run_id}/",
        "commands": COMMANDS,
        "steps": steps("dbt seed", "dbt build") if status == RunStatus.ERROR else (),
        "can_retry": status == RunStatus.ERROR,
        "trigger": RunTrigger("because", "api", {}),
    }
    return Run(run_id, status=status, **{**defaults, **changes})


def node(name: str = "model.shop.orders", status: str = "error", message: str | None = RESET) -> NodeResult:
    """One node result."""
    return NodeResult(name, status, message if status in NODE_FAILED else None)


def results(*nodes: NodeResult, index: int = 5, adapter: str | None = "duckdb") -> tuple[StepResults, ...]:
    """The artifact of one step."""
    return (StepResults(index, nodes, adapter),)


def finding(category: Category, message: str = "words", subject: str = "model.shop.orders") -> Finding:
    """One finding."""
    return Finding(subject, subject.split(".", 1)[0], "error", category, message)


def state(*categories: Category, attempt: int = 1, seconds: float = 0.0, message: str = "words") -> RerunState:
    """What a policy is asked about: a run with one finding for each category."""
    found = tuple(finding(category, message, f"model.shop.m{n}") for n, category in enumerate(categories))
    return RerunState(run(), Diagnosis(101, found), attempt, seconds)
