"""The demo's filter of Airflow's log."""

from __future__ import annotations

from pathlib import Path

import pytest

import airflow_dbt_rerun
from airflow_dbt_rerun.cli.demo import STORY

PACKAGE = Path(airflow_dbt_rerun.__file__).parent
LOGGING_FILES = sorted(
    file.name
    for folder in ("engine", "operators")
    for file in (PACKAGE / folder).glob("*.py")
    if "log." in file.read_text(encoding="utf-8") and file.name != "base.py"
)


@pytest.mark.parametrize("file", LOGGING_FILES)
def test_lines_of_each_file_that_logs_are_shown_on_airflow_2(file: str) -> None:
    """Airflow 2 names the file that logs: moving a file must not silence the demo."""
    found = STORY.search(f"[2026-01-01T05:00:00.000+0000] {{{file}:7}} INFO - Rerunning run 1 from failure")
    assert found is not None
    assert found["airflow_2"] == "Rerunning run 1 from failure"


def test_lines_of_airflow_itself_are_left_out() -> None:
    """Airflow has a ``base.py``, too, and logs each read of a connection there."""
    assert STORY.search("[2026-01-01T05:00:00.000+0000] {base.py:84} INFO - Retrieving connection 'dbt'") is None


def test_lines_of_our_operator_are_shown_on_airflow_3() -> None:
    """Airflow 3 names the logger of the task."""
    logger = "airflow.task.operators.airflow_dbt_rerun.operators.job.DbtCloudJobOperator"
    found = STORY.search(
        f"2026-01-01T05:00:00Z [info     ] Rerunning run 1 from failure [{logger}] loc=driver.py:7"
    )
    assert found is not None
    assert found["airflow_3"] == "Rerunning run 1 from failure"
