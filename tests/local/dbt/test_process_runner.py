"""Commands of dbt v2 run in processes of their own, and end when they should."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from airflow_dbt_rerun.local.dbt.process_runner import ProcessRunner
from airflow_dbt_rerun.local.dbt.runner import DbtRunnerError
from tests.local.dbt.test_runner import has_ended
from tests.local.fake_dbt import FUSION, fake_dbt
from tests.local.shop import until
from tests.support import GENEROUS

TELL_PROCESS = "echo $$ >process.part; mv process.part process\n"
ENDS_ON_SIGINT = f"trap 'echo interrupted; exit 1' INT\n{TELL_PROCESS}while :; do sleep 0.05; done"
IGNORES_SIGNALS = f"trap '' INT TERM\n{TELL_PROCESS}while :; do sleep 0.05; done"
LEAVES_A_CHILD = "(trap '' INT TERM HUP; sleep 600) &\necho $! >process"


@asynccontextmanager
async def a_runner(folder: Path, body: str) -> AsyncIterator[ProcessRunner]:
    """Provide a runner of a fake dbt that is closed at the end."""
    runner = ProcessRunner(fake_dbt(folder / "bin", FUSION, body))
    try:
        yield runner
    finally:
        await runner.close()


async def run(runner: ProcessRunner, folder: Path, *args: str, env: Mapping[str, str] = os.environ) -> int:
    """Run one command in a folder, which also gets the log."""
    return await runner.run(args, cwd=folder, env=env, log=folder / "log")


def once(folder: Path, body: str, *args: str, env: Mapping[str, str] = os.environ) -> int:
    """Run one command of a fake dbt."""

    async def scenario() -> int:
        async with a_runner(folder, body) as runner:
            return await run(runner, folder, *args, env=env)

    return asyncio.run(scenario())


def test_arguments_directory_and_environment_are_those_requested(tmp_path: Path) -> None:
    """Nothing of the platform's own environment is added, and the log is appended to."""
    (tmp_path / "log").write_text("before\n")
    code = once(tmp_path, 'echo "$@"; pwd; env | sort; echo to stderr >&2; exit 3', "build", "a b", env={"X": "1"})
    assert code == 3
    first, arguments, folder, *environment, last = (tmp_path / "log").read_text().splitlines()
    assert (first, arguments, folder, last) == ("before", "build a b", str(tmp_path), "to stderr")
    assert {line.partition("=")[0] for line in environment} <= {"X", "PWD", "SHLVL", "_", "LC_CTYPE", "OLDPWD"}


def test_a_death_by_a_signal_is_a_negative_exit_code(tmp_path: Path) -> None:
    """As with the fork server."""
    assert once(tmp_path, "kill -KILL $$") == -signal.SIGKILL


@pytest.mark.parametrize(("body", "words"), [(ENDS_ON_SIGINT, "interrupted\n"), (IGNORES_SIGNALS, "")])
@pytest.mark.parametrize("times", [1, 2])
def test_cancelling_ends_the_command(tmp_path: Path, body: str, words: str, times: int) -> None:
    """SIGINT comes first, so that dbt can cancel its queries; SIGKILL follows in the end."""

    async def scenario() -> None:
        async with a_runner(tmp_path, body) as runner:
            running = asyncio.create_task(run(runner, tmp_path, "build"))
            await until((tmp_path / "process").exists)
            for _ in range(times):
                running.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await running
            await until(lambda: has_ended(int((tmp_path / "process").read_text())))

    asyncio.run(scenario())
    assert (tmp_path / "log").read_text() == words


def test_what_a_command_leaves_running_ends_with_it(tmp_path: Path) -> None:
    """A process that dbt started does not outlive it."""
    assert once(tmp_path, LEAVES_A_CHILD) == 0
    asyncio.run(until(lambda: has_ended(int((tmp_path / "process").read_text()))))


def test_closing_ends_everything(tmp_path: Path) -> None:
    """The waiting caller learns that the command was killed."""

    async def scenario() -> int:
        async with a_runner(tmp_path, IGNORES_SIGNALS) as runner:
            running = asyncio.create_task(run(runner, tmp_path, "build"))
            await until((tmp_path / "process").exists)
        return await running

    assert asyncio.run(scenario()) == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can tie a process to its parent")
def test_nothing_outlives_a_killed_parent(tmp_path: Path) -> None:
    """The command ends even if the platform is killed."""
    dbt = fake_dbt(tmp_path / "bin", FUSION, IGNORES_SIGNALS)
    script = (
        "import asyncio, os, sys; from pathlib import Path\n"
        "from airflow_dbt_rerun.local.dbt.process_runner import ProcessRunner\n"
        "dbt, cwd = map(Path, sys.argv[1:])\n"
        "asyncio.run(ProcessRunner(dbt).run(['build'], cwd=cwd, env=os.environ, log=cwd / 'log'))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, dbt, tmp_path])
    asyncio.run(until((tmp_path / "process").exists))
    command = psutil.Process(int((tmp_path / "process").read_text()))
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs([command], timeout=GENEROUS)
    assert alive == []


def test_a_missing_directory_is_an_error_of_the_runner(tmp_path: Path) -> None:
    """A command that was not started has no exit code."""

    async def scenario() -> None:
        runner = ProcessRunner(fake_dbt(tmp_path / "bin", FUSION))
        await runner.run(["build"], cwd=tmp_path / "nowhere", env={}, log=tmp_path / "log")

    with pytest.raises(DbtRunnerError, match="nowhere"):
        asyncio.run(scenario())
