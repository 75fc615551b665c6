"""Run dbt commands concurrently, each in a forked process in which dbt is already imported."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from airflow_dbt_rerun.local.dbt.environment import own_environment

FORK_SERVER: Final = Path(__file__).with_name("forkserver.py")

#: How a command is ended: each signal, and the seconds until the next one. On SIGINT, dbt cancels its queries and
#: writes run_results.json; inside a database driver it may react to SIGKILL only.
ESCALATION: Final = ((signal.SIGINT, 3.0), (signal.SIGTERM, 2.0), (signal.SIGKILL, None))


class DbtExecutableNotFoundError(RuntimeError):
    """No dbt executable was found, or it does not belong to a dbt-core that Python can import."""


class DbtRunnerError(RuntimeError):
    """A command could not be started, or its exit code was lost when the fork server ended."""


def find_dbt(given: str | None = None) -> Path:
    """Return the dbt executable: ``given``, $AIRFLOW_DBT_RERUN_DBT, ./.venv-dbt/bin/dbt or the one on PATH.

    :raises DbtExecutableNotFoundError: if the named executable does not exist, or none is named and none is found
    """
    named = given or os.environ.get("AIRFLOW_DBT_RERUN_DBT")
    if named:
        found = shutil.which(named)
        if found is None:
            raise DbtExecutableNotFoundError(
                f"{named} is not an executable file; give the path of the dbt executable"
            )
        return Path(found).absolute()
    beside = Path(".venv-dbt/bin/dbt").absolute()
    on_path = shutil.which("dbt")
    if os.access(beside, os.X_OK):
        return beside
    if on_path is not None:
        return Path(on_path).absolute()
    raise DbtExecutableNotFoundError(
        "no dbt executable in $AIRFLOW_DBT_RERUN_DBT, ./.venv-dbt/bin or PATH; "
        "install dbt-core and an adapter in a separate virtual environment and give the path of its bin/dbt"
    )


def python_of(dbt: Path) -> Path:
    """Return the Python that a dbt executable runs with; symbolic links are followed.

    :raises DbtExecutableNotFoundError: if there is no Python beside the executable
    """
    for directory in (dbt.parent, dbt.resolve().parent):
        for name in ("python", "python3"):
            if os.access(directory / name, os.X_OK):
                return directory / name
    raise DbtExecutableNotFoundError(f"no Python beside {dbt}; dbt-core must be installed as a Python package")


class DbtRunner:
    """Runs the commands of one dbt installation.

    :param dbt: the path of the dbt executable
    """

    one_at_a_time: Final = True

    def __init__(self, dbt: Path) -> None:
        self.dbt = dbt
        self._server: _Server | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Start the fork server unless it is running; this takes seconds.

        :raises DbtExecutableNotFoundError: if dbt's Python does not exist or cannot import dbt
        """
        await self._running()

    async def run(self, args: Sequence[str], *, cwd: Path, env: Mapping[str, str], log: Path) -> int:
        """Run one command and return its exit code (negative: killed by that signal).

        Cancelling the awaiting task ends the command within seconds, before the cancellation propagates.

        :param args: the arguments after ``dbt``
        :param env: the complete environment of the command
        :param log: the file to append stdout and stderr to
        :raises DbtExecutableNotFoundError: if the fork server cannot be started, see :meth:`start`
        :raises DbtRunnerError: if the command could not be started or its exit code was lost
        """
        server = await self._running()
        command = {"args": list(args), "cwd": str(cwd), "env": dict(env), "log": str(log)}
        return await server.run(command)

    async def close(self) -> None:
        """End the fork server and all running commands."""
        async with self._starting:
            if self._server is not None:
                await self._server.close()
                self._server = None

    async def _running(self) -> _Server:
        async with self._starting:
            if self._server is None or self._server.ended:
                self._server = await _Server.start(self.dbt)
            return self._server


class _Server:
    """The client side of one fork server process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ids = itertools.count(1)
        self._exits: dict[int, asyncio.Future[int]] = {}
        self._endings: set[asyncio.Task[None]] = set()
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def start(cls, dbt: Path) -> _Server:
        # -I isolates dbt from the current directory and from a PYTHONPATH meant for Airflow.
        process = await asyncio.create_subprocess_exec(
            python_of(dbt),
            "-I",
            FORK_SERVER,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=own_environment(),
        )
        try:
            assert process.stdout is not None
            first = json.loads(await process.stdout.readline() or "{}")
        except BaseException:
            process.kill()
            raise
        if "ready" not in first:
            await process.wait()
            why = first.get("error", f"its Python exited with {process.returncode}")
            raise DbtExecutableNotFoundError(f"{dbt} does not belong to an installed dbt-core: {why}")
        return cls(process)

    @property
    def ended(self) -> bool:
        return self._reading.done()

    async def run(self, command: dict[str, Any]) -> int:
        number = next(self._ids)
        ended = self._exits[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, **command})
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            ending = asyncio.create_task(self._end(number, ended))
            self._endings.add(ending)  # a second cancellation must not interrupt it
            ending.add_done_callback(self._endings.discard)
            await asyncio.shield(ending)
            raise

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading

    async def _end(self, number: int, ended: asyncio.Future[int]) -> None:
        for send, seconds in ESCALATION:
            self._send({"id": number, "signal": int(send)})
            done, _ = await asyncio.wait([ended], timeout=seconds)
            if done:
                ended.exception()  # retrieve the error: the command has ended either way
                return

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._settle(json.loads(line))
        lost = DbtRunnerError("the fork server of dbt ended, and its commands with it")
        while self._exits:
            self._exits.popitem()[1].set_exception(lost)

    def _settle(self, reply: dict[str, Any]) -> None:
        ended = self._exits.pop(reply["id"])
        if "exit" in reply:
            ended.set_result(reply["exit"])
        else:
            ended.set_exception(DbtRunnerError(f"dbt could not be started: {reply['error']}"))
