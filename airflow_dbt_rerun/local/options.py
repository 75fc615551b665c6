"""Read and check the options of the subcommand ``local``."""

from __future__ import annotations

import argparse
import math
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from airflow_dbt_rerun.local.dbt.commands import SIMULATED_VERSION, split_commands
from airflow_dbt_rerun.local.dbt.runner import DbtExecutableNotFoundError, find_dbt, python_of

_PRINT_VERSION = "from importlib.metadata import version; print(version('dbt-core'))"


class InvalidOptionError(ValueError):
    """An option has a value that cannot be used; the message names the option."""


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate and its key, as files in PEM format."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class PlatformOptions:
    """What to serve, and where to serve it.

    :param port: 0 for a free port
    :param dbt: path of the dbt executable; None to simulate dbt
    :param seconds: duration of a simulated command
    :param token: None for a random token, stored in the state directory
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


def read_options(options: argparse.Namespace) -> PlatformOptions:
    """Read the options of the command line.

    :raises InvalidOptionError: if an option has a value that cannot be used
    """
    project = _project(options.project_dir)
    jobs = _jobs(options.job)
    tls = _tls(options.tls_cert, options.tls_key)
    if options.token == "":
        raise InvalidOptionError("--token: must not be empty")
    dbt, version = _dbt(options.dbt) if options.simulate is None else _simulated(options)
    return PlatformOptions(
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


def _simulated(options: argparse.Namespace) -> tuple[None, str]:
    if options.dbt is not None:
        raise InvalidOptionError("--dbt and --simulate: give only one of them")
    if not 0 <= options.simulate < math.inf:
        raise InvalidOptionError(f"--simulate: {options.simulate} is not a number of seconds")
    return None, SIMULATED_VERSION


def _dbt(given: str | None) -> tuple[Path, str]:
    """Find dbt and read its version from its Python environment, which is far quicker than running dbt."""
    try:
        dbt = find_dbt(given)
        python = python_of(dbt)
    except DbtExecutableNotFoundError as error:
        raise InvalidOptionError(f"--dbt: {error}") from error
    queried = subprocess.run([python, "-I", "-c", _PRINT_VERSION], capture_output=True, text=True, check=False)  # noqa: S603
    if queried.returncode != 0:
        raise InvalidOptionError(f"--dbt: {dbt} does not belong to an installed dbt-core")
    return dbt, queried.stdout.strip()
