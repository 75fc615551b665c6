"""Read and check the options of the subcommand ``local``."""

from __future__ import annotations

import argparse
import math
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from airflow_dbt_rerun.local.dbt.commands import split_commands
from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.dbt.installation import inspect_dbt
from airflow_dbt_rerun.local.dbt.runner import DbtExecutableNotFoundError, find_dbt
from airflow_dbt_rerun.local.simulated.versions import SIMULATED_VERSIONS
from airflow_dbt_rerun.local.timestamps import parse_timestamp

TOKEN_VARIABLE = "AIRFLOW_DBT_RERUN_LOCAL_TOKEN"  # noqa: S105 - the name of a variable
_LONGEST_TOKEN = 1_000

DEFAULT_HISTORY_JOBS = 20
_MOST_DAYS, _MOST_JOBS = 365, 200
"""dbt keeps the history of runs for 365 days."""


class InvalidOptionError(ValueError):
    """An option has a value that cannot be used; the message names the option."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate and its key, as files in PEM format."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """How long a simulated history is, of how many jobs, and what it is drawn from.

    :param until: its end, with time zone; None for the start of the platform
    """

    days: int
    jobs: int
    seed: int
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class PlatformOptions:
    """What to serve, and where to serve it.

    :param port: 0 for a free port
    :param dbt: path of the dbt executable; None to simulate dbt
    :param seconds: duration of a simulated command
    :param token: None for a random token, stored in the state directory
    :param history: the history to begin with; None for none
    """

    project: Path
    jobs: Mapping[str, tuple[str, ...]]
    state: Path
    dbt: Path | None
    engine: Engine
    dbt_version: str
    seconds: float
    port: int
    account_id: int
    token: str | None = field(repr=False)
    tls: Tls | None
    faults: bool
    history: HistoryOptions | None = None


def read_options(options: argparse.Namespace) -> PlatformOptions:
    """Read the options of the command line.

    :raises InvalidOptionError: if an option has a value that cannot be used
    """
    project = _project(options.project_dir)
    jobs = _jobs(options.job)
    tls = _tls(options.tls_cert, options.tls_key)
    history = _history(options)
    dbt, engine, version = _installed(options) if options.simulate is None else _simulated(options)
    return PlatformOptions(
        project=project,
        jobs=jobs,
        state=options.state_dir.resolve(),
        dbt=dbt,
        engine=engine,
        dbt_version=version,
        seconds=options.simulate or 0.0,
        port=options.port,
        account_id=options.account_id,
        token=_token(options.token, options.token_file),
        tls=tls,
        faults=options.faults,
        history=history,
    )


def _token(given: str | None, file: Path | None) -> str | None:
    """Return the token of the option, the file or the environment; None if none of them gives one."""
    if given is not None and file is not None:
        raise InvalidOptionError("--token and --token-file: give only one of them")
    if given is not None:
        return _checked_token("--token", given)
    if file is None:
        variable = os.environ.get(TOKEN_VARIABLE)
        return None if variable is None else _checked_token(TOKEN_VARIABLE, variable)
    try:
        with file.open(encoding="ascii") as opened:
            return _checked_token("--token-file", opened.read(_LONGEST_TOKEN + 2).strip())
    except (OSError, ValueError) as error:
        if isinstance(error, InvalidOptionError):
            raise
        reason = getattr(error, "strerror", None) or "it is not ASCII text"
        raise InvalidOptionError(f"--token-file: {file} cannot be read: {reason}") from error


def _checked_token(name: str, token: str) -> str:
    """Check that a header can carry the token. The message does not show it."""
    if not token:
        raise InvalidOptionError(f"{name}: must not be empty")
    if not (token.isascii() and token.isprintable() and " " not in token) or len(token) > _LONGEST_TOKEN:
        allowed = f"at most {_LONGEST_TOKEN:,} printable ASCII characters, and no blank"
        raise InvalidOptionError(f"{name}: a token has {allowed}")
    return token


def _project(folder: Path) -> Path:
    if not (folder / "dbt_project.yml").is_file():
        raise InvalidOptionError(f"--project-dir: {folder} has no dbt_project.yml")
    return folder.resolve()


def _jobs(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    jobs: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, separator, commands = text.partition("=")
        name = name.strip()
        if not separator or not name:
            raise InvalidOptionError(f'--job: {text!r} is not of the form NAME="dbt seed; dbt build"')
        if name in jobs:
            raise InvalidOptionError(f"--job: two jobs have the name {name!r}")
        try:
            jobs[name] = split_commands(commands)
        except ValueError as error:
            raise InvalidOptionError(f"--job {name}: {error}") from error
    return jobs


def _tls(certificate: Path | None, key: Path | None) -> Tls | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise InvalidOptionError("--tls-cert and --tls-key: give both or neither")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:  # SSLError is a subclass
        raise InvalidOptionError(f"--tls-cert and --tls-key: cannot load certificate and key: {error}") from error
    return Tls(certificate, key)


def _history(options: argparse.Namespace) -> HistoryOptions | None:
    if options.history is None:
        for name in ("history_jobs", "history_seed", "history_until"):
            if getattr(options, name) is not None:
                raise InvalidOptionError(f"--{name.replace('_', '-')}: needs --history DAYS")
        return None
    if options.simulate is None or options.engine == Engine.V2:
        raise InvalidOptionError(
            "--history: needs --simulate, and the engine core; v2 is not simulated in a history"
        )
    jobs = DEFAULT_HISTORY_JOBS if options.history_jobs is None else options.history_jobs
    _check_between("--history", options.history, 1, _MOST_DAYS)
    _check_between("--history-jobs", jobs, 1, _MOST_JOBS)
    return HistoryOptions(options.history, jobs, options.history_seed or 0, _past(options.history_until))


def _past(text: str | None) -> datetime | None:
    """Read the end of a history, which the platform's own runs must follow."""
    try:
        until = None if text is None else parse_timestamp(text)
    except ValueError as error:
        raise InvalidOptionError(f"--history-until: {text!r} is not a moment such as 2026-03-31T06:00Z") from error
    if until is not None and until > datetime.now(UTC):
        raise InvalidOptionError("--history-until: must not be in the future")
    return until


def _check_between(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise InvalidOptionError(f"{name}: must be a whole number from {least} to {most}, not {value}")


def _simulated(options: argparse.Namespace) -> tuple[None, Engine, str]:
    if options.dbt is not None:
        raise InvalidOptionError("--dbt and --simulate: give only one of them")
    if not 0 <= options.simulate < math.inf:
        raise InvalidOptionError(f"--simulate: {options.simulate} is not a number of seconds")
    engine = Engine(options.engine or Engine.CORE)
    return None, engine, SIMULATED_VERSIONS[engine]


def _installed(options: argparse.Namespace) -> tuple[Path, Engine, str]:
    if options.engine is not None:
        raise InvalidOptionError("--engine: is for --simulate only; an installed dbt says itself what it is")
    try:
        found = inspect_dbt(find_dbt(options.dbt))
    except DbtExecutableNotFoundError as error:
        raise InvalidOptionError(f"--dbt: {error}") from error
    return found.dbt, found.engine, found.version
