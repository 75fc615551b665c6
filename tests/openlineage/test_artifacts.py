"""Which artifacts of a run are read, and whose they are."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest

from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.exceptions import DbtForbiddenError, DbtNotFoundError
from airflow_dbt_rerun.openlineage.artifacts import step_artifacts
from tests.core.builders import run, step
from tests.support import Json

T = TypeVar("T")

DATA = Path(__file__).parents[1] / "data" / "lineage"
RECORDED: dict[str, Json] = {
    name: json.loads((DATA / name).read_text()) for name in ("run_results.json", "manifest.json")
}
RUN = run(4711, steps=(step(1, "Clone git repository"), step(4, "dbt build"), step(5, "dbt docs generate")))


@dataclass
class Border:
    """Answers requests for artifacts, at the border to the network: by file and step, else with a 404."""

    answers: dict[tuple[str, int], Any]
    asked: list[tuple[str, int]] = field(default_factory=list)

    def send(self, endpoint: Endpoint[T]) -> T:
        """Answer a request."""
        key = endpoint.path.rpartition("/")[2], endpoint.params["step"]
        self.asked.append(key)
        answer = self.answers.get(key)
        if answer is None:
            raise DbtNotFoundError("none")
        if isinstance(answer, Exception):
            raise answer
        return endpoint.parse(json.dumps(answer).encode())


def read(answers: dict[tuple[str, int], Any]) -> tuple[list[int], Border]:
    """Return the steps that have artifacts, and what was asked for."""
    border = Border(answers)
    return [found.index for found in step_artifacts(border, RUN, logging.getLogger(__name__))], border


def both(index: int, **changes: Json) -> dict[tuple[str, int], Any]:
    """Return the answers of a step that wrote both files."""
    return {(name, index): {**file, **changes} for name, file in RECORDED.items()}


def test_steps_without_results_cost_one_request() -> None:
    """A manifest is large: it is read only where there are results, and never of a step without a command."""
    found, border = read(both(4))
    assert found == [4]
    assert border.asked == [("run_results.json", 4), ("manifest.json", 4), ("run_results.json", 5)]


def test_results_that_come_again_count_once() -> None:
    """A step that wrote none may be answered with those of the step before."""
    assert read({**both(4), **both(5)})[0] == [4]
    other = {"metadata": {**RECORDED["run_results.json"]["metadata"], "invocation_id": "another"}}
    assert read({**both(4), **both(5, **other)})[0] == [4, 5]


def test_results_of_another_run_are_not_ours() -> None:
    """A cache may mix them up; dbt writes the run's id into them."""
    other = {"metadata": {**RECORDED["run_results.json"]["metadata"], "env": {"DBT_CLOUD_RUN_ID": "4712"}}}
    assert read(both(4, **other))[0] == []


@pytest.mark.parametrize("answer", [DbtForbiddenError("not for you"), {"metadata": {}, "results": [{"status": 1}]}])
def test_a_step_that_cannot_be_read_is_a_warning(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """The others are read all the same."""
    assert read({**both(5), ("run_results.json", 4): answer})[0] == [5]
    assert "No lineage of the nodes in step 4 of dbt run 4711" in caplog.text
