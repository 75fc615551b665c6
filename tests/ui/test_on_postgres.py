"""The buttons on PostgreSQL, where rows can be locked, and requests do not wait for each other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from benchmarks._services import own_database
from tests.system.airflow_stack import AIRFLOW_2
from tests.ui import reports
from tests.ui.site import Site, serving, stack_of_people

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.postgres,
    pytest.mark.skipif(AIRFLOW_2, reason="Airflow 2 has no pages of ours"),
]


@dataclass
class OnPostgres(Site):
    """A site whose database is one of PostgreSQL."""

    url_of_database: str = ""

    def change(self, statement: str, values: tuple[Any, ...]) -> None:
        """Change the database, as components do that are not running here."""
        import psycopg2  # noqa: PLC0415 - not everywhere

        with closing(psycopg2.connect(self.url_of_database.replace("+psycopg2", ""))) as connection:
            with connection.cursor() as cursor:
                cursor.execute(statement.replace("?", "%s"), values)
            connection.commit()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnPostgres]:
    """An API server with a database of its own."""
    for module in ("psycopg2", "asyncpg"):  # Airflow's own two drivers
        pytest.importorskip(module)
    import psycopg2  # noqa: PLC0415 - only now it is certain

    try:
        with own_database() as database:
            home: Path = tmp_path_factory.mktemp("postgres")
            stack = stack_of_people(home, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=database.url)
            served = OnPostgres(stack, url_of_database=database.url)
            with serving(served):
                yield served
    except psycopg2.OperationalError as error:
        pytest.skip(f"no PostgreSQL server on 127.0.0.1:5432: {error}")


def test_of_many_who_press_at_once_one_clears(site: OnPostgres) -> None:
    """P2: two people, eight presses, twice: each time one clears the task, and the others are told who."""
    for number in range(2):
        run_id = f"race-{number}"
        site.add("shop", run_id, {"build": reports.gave_up()})
        path = f"/dbt-rerun/api/wishes/shop/{run_id}/build/-1"
        seen = site.ask("ada", "GET", path).json()
        if not seen["has_store"]:
            pytest.skip("Airflow older than 3.3 keeps nothing across a clear")
        body = {"action": "rerun_from_failure", "seen": seen["seen"]}
        with ThreadPoolExecutor(8) as pool:
            pressed = [pool.submit(site.ask, who, "POST", path, body) for who in ("ada", "bea") * 4]
        answers = sorted((each.result() for each in pressed), key=lambda answer: answer.status_code)
        assert [answer.status_code for answer in answers] == [200] + [409] * 7
        winner = answers[0].json()["wish"]["by"]
        assert all(answer.json()["detail"].startswith(f"{winner} asked at") for answer in answers[1:])


def test_the_heals_are_read(site: OnPostgres) -> None:
    """The one SELECT of the page of heals: XCom is JSON there, and not text."""
    site.add("elsewhere", "read", {"build": reports.healed()})
    told = site.ask("ada", "GET", "/dbt-rerun/api/heals").json()
    assert (told["counts"]["unreadable"], told["counts"]["healed"]) == (0, 1)
