"""The platform in front of the real dbt v2: what a fake executable cannot show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines import NOT_SET_UP, V2, platform_options, running_dbt
from tests.scenarios.test_traps import GOOD_PRICES, RESET, lay_out
from tests.support import Json, LocalPlatform, local_platform

pytestmark = pytest.mark.v2


@pytest.fixture(scope="module")
def v2_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """One platform for all tests here, with a project of three models."""
    if not V2.exists():
        pytest.skip(NOT_SET_UP)
    folder = tmp_path_factory.mktemp("real_v2")
    lay_out(folder / "project")
    with local_platform(folder, *platform_options("v2"), jobs={"tiny": "dbt build"}) as platform:
        yield platform


@pytest.fixture
def platform(v2_platform: LocalPlatform) -> Iterator[LocalPlatform]:
    """The platform without trouble, before and after each test."""
    (v2_platform.state / "prices.csv").write_text(GOOD_PRICES)
    v2_platform.trouble()
    yield v2_platform
    v2_platform.trouble()


def log_of(platform: LocalPlatform, run: Json) -> str:
    """What the last step printed."""
    log: str = platform.steps(run)[-1]["logs"]
    return log


def test_run_succeeds_and_is_recorded(platform: LocalPlatform) -> None:
    """With the engine's version, and with the platform's variables in the artifact."""
    done = platform.run("tiny")
    assert (done["status"], done["dbt_version"].partition(".")[0]) == (10, "2")
    assert set(platform.results(done).values()) == {"success", "pass"}
    written = platform.send("GET", f"runs/{done['id']}/artifacts/run_results.json").json()["metadata"]
    assert written["dbt_version"] == done["dbt_version"]
    assert written["env"]["DBT_CLOUD_RUN_ID"] == str(done["id"])


def test_command_gets_no_option_that_v2_warns_about(platform: LocalPlatform) -> None:
    """With ``--warn-error``, ``DBT_USE_COLORS`` would fail each step (dbt1700)."""
    done = platform.run("tiny", steps_override=["dbt --warn-error run --select rates"])
    assert done["status"] == 10
    assert "dbt1700" not in log_of(platform, done)


def test_failed_run_is_resumed(platform: LocalPlatform) -> None:
    """The retry runs what had failed or been skipped, on the artifacts of the failed step."""
    platform.trouble({"node": "prices", **RESET})
    failed = platform.run("tiny")
    assert (failed["status"], failed["can_retry"]) == (20, True)
    assert "Connection reset by peer" in log_of(platform, failed)
    retried = platform.retry(failed)
    assert retried["status"] == 10
    assert set(platform.results(retried)) == {"prices", "no_price_is_missing", "no_price_is_zero", "revenue"}
    assert "Retrying 4 failed nodes" in log_of(platform, retried)


def test_cancelled_run_ends_at_once_and_leaves_the_warehouse_free(platform: LocalPlatform) -> None:
    """On SIGINT, v2 cancels its query: the next run does not wait for the minute that it would have taken."""
    platform.trouble({"node": "revenue", "times": 1, "seconds": 60})
    run = platform.trigger("tiny")
    platform.until_troubled("revenue")
    command = running_dbt(platform.process.pid)
    platform.cancel(run)
    cancelled = platform.wait(run)
    command.wait(5)
    assert cancelled["status"] == 30
    assert platform.run("tiny", steps_override=["dbt run --select revenue"])["status"] == 10
    assert set(platform.results(cancelled).values()) == {"error"}  # saved by now: commands take turns
