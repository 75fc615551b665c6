"""The platform in front of dbt v2: what differs from dbt-core. A fake executable stands for the binary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.fake_dbt import FUSION, fake_dbt
from tests.support import LocalPlatform, local_platform

FAILS_WITH_RESULTS = 'env; mkdir -p target; echo "{}" >target/run_results.json; exit 1'


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPlatform]:
    """Serve a platform whose dbt is v2 by its version, prints its environment, and fails with results."""
    folder: Path = tmp_path_factory.mktemp("v2")
    dbt = fake_dbt(folder / "bin", FUSION, FAILS_WITH_RESULTS)
    with local_platform(folder, "--dbt", str(dbt), jobs={"any": "dbt build"}) as platform:
        yield platform


def test_runs_show_the_version_of_the_binary(platform: LocalPlatform) -> None:
    """As the binary prints it, without the name of the product."""
    assert platform.run("any")["dbt_version"] == "2.0.0-preview.196"


def test_v2_gets_no_option_that_it_warns_about(platform: LocalPlatform) -> None:
    """``DBT_USE_COLORS`` is no option of v2: with ``--warn-error``, the warning would fail each step."""
    log = platform.steps(platform.run("any"))[-1]["logs"]
    assert "DBT_TARGET_PATH=target" in log
    assert "DBT_USE_COLORS" not in log


@pytest.mark.parametrize("command", ["build", "compile", "run", "seed", "snapshot", "test"])
def test_commands_that_v2_resumes(platform: LocalPlatform, command: str) -> None:
    """They are retryable if they left results."""
    assert platform.run("any", steps_override=[f"dbt {command}"])["can_retry"]


@pytest.mark.parametrize("command", ["clone", "docs generate", "run-operation grant_all"])
def test_commands_that_only_core_resumes(platform: LocalPlatform, command: str) -> None:
    """v2 answers: "Cannot retry command ... - only run/build/test/seed/snapshot/compile supported"."""
    failed = platform.run("any", steps_override=[f"dbt {command}"])
    assert failed["retry_not_supported_reason"] == "RETRY_UNSUPPORTED_CMD"
