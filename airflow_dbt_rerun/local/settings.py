"""The options of the subcommand ``local``, checked."""

from __future__ import annotations

import argparse
import math
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from airflow_dbt_rerun.local.dbt.commands import SIMULATED_VERSION, split_commands
from airflow_dbt_rerun.local.dbt.runner import DbtNotFoundError, find_dbt, python_of

_ASK_VERSION = "from importlib.metadata import version; print(version('dbt-core'))"


class WrongOptionError(ValueError):
    """An option that cannot be used; the text names it."""


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM format."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Settings:
    """What to serve, and where.

    :param port: 0 for a free one
    :param dbt: None to simulate it
    :param seconds: how long a simulated command takes
    :param token: None for a random one that is kept
    """

    project: Path
    jobs: Mapping[str, tuple[str, ...]]
    state: Path
    dbt: Path | None
    dbt_version: str
    seconds: float
    port: int
    account_id: int
    token: str | None = field(repr=False)
    tls: Tls | None
    faults: bool


def check(options: argparse.Namespace) -> Settings:
    """Read the options.

    :raises WrongOptionError: if one cannot be used
    """
    project = _project(options.project_dir)
    jobs = _jobs(options.job)
    tls = _tls(options.tls_cert, options.tls_key)
    if options.token == "":
        raise WrongOptionError("--token: is empty")
    dbt, version = _dbt(options.dbt) if options.simulate is None else _no_dbt(options)
    return Settings(
        project=project,
        jobs=jobs,
        state=options.state_dir.resolve(),
        dbt=dbt,
        dbt_version=version,
        seconds=options.simulate or 0.0,
        port=options.port,
        account_id=options.account_id,
        token=options.token,
        tls=tls,
        faults=options.faults,
    )


def _project(folder: Path) -> Path:
    if not (folder / "dbt_project.yml").is_file():
        raise WrongOptionError(f"--project-dir: {folder} has no dbt_project.yml")
    return folder.resolve()


def _jobs(texts: Sequence[str]) -> dict[str, tuple[str, ...]]:
    jobs: dict[str, tuple[str, ...]] = {}
    for text in texts:
        name, separator, commands = text.partition("=")
        name = name.strip()
        if not separator or not name:
            raise WrongOptionError(f'--job: {text!r} is not of the form NAME="dbt seed; dbt build"')
        if name in jobs:
            raise WrongOptionError(f"--job: there are two jobs with the name {name!r}")
        try:
            jobs[name] = split_commands(commands)
        except ValueError as error:
            raise WrongOptionError(f"--job {name}: {error}") from error
    return jobs


def _tls(certificate: Path | None, key: Path | None) -> Tls | None:
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise WrongOptionError("--tls-cert and --tls-key: one needs the other")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as error:  # an SSLError is one
        raise WrongOptionError(f"--tls-cert and --tls-key: not a certificate and its key: {error}") from error
    return Tls(certificate, key)


def _no_dbt(options: argparse.Namespace) -> tuple[None, str]:
    if options.dbt is not None:
        raise WrongOptionError("--dbt and --simulate: one or the other")
    if not 0 <= options.simulate < math.inf:
        raise WrongOptionError(f"--simulate: {options.simulate} is no number of seconds")
    return None, SIMULATED_VERSION


def _dbt(given: str | None) -> tuple[Path, str]:
    """Find dbt and ask its Python for the version: far quicker than asking dbt."""
    try:
        dbt = find_dbt(given)
        python = python_of(dbt)
    except DbtNotFoundError as error:
        raise WrongOptionError(f"--dbt: {error}") from error
    asked = subprocess.run([python, "-I", "-c", _ASK_VERSION], capture_output=True, text=True, check=False)  # noqa: S603
    if asked.returncode != 0:
        raise WrongOptionError(f"--dbt: {dbt} does not belong to an installed dbt-core")
    return dbt, asked.stdout.strip()
