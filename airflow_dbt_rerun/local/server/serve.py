"""Serve one platform: open its state directory and its socket, start it, and stop it."""

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

from airflow_dbt_rerun.local.account import LocalAccount
from airflow_dbt_rerun.local.connection import project_connection
from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.dbt.paths import Folders
from airflow_dbt_rerun.local.dbt.process_runner import ProcessRunner
from airflow_dbt_rerun.local.dbt.project_copy import ProjectError, read_yaml
from airflow_dbt_rerun.local.dbt.runner import DbtRunner
from airflow_dbt_rerun.local.faults.behaviour import Behaviour
from airflow_dbt_rerun.local.history.set_up import set_up_history
from airflow_dbt_rerun.local.options import InvalidOptionError, PlatformOptions, Tls
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.execution import Runner
from airflow_dbt_rerun.local.runs.lifecycle import RunLifecycle
from airflow_dbt_rerun.local.runs.store import Store
from airflow_dbt_rerun.local.server.app import build
from airflow_dbt_rerun.local.simulated.runner import SimulatedRunner
from airflow_dbt_rerun.local.simulated.v2 import SimulatedV2Runner

HOST = "127.0.0.1"

_DEFAULT_JOBS = {"build": ("dbt build",)}


def run(options: PlatformOptions, behaviour: Behaviour | None = None) -> None:
    """Serve until SIGINT or SIGTERM; print one line of JSON as soon as requests are answered.

    :raises InvalidOptionError: if the port or the state directory is in use, or the project cannot be read
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that both signals end the server in the same way
    os.umask(0o077)  # causes, overrides, logs and data are for this user only
    with contextlib.suppress(KeyboardInterrupt), _folders(options) as folders, _listener(options) as listener:
        account = _account(options, folders, listener.getsockname()[1])
        with contextlib.closing(Store(folders.database)) as store:
            history = set_up_history(options.history, options.project, options.dbt_version, store, folders)
            _set_up_jobs(store, options.jobs)
            used = options.engine, options.dbt_version
            platform = Platform(account, store, folders, options.project, *used, behaviour or Behaviour(), history)
            asyncio.run(_serve(platform, options, listener))


async def _serve(platform: Platform, options: PlatformOptions, listener: socket.socket) -> None:
    app = build(platform, RunLifecycle(platform, _runner(options)), with_faults=options.faults)
    server = uvicorn.Server(_configuration(app, options.tls))
    serving = asyncio.create_task(server.serve([listener]))
    while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn offers no event
        await asyncio.sleep(0.01)
    if server.started:
        _announce(platform)
    await serving


def _runner(options: PlatformOptions) -> Runner:
    if options.dbt is None:
        simulated = SimulatedRunner if options.engine is Engine.CORE else SimulatedV2Runner
        return simulated(options.seconds)
    return DbtRunner(options.dbt) if options.engine is Engine.CORE else ProcessRunner(options.dbt)


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
    sys.stderr.write(
        f"Serving a dbt platform at {account.base_url} with the jobs {', '.join(jobs)}. Press Ctrl-C to stop.\n"
    )


def _set_up_jobs(store: Store, jobs: Mapping[str, tuple[str, ...]]) -> None:
    """Create the jobs; those that an earlier server created are updated and keep their ids."""
    existing = store.jobs_by_name()
    defined = jobs or ({} if existing else _DEFAULT_JOBS)
    for name, commands in defined.items():
        definition = {"name": name, "execute_steps": commands}
        if name in existing:
            store.update_job(existing[name].id, definition)
        else:
            store.add_job(name, definition)


def _account(options: PlatformOptions, folders: Folders, port: int) -> LocalAccount:
    try:
        name = str(read_yaml(options.project / "dbt_project.yml").get("name"))
    except ProjectError as error:
        raise InvalidOptionError(f"--project-dir: {error}") from error
    scheme = "https" if options.tls else "http"
    token = options.token or _stored_token(folders)
    warehouse = {"DBT_LOCAL_WAREHOUSE": str(folders.warehouse)}
    connection = project_connection(options.project, options.account_id, warehouse)
    return LocalAccount(options.account_id, token, f"{scheme}://{HOST}:{port}", name, connection)


def _stored_token(folders: Folders) -> str:
    """Return the token stored in the state directory, so that connections remain valid after a restart."""
    file = folders.root / "token"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_urlsafe(24))
    return file.read_text()


@contextlib.contextmanager
def _folders(options: PlatformOptions) -> Iterator[Folders]:
    """Lock the state directory: a second server would fail the runs of the first as interrupted."""
    folders = Folders(options.state)
    try:
        folders.make()
        lock = os.open(folders.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise InvalidOptionError(f"--state-dir: {error}") from error
    with os.fdopen(lock):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InvalidOptionError(f"--state-dir: {options.state} is in use by another server") from error
        yield folders


@contextlib.contextmanager
def _listener(options: PlatformOptions) -> Iterator[socket.socket]:
    # asyncio disables Nagle's algorithm only on sockets that name the protocol.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, options.port))
        except (OSError, OverflowError) as error:
            raise InvalidOptionError(f"--port {options.port}: {error}") from error
        yield listener
