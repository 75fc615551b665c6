"""``airflow-dbt-rerun advise`` against a platform with a history: what it writes is a policy that does better."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from airflow_dbt_rerun.backtest.collected import DAY
from airflow_dbt_rerun.backtest.period import as_of
from airflow_dbt_rerun.backtest.tried import try_policies
from airflow_dbt_rerun.cli.main import main
from airflow_dbt_rerun.config.documents import read_policy
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from benchmarks.advise import Score
from benchmarks.backtest import collect, read_truth
from tests.support import LocalPlatform, local_platform, without_database

DAYS, NEXT = 40, 13
"""A history, and its last days, on which the proposal is tried; it is made from those before."""

HISTORY = ("--simulate", "--history", str(DAYS), "--history-jobs", "6", "--history-seed", "4")
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "policy.schema.json").read_text())

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the platform, and of the cache that the first test fills."""
    return tmp_path_factory.mktemp("history")


@pytest.fixture(scope="module")
def platform(place: Path) -> Iterator[LocalPlatform]:
    """A platform with a history."""
    with local_platform(place, *HISTORY, jobs={}) as platform:
        yield platform


@pytest.fixture
def call(
    platform: LocalPlatform, place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Call:
    """Run a command over all jobs; give its exit status and what it wrote. The token is never in it."""
    platform.connect(monkeypatch)
    without_database(monkeypatch)
    reading = ("--all", "--cache", str(place / "cache"), "--requests-per-minute", "4500")

    def run(command: str, *arguments: object) -> tuple[int, str, str]:
        try:
            status = main([command, *reading, *map(str, arguments)])
        except SystemExit as wrong:
            status = int(str(wrong.code))
        page, errors = capsys.readouterr()
        assert platform.token not in page + errors
        return status, page, errors

    return run


@pytest.fixture(scope="module")
def middle() -> float:
    """The moment between the days that the proposal is made from and those that it is tried on."""
    return time.time() - NEXT * DAY


def test_from_some_days_to_the_next(
    call: Call, platform: LocalPlatform, place: Path, tmp_path: Path, middle: float
) -> None:
    """What the documentation tells: advise, then backtest on the days after. The truth scores it as well."""
    file = tmp_path / "proposed.yaml"
    until = ("--until", datetime.fromtimestamp(middle, UTC).isoformat())
    status, page, errors = call("advise", "--days", DAYS - NEXT, *until, "--output", file)
    assert (status, errors) == (0, "")
    command = (
        f"airflow-dbt-rerun backtest --all --days {NEXT + 1} --cache {place / 'cache'} --compare default {file}"
    )
    assert page.splitlines()[1] == command
    assert {request["method"] for request in platform.control("GET", "requests")} == {"GET"}

    status, text, errors = call("backtest", "--days", NEXT, "--compare", "default", file, "--json")
    assert (status, errors) == (0, "")
    default, proposed = (policy["totals"] for policy in json.loads(text)["policies"])
    assert proposed["verdicts"]["healed"] > default["verdicts"]["healed"]
    assert proposed["vain_seconds"] <= default["vain_seconds"]

    truth = read_truth(place / "platform" / "history_truth.json")
    past = collect(platform, place / "cache", DAYS)
    policies = {"default": RerunPolicy(), "proposed": read_policy(file.read_text(), str(file))}
    found = try_policies(as_of(past, middle, past.until), policies)
    by_default, by_proposal = (Score.of(tried.judged, truth) for tried in found.tried)
    assert by_proposal.beats(by_default), (by_proposal, by_default)


def test_the_document_holds_the_policy(call: Call, middle: float) -> None:
    """The same as on standard output; each rule has its counts. Nothing later than ``--until`` is known."""
    until = ("--days", DAYS - NEXT, "--until", datetime.fromtimestamp(middle, UTC).isoformat())
    _, text, _ = call("advise", *until)
    status, page, errors = call("advise", *until, "--json")
    assert (status, errors) == (0, "")
    found = json.loads(page)
    Draft202012Validator(SCHEMA).validate(found["policy"])
    assert RerunPolicy.from_dict(found["policy"]) == read_policy(text, "standard output") != RerunPolicy()
    assert found["until"] <= datetime.fromtimestamp(middle + 1, UTC).isoformat()
    evidence = [count for rule in found["rules"] for count in rule["evidence"]]
    assert evidence, "how many rules there are depends on the hour at which the history ends"
    assert all(count["gone"] <= count["passed"] <= count["cases"] for count in evidence)
    assert set(found["on_these_failures"]) == {"default", "proposed"}


def test_few_days_propose_nothing(call: Call) -> None:
    """It is the default policy, with the reasons."""
    status, text, _ = call("advise", "--days", 2)
    assert (status, read_policy(text, "standard output")) == (0, RerunPolicy())


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--until", "yesterday"], 2, "'yesterday' is not a date such as 2026-10-31"),
        (["--until", "2999-01-01"], 2, "2999-01-01 is in the future"),
        (["--until", "2020-01-01"], 2, "2020-01-01 is more than 365 days ago"),
        (["--output", "/nowhere/proposed.yaml"], 1, "--output /nowhere/proposed.yaml cannot be written"),
        (["--signatures", "nowhere.yaml"], 1, "nowhere.yaml: No such file or directory"),
    ],
)
def test_wrong_arguments(call: Call, arguments: list[str], status: int, words: str) -> None:
    """One line says what is wrong, and what to do."""
    code, page, errors = call("advise", *arguments)
    assert (code, page) == (status, "")
    assert words in errors
    assert "Traceback" not in errors
