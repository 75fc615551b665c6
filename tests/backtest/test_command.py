"""``airflow-dbt-rerun backtest`` against a platform with a history: what it reads, says, keeps and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from airflow_dbt_rerun.backtest.tried import try_policies
from airflow_dbt_rerun.backtest.verdicts import Verdict, with_all_rerun
from airflow_dbt_rerun.cli.main import main
from benchmarks.backtest import POLICIES, RIGHT, collect, read_truth, true_outcome
from tests.backtest.conftest import DAYS
from tests.backtest.html_check import Page
from tests.support import LocalPlatform

FAST = ("--requests-per-minute", "4500")

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(past: LocalPlatform, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command; give its exit status and what it wrote. The token is never in it."""

    def run(*arguments: object) -> tuple[int, str, str]:
        try:
            status = main(["backtest", *map(str, arguments), *FAST])
        except SystemExit as wrong:
            status = int(str(wrong.code))
        page, errors = capsys.readouterr()
        assert past.token not in page + errors
        return status, page, errors

    return run


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that is filled by the first test that uses it."""
    return tmp_path_factory.mktemp("cache") / "kept"


def document(call: Call, *arguments: object) -> dict[str, Any]:
    """The JSON document."""
    status, text, errors = call(*arguments, "--json")
    assert (status, errors) == (0, "")
    found: dict[str, Any] = json.loads(text)
    return found


# --- what it sends


def test_it_sends_gets_only_and_none_the_second_time(call: Call, past: LocalPlatform, cache: Path) -> None:
    """By the platform's own record, and few. The second time all is in the cache, for another policy, too."""
    first = document(call, "--all", "--days", DAYS, "--cache", cache)
    sent = past.control("GET", "requests")
    assert {request["method"] for request in sent} == {"GET"}
    assert len(sent) >= first["requests"] > 0
    assert first["requests"] <= first["runs"] / 100 + 4 * first["failures"] + 2
    past.control("DELETE", "requests")
    second = document(call, "--all", "--days", DAYS, "--cache", cache, "--compare", "default", _never(cache))
    assert second["requests"] == 0
    assert past.paths() == []
    assert second["policies"][0]["totals"] == first["policies"][0]["totals"]


def _never(folder: Path) -> Path:
    path = folder.parent / "never.yaml"
    path.write_text("rules: []\n")
    return path


def test_throttled(call: Call, past: LocalPlatform, cache: Path) -> None:
    """A 429 is waited for, and everything is read."""
    past.fault("status", status=429, retry_after=1, count=2, path="/runs/")
    found = document(call, "--all", "--days", 2, "--cache", cache.with_name("throttled"))
    assert found["unreadable"] == {}
    assert len(past.paths()) >= found["requests"]


def test_refresh_reads_what_is_new_only(call: Call, past: LocalPlatform, cache: Path) -> None:
    """The list goes on where it ended; what was read of failed runs stays."""
    before = document(call, "--all", "--days", DAYS, "--cache", cache)
    past.wait(past.trigger(next(iter(past.jobs))))
    assert document(call, "--all", "--days", DAYS, "--cache", cache)["runs"] == before["runs"]
    past.control("DELETE", "requests")
    after = document(call, "--all", "--days", DAYS, "--cache", cache, "--refresh")
    assert after["runs"] > before["runs"] - 5, "a few fall out of the time at its beginning"
    assert after["until"] > before["until"]
    assert 1 <= after["requests"] <= 8


def test_one_job_and_fewer_days(call: Call, past: LocalPlatform, cache: Path) -> None:
    """A scope and a time choose the runs."""
    job_id = next(iter(past.jobs.values()))
    found = document(call, "--job-id", job_id, "--days", 3, "--cache", cache)
    assert {failure["job_id"] for failure in found["policies"][0]["failures"]} <= {job_id}
    assert found["days"] == pytest.approx(3)
    assert found["scope"] == f"job {job_id}"


# --- what it says


def test_no_verdict_is_wrong(past: LocalPlatform, history_place: Path) -> None:
    """Against the known truth of the history: whatever is not called *not known* is right."""
    truth = read_truth(history_place / "platform" / "history_truth.json")
    found = try_policies(collect(past, history_place / "cache", DAYS), POLICIES)
    assert len(found.failures) > 10, "how many fall into these days depends on the hour at which they end"
    for tried in found.tried:
        able = with_all_rerun(tried.policy)
        for judged in tried.judged:
            known = truth.get(judged.failure.run.id)
            if known is not None:  # another test adds runs
                assert true_outcome(judged, able, known) in RIGHT[judged.verdict], judged
    kinds = {judged.verdict for tried in found.tried for judged in tried.judged}
    assert {Verdict.RIGHTLY_LEFT, Verdict.NOT_KNOWN} <= kinds, "which others there are depends on the hour"


def test_document(call: Call, cache: Path) -> None:
    """Each failure has its evidence, the decision and its moments, what came next and the verdict; all add up."""
    found = document(call, "--all", "--days", DAYS, "--cache", cache)
    policy = found["policies"][0]
    assert sum(policy["totals"]["verdicts"].values()) == found["failures"] == len(policy["failures"])
    for groups in (policy["by_job"], policy["by_signature"]):
        assert sum(group["failures"] for group in groups.values()) == found["failures"]
    rerun = next(failure for failure in policy["failures"] if failure["reruns"] and failure["would_run"])
    assert rerun["diagnosis"]["evidence"]
    assert rerun["failed_at"] < rerun["reruns"][0]["earliest"] <= rerun["reruns"][0]["latest"]
    assert rerun["decision"] == "rerun_from_failure"
    assert rerun["next"]["status"] in ("Success", "Error", "Cancelled")


def test_tables(call: Call, cache: Path) -> None:
    """The terminal shows the totals, by job and by what failed."""
    status, page, errors = call("--all", "--days", DAYS, "--cache", cache)
    assert (status, errors) == (0, "")
    for words in ("would have healed", "rightly left to people", "pages avoided", "failed of", "not known"):
        assert words in page


def test_page(call: Call, cache: Path, tmp_path: Path) -> None:
    """One file, well-formed, that fetches and runs nothing; two policies are side by side."""
    file = tmp_path / "page.html"
    status, page, _ = call(
        "--all", "--days", DAYS, "--cache", cache, "--compare", "default", _never(cache), "--html", file
    )
    assert (status, str(file) in page) == (0, True)
    text = file.read_text()
    found = Page(text)
    assert (found.open, found.active) == ([], [])
    assert "default-src 'none'" in text
    assert "url(" not in text
    assert "@import" not in text
    assert text.count("<svg") == 3
    assert "What these policies would have done" in text


def test_a_run_that_cannot_be_read(call: Call, past: LocalPlatform, cache: Path) -> None:
    """It is named with the reason, and its verdict is not known; all others are judged."""
    whole = document(call, "--all", "--days", 3, "--cache", cache)
    failed = whole["policies"][0]["failures"][-1]["run_id"]
    past.fault("status", status=403, path=f"/runs/{failed}/", count=-1)
    found = document(call, "--all", "--days", 3)
    assert list(found["unreadable"]) == [str(failed)]
    judged = next(each for each in found["policies"][0]["failures"] if each["run_id"] == failed)
    assert judged["verdict"] == "not known"
    assert "403" in judged["why"]


# --- what it refuses


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--all", "--days", "0"], 2, "'0' is not a number above zero"),
        (["--all", "--days", "400"], 2, "400 is more than 365: dbt keeps runs for so many days"),
        (["--days", "3"], 2, "one of the arguments --job-id --environment-id --all is required"),
        (["--all", "--policy", "nowhere.yaml"], 1, "nowhere.yaml: No such file or directory"),
        (["--all", "--refresh"], 1, "--refresh is about a cache: add --cache DIR"),
        (["--job-id", "4711"], 1, "there is no job 4711 in this account, or the token may not see it"),
        (["--environment-id", "4711"], 1, "environment 4711 has no runs in the last 30 days"),
        (["--all", "--conn-id", "nowhere"], 1, "no connection 'nowhere'"),
    ],
)
def test_wrong_arguments(call: Call, arguments: list[str], status: int, words: str) -> None:
    """One line says what is wrong, and what to do."""
    code, page, errors = call(*arguments)
    assert (code, page) == (status, "")
    assert words in errors
    assert "Traceback" not in errors


def test_wrong_policy(call: Call, tmp_path: Path, past: LocalPlatform) -> None:
    """The field is named, before anything is read."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules:\n  - when: {any_nod: throttled}\n")
    status, _, errors = call("--all", "--policy", policy)
    assert status == 1
    assert "there is no condition 'any_nod'; did you mean 'any_node'?" in errors
    assert past.paths() == []


def test_page_that_cannot_be_written(call: Call, cache: Path, tmp_path: Path) -> None:
    """The file is named."""
    status, _, errors = call("--all", "--days", 2, "--cache", cache, "--html", tmp_path / "nowhere" / "page.html")
    assert status == 1
    assert "page.html cannot be written: No such file or directory" in errors


def test_no_permission(call: Call, past: LocalPlatform, tmp_path: Path) -> None:
    """The token is told which permission it needs."""
    past.fault("status", status=403, path="/runs/", count=-1)
    status, _, errors = call("--all", "--cache", tmp_path)
    assert status == 1
    assert "takes a token with permission to view jobs" in errors


def test_cache_of_another_account(call: Call, past: LocalPlatform, tmp_path: Path) -> None:
    """The runs of two accounts do not mix."""
    (tmp_path / "account.json").write_text('{"version": 1, "host": "cloud.getdbt.com", "account_id": 7}')
    status, _, errors = call("--all", "--cache", tmp_path)
    assert status == 1
    assert f"holds the runs of account 7 of cloud.getdbt.com, not of account {past.account_id}" in errors
    assert past.paths() == []


def test_cache_that_cannot_be_written(call: Call, tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "file").write_text("")
    status, _, errors = call("--all", "--cache", tmp_path / "file")
    assert status == 1
    assert "name a folder that you can write to" in errors


def test_damaged_cache_is_read_again(call: Call, past: LocalPlatform, tmp_path: Path) -> None:
    """A file that cannot be understood counts as missing."""
    first = document(call, "--all", "--days", 3, "--cache", tmp_path)
    for file in (tmp_path / "runs").iterdir():
        file.write_bytes(file.read_bytes()[:20])
    past.control("DELETE", "requests")
    again = document(call, "--all", "--days", 3, "--cache", tmp_path)
    assert again["policies"][0]["totals"] == first["policies"][0]["totals"]
    assert again["requests"] > 0
