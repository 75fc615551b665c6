"""Serve one platform: its state directory, its socket, its beginning and its end."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Iterator, Mapping

import uvicorn
from starlette.types import ASGIApp

from airflow_dbt_rerun.local.account import Account
from airflow_dbt_rerun.local.dbt.paths import Folders
from airflow_dbt_rerun.local.dbt.project_copy import ProjectError, read_yaml
from airflow_dbt_rerun.local.dbt.runner import DbtRunner
from airflow_dbt_rerun.local.faults.behaviour import Behaviour
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.execution import Runner
from airflow_dbt_rerun.local.runs.lifecycle import Engine
from airflow_dbt_rerun.local.runs.store import Store
from airflow_dbt_rerun.local.server.app import build
from airflow_dbt_rerun.local.settings import Settings, Tls, WrongOptionError
from airflow_dbt_rerun.local.simulated.runner import SimulatedRunner

HOST = "127.0.0.1"

_JOB_IF_THERE_IS_NONE = {"build": ("dbt build",)}


def run(settings: Settings, behaviour: Behaviour | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Prints one line of JSON when requests are answered.

    :raises WrongOptionError: if the port or the state directory is in use, or the project is not one
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # both signals end it the same way
    with contextlib.suppress(KeyboardInterrupt), _folders(settings) as folders, _listener(settings) as listener:
        account = _account(settings, folders, listener.getsockname()[1])
        with contextlib.closing(Store(folders.database)) as store:
            _set_up_jobs(store, settings.jobs)
            platform = Platform(
                account, store, folders, settings.project, settings.dbt_version, behaviour or Behaviour()
            )
            asyncio.run(_serve(platform, settings, listener))


async def _serve(platform: Platform, settings: Settings, listener: socket.socket) -> None:
    app = build(platform, Engine(platform, _runner(settings)), with_faults=settings.faults)
    server = uvicorn.Server(_configuration(app, settings.tls))
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    if server.started:
        _announce(platform)
    await serving


def _runner(settings: Settings) -> Runner:
    return SimulatedRunner(settings.seconds) if settings.dbt is None else DbtRunner(settings.dbt)


def _configuration(app: ASGIApp, tls: Tls | None) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=1,
        ssl_certfile=tls.certificate if tls else None,
        ssl_keyfile=tls.key if tls else None,
    )


def _announce(platform: Platform) -> None:
    account = platform.account
    jobs = {name: job.id for name, job in platform.store.jobs_by_name().items()}
    ready = {"base_url": account.base_url, "account_id": account.id, "token": account.token, "jobs": jobs}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    sys.stderr.write(f"A dbt platform at {account.base_url}, jobs: {', '.join(jobs)}. Ctrl-C ends it.\n")


def _set_up_jobs(store: Store, jobs: Mapping[str, tuple[str, ...]]) -> None:
    """Create the jobs, or update those that an earlier server had, which keep their ids."""
    there = store.jobs_by_name()
    wanted = jobs or ({} if there else _JOB_IF_THERE_IS_NONE)
    for name, commands in wanted.items():
        definition = {"name": name, "execute_steps": commands}
        if name in there:
            store.update_job(there[name].id, definition)
        else:
            store.add_job(name, definition)


def _account(settings: Settings, folders: Folders, port: int) -> Account:
    try:
        name = str(read_yaml(settings.project / "dbt_project.yml").get("name"))
    except ProjectError as error:
        raise WrongOptionError(f"--project-dir: {error}") from error
    scheme = "https" if settings.tls else "http"
    token = settings.token or _kept_token(folders)
    return Account(settings.account_id, token, f"{scheme}://{HOST}:{port}", name)


def _kept_token(folders: Folders) -> str:
    """Return the token of the state directory, so that a connection outlives a restart."""
    file = folders.root / "token"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(24))
    return file.read_text()


@contextlib.contextmanager
def _folders(settings: Settings) -> Iterator[Folders]:
    """Hold the state directory: a second server would take the first one's runs for dead."""
    folders = Folders(settings.state)
    try:
        folders.make()
        lock = os.open(folders.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise WrongOptionError(f"--state-dir: {error}") from error
    with os.fdopen(lock):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise WrongOptionError(f"--state-dir: {settings.state} is in use by another server") from error
        yield folders


@contextlib.contextmanager
def _listener(settings: Settings) -> Iterator[socket.socket]:
    # The protocol is named since asyncio switches Nagle's delay off only where it is.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, settings.port))
        except (OSError, OverflowError) as error:
            raise WrongOptionError(f"--port {settings.port}: {error}") from error
        yield listener
