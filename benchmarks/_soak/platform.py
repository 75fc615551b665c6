"""A local dbt platform that can be restarted, with the same or with another token, while clients use it."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from airflow_dbt_rerun.local.options import TOKEN_VARIABLE
from tests.support import LocalPlatform, local_platform
from tests.system.airflow_stack import free_port


class RestartedPlatform:
    """Keeps its port, its jobs and its runs over a restart; runs in progress end in Error, as in a crash."""

    def __init__(self, folder: Path, jobs: Mapping[str, str]) -> None:
        self.token = secrets.token_urlsafe(24)
        self._folder, self._jobs, self._port = folder, jobs, free_port()
        self._running = ExitStack()
        self.now = self._start()

    def restart(self, *, crash: bool = False) -> None:
        """End the server, at once if it crashes, and start another one."""
        if crash:
            self.now.kill()
        self.stop()
        self.now = self._start()

    def new_token(self) -> str:
        """Make the token that is valid after the next restart."""
        self.token = secrets.token_urlsafe(24)
        return self.token

    def stop(self) -> None:
        """End the server."""
        self._running.close()

    def _start(self) -> LocalPlatform:
        os.environ[TOKEN_VARIABLE] = self.token  # not in the list of processes
        try:
            options = ("--simulate", "--port", str(self._port))
            return self._running.enter_context(local_platform(self._folder, *options, jobs=self._jobs))
        finally:
            del os.environ[TOKEN_VARIABLE]


@contextmanager
def restarted_platform(folder: Path, jobs: Mapping[str, str]) -> Iterator[RestartedPlatform]:
    """Serve for a while."""
    platform = RestartedPlatform(folder, jobs)
    try:
        yield platform
    finally:
        platform.stop()
