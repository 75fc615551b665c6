"""docs/backtest.md shows what the command prints, and each case that the code tells apart."""

from __future__ import annotations

import io
import re
from pathlib import Path

from rich.console import Console

from airflow_dbt_rerun.backtest.tried import try_policies
from airflow_dbt_rerun.backtest.verdicts import OF_LEFT, OF_RERUNS
from airflow_dbt_rerun.backtest.words import VERDICTS
from airflow_dbt_rerun.cli.backtest_tables import show
from airflow_dbt_rerun.config.documents import read_policy
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from tests.backtest.past import OTHER_COMMIT, SYNTAX, collected, green, red, resumed

PAGE = Path(__file__).parents[2] / "docs" / "backtest.md"
START, END = "<!-- example -->\n", "<!-- end of example -->"

PATIENT = "stop: {stop_after_attempt: 3}\nwait: {wait_fixed: 1800}\n"


def example() -> str:
    """What the command prints about a small past, with two policies."""
    past = collected(
        red(1, 0),
        resumed(green(2, 40), 1),
        red(3, 1440),
        resumed(green(4, 1800), 3),
        red(5, 2880, SYNTAX),
        green(6, 3300, git_sha=OTHER_COMMIT),
        red(7, 4320, git_sha=OTHER_COMMIT),
        resumed(red(8, 4350, git_sha=OTHER_COMMIT), 7),
        resumed(red(9, 4380, git_sha=OTHER_COMMIT), 8),
        resumed(green(10, 4700, git_sha=OTHER_COMMIT), 9),
    )
    policies = {"default": RerunPolicy(), "patient.yaml": read_policy(PATIENT, "patient.yaml")}
    page = io.StringIO()
    show(try_policies(past, policies), page=Console(file=page, width=110, highlight=False, markup=False))
    lines = "\n".join(line.rstrip() for line in page.getvalue().splitlines())
    return (
        f"```\n$ airflow-dbt-rerun backtest --all --cache dbt-past --compare default patient.yaml\n{lines}\n```\n"
    )


def written(page: str) -> str:
    """Put the example into the page."""
    before, _, rest = page.partition(START)
    return f"{before}{START}{example()}{END}{rest.partition(END)[2]}"


def test_the_example_is_what_the_command_prints() -> None:
    """After a change: ``python -m tests.docs.test_backtest`` writes the example anew."""
    page = PAGE.read_text(encoding="utf-8")
    assert page == written(page)


def test_each_case_has_its_row() -> None:
    """The table has each case of the code with its verdict, and no other one."""
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| (reruns|leaves it) \| (.+) \| (.+) \|$", page, re.MULTILINE)
    expected = [
        (policy, str(case), VERDICTS[verdict])
        for policy, verdicts in (("reruns", OF_RERUNS), ("leaves it", OF_LEFT))
        for case, verdict in verdicts.items()
    ]
    assert len(rows) == len(expected)
    for policy, case, verdict in expected:
        assert any(row[0] == policy and row[1].startswith(case) and row[2].startswith(verdict) for row in rows), (
            case
        )


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
