"""What the platform keeps of a history besides its rows: how the steps ended that did not simply succeed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from airflow_dbt_rerun.local.history.make_history import History
from airflow_dbt_rerun.local.history.runs import Ending


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that the files of a step are made from, besides its row and the project.

    :param adapters: the warehouse of each job, by the id of the job
    :param endings: by the id of the run and the index of the step
    """

    seed: int
    days: int
    jobs: int
    first_run: int
    last_run: int
    adapters: Mapping[int, str]
    endings: Mapping[tuple[int, int], Ending]

    def ending(self, run_id: int, index: int) -> Ending:
        """Return how a step ended."""
        return self.endings.get((run_id, index), Ending())


def plan_of(history: History) -> Plan:
    """Return what to keep of a history."""
    return Plan(
        seed=history.seed,
        days=history.days,
        jobs=len(history.jobs),
        first_run=history.runs[0].id if history.runs else 0,
        last_run=history.runs[-1].id if history.runs else -1,
        adapters={history.job_id(job): job.adapter for job in history.jobs},
        endings={(run.id, index): ending for run in history.runs for index, ending in run.endings.items()},
    )


def write_plan(plan: Plan, file: Path) -> None:
    """Write a plan as JSON."""
    endings = [[*place, _without_defaults(ending)] for place, ending in plan.endings.items()]
    file.write_text(json.dumps({**asdict(plan), "endings": endings}))


def read_plan(file: Path) -> Plan:
    """Read a plan that :func:`write_plan` wrote."""
    written: dict[str, Any] = json.loads(file.read_text())
    adapters = {int(job): adapter for job, adapter in written["adapters"].items()}
    endings = {(run, index): _ending(values) for run, index, values in written["endings"]}
    return Plan(**{**written, "adapters": adapters, "endings": endings})


def _without_defaults(ending: Ending) -> dict[str, Any]:
    return {name: value for name, value in asdict(ending).items() if value not in (None, {})}


def _ending(values: dict[str, Any]) -> Ending:
    nodes = values.pop("nodes", None)
    return Ending(nodes=None if nodes is None else tuple(nodes), **values)
