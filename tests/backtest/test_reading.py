"""Only GETs can be sent, at a bounded pace; what was read before an interruption is not read again."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from airflow_dbt_rerun.api.client import DbtClient
from airflow_dbt_rerun.api.endpoints import cancel_run, get_run, rerun_job, retry_run, trigger_job
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.backtest.cache import FolderCache
from airflow_dbt_rerun.backtest.collected import Scope
from airflow_dbt_rerun.backtest.collecting import Collector, Wish
from airflow_dbt_rerun.backtest.pacing import Gate
from airflow_dbt_rerun.backtest.reading import (
    NotReadingError,
    NotRecordedError,
    ReadingClient,
    Recording,
    without_bulk,
)
from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.results import StepResults
from tests.support import LocalPlatform

POSTS = (retry_run(1), cancel_run(1), rerun_job(1), trigger_job(1, cause="a test"))
WISH = Wish(Scope(), 8)


def client_of(platform: LocalPlatform) -> DbtClient:
    """A client without proxies."""
    return DbtClient(Settings(platform.base_url, platform.account_id, platform.token, trust_env=False))


@pytest.mark.parametrize("post", POSTS, ids=str)
def test_nothing_but_gets(past: LocalPlatform, post: object) -> None:
    """Each POST of this package is refused by both clients before it is sent."""
    for client in (ReadingClient(client_of(past), Gate(600)), Recording(past.account_id)):
        with pytest.raises(NotReadingError, match="a backtest only reads"):
            client.send(post)  # type: ignore[arg-type]
    assert past.control("GET", "requests") == []


def test_without_a_client_only_what_is_recorded(past: LocalPlatform) -> None:
    """A recording alone cannot ask."""
    with pytest.raises(NotRecordedError):
        Recording(past.account_id).send(get_run(1))


def test_an_interrupted_backtest_goes_on(past: LocalPlatform, tmp_path: Path) -> None:
    """What was read until then is not read again, and the result is the same."""

    def interrupt(what: str, done: int, _: int) -> None:
        if (what, done) == ("failed runs", 5):
            raise KeyboardInterrupt

    cache = FolderCache(tmp_path, host=client_of(past).settings.host, account_id=past.account_id)
    with pytest.raises(KeyboardInterrupt):
        Collector(client_of(past), cache, Gate(4_500), report=interrupt).collect(WISH, time.time())
    before = len(past.control("GET", "requests"))
    rest = Collector(client_of(past), cache, Gate(4_500)).collect(WISH, time.time())
    whole = Collector(client_of(past), gate=Gate(4_500)).collect(WISH, time.time())
    assert 0 < rest.requests <= whole.requests - before + 4, "four runs were perhaps in the air"
    assert rest.details == whole.details


def test_what_is_kept_says_the_same() -> None:
    """The SQL of results and the bulk of a manifest are left out; what is read from the rest is the same."""
    node = {"original_file_path": "m/a.sql", "tags": ["x"], "fqn": ["shop", "a"], "raw_code": "select 1"}
    test = {"depends_on": {"nodes": ["model.shop.a"], "macros": []}, "raw_code": "select 2"}
    manifest = {"metadata": {"adapter_type": "duckdb"}, "nodes": {"model.shop.a": node, "test.shop.t": test}}
    kept = without_bulk(json.dumps(manifest).encode())
    assert "select" not in kept
    assert ManifestFacts.from_artifact(json.loads(kept)) == ManifestFacts.from_artifact(manifest)
    result = {"unique_id": "model.shop.a", "status": "error", "message": "no", "compiled_code": "select 1"}
    results = {"metadata": {}, "results": [result]}
    kept = without_bulk(json.dumps(results).encode())
    assert "select" not in kept
    assert StepResults.from_artifact(json.loads(kept)) == StepResults.from_artifact(results)


def test_pace() -> None:
    """A gate spaces requests out; a pause holds back all of them, and repeats one."""
    now, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    gate = Gate(60, clock=lambda: now[0], sleep=sleep)
    for _ in range(3):
        gate.wait_for_turn()
    assert slept == [1.0, 1.0]
    gate.pause(30.0)
    assert slept[2:] == [30.0]
    assert gate.passed == 4
