"""Run commands of dbt v2, each in a process of its own: the binary starts in milliseconds."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from airflow_dbt_rerun.local.dbt.runner import ESCALATION, DbtRunnerError

LAUNCHER: Final = Path(__file__).with_name("launch.py")


class ProcessRunner:
    """Runs the commands of one dbt executable.

    :param dbt: the path of the dbt executable
    """

    one_at_a_time: Final = True

    def __init__(self, dbt: Path) -> None:
        self.dbt = dbt
        self._running: set[Process] = set()
        self._endings: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Do nothing: no preparation is needed."""

    async def run(self, args: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> int:
        """Run one command and return its exit code (negative: killed by that signal).

        Cancelling the awaiting task ends the command within seconds, before the cancellation propagates.

        :param args: the arguments after ``dbt``
        :param env: the complete environment of the command
        :param log: the file to append stdout and stderr to
        :raises DbtRunnerError: if the command could not be started
        """
        process = await self._started(args, cwd, env, log)
        self._running.add(process)
        try:
            return await process.wait()
        except asyncio.CancelledError:
            ending = asyncio.create_task(_end(process))
            self._endings.add(ending)  # a second cancellation must not interrupt it
            ending.add_done_callback(self._endings.discard)
            await asyncio.shield(ending)
            raise
        finally:
            if process.returncode is not None:
                _signal(process, signal.SIGKILL)  # processes that dbt started must not outlive it
                self._running.discard(process)

    async def close(self) -> None:
        """End all running commands."""
        for process in list(self._running):
            _signal(process, signal.SIGKILL)
            await process.wait()

    async def _started(self, args: Sequence[str], cwd: Path, env: Mapping[str, str], log: Path) -> Process:
        command: list[str | Path] = [sys.executable, "-I", LAUNCHER, str(os.getpid()), self.dbt, *args]
        try:
            with log.open("ab") as output:
                return await asyncio.create_subprocess_exec(
                    *command,
                    cwd=cwd,
                    env=dict(env),
                    stdin=DEVNULL,
                    stdout=output,
                    stderr=STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise DbtRunnerError(f"dbt could not be started: {error}") from error


async def _end(process: Process) -> None:
    """End a command with signals: on SIGINT, dbt v2 cancels its queries, which SIGTERM leaves running."""
    for number, seconds in ESCALATION:
        _signal(process, number)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), seconds)
            return


def _signal(process: Process, number: int) -> None:
    """Send a signal to the process group of a command."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
