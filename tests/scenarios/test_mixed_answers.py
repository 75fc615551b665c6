"""A platform whose answers are those to other questions, as behind a faulty cache: nothing is started twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_dbt_rerun.exceptions import DbtBadAnswerError
from tests.border import TaskInstance, run_task
from tests.scenarios.test_crashes import make_small_project, new_job, task
from tests.support import local_platform

SEARCHES = 2
"""How often a task lists the runs of its job before it posts."""


@pytest.mark.parametrize("deferrable", [False, True], ids=["blocking", "deferrable"])
def test_list_of_another_job_is_no_reason_to_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, deferrable: bool
) -> None:
    """P2: a new try that is told of another job's runs only does not know whether its own run exists."""
    make_small_project(tmp_path / "project")
    with local_platform(tmp_path, "--simulate", jobs={"other": "dbt run"}) as platform:
        platform.connect(monkeypatch)
        platform.run("other")
        job, instance = new_job(platform), TaskInstance()
        operator = task(job, deferrable=deferrable)
        first = run_task(operator, instance)
        platform.get("runs/", job_definition_id=platform.jobs["other"])
        platform.fault("mixed_up", path="/runs/?$", count=SEARCHES)
        for _ in range(SEARCHES):
            with pytest.raises(DbtBadAnswerError, match=r"names run \d+ of job"):
                run_task(operator, instance)
        assert run_task(operator, instance) == first
        assert [run["id"] for run in platform.get("runs/", job_definition_id=job)] == [first]
