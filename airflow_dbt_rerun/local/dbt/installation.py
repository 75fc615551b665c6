"""Which dbt an executable is."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.dbt.environment import own_environment
from airflow_dbt_rerun.local.dbt.runner import DbtExecutableNotFoundError, python_of

_CORE_VERSION = "from importlib.metadata import version; print(version('dbt-core'))"
_CORE_SAYS = re.compile(r"^\s*- installed: *(\S+)", re.MULTILINE)
_V2_SAYS = re.compile(r"^dbt(?:-fusion|-core)? (2\.\S+)", re.MULTILINE)
_PATIENCE = 60.0
"""Seconds that ``dbt --version`` may take: dbt-core also asks PyPI for newer versions."""


@dataclass(frozen=True, slots=True)
class Installation:
    """An executable with its engine and its version."""

    dbt: Path
    engine: Engine
    version: str


def inspect_dbt(dbt: Path) -> Installation:
    """Find out which dbt an executable is.

    The Python environment of dbt-core 1.x knows the version, which is far quicker than running dbt. Any other
    executable is asked by ``--version``.

    :raises DbtExecutableNotFoundError: if it is no dbt that the platform can run
    """
    version = _version_in_environment(dbt)
    if version is not None:
        return Installation(dbt, Engine.CORE, version)
    printed = _print_version(dbt)
    if found := _V2_SAYS.search(printed):
        return Installation(dbt, Engine.V2, found[1])
    if (found := _CORE_SAYS.search(printed)) and found[1].startswith("1."):
        return Installation(dbt, Engine.CORE, found[1])
    raise DbtExecutableNotFoundError(f"{dbt} is neither an installed dbt-core nor dbt v2: {_shortened(printed)}")


def _version_in_environment(dbt: Path) -> str | None:
    """Return the version of the dbt-core 1.x whose console script this is; None if it is something else."""
    if not _is_python_script(dbt):
        return None
    try:
        python = python_of(dbt)
    except DbtExecutableNotFoundError:
        return None
    queried = subprocess.run([python, "-I", "-c", _CORE_VERSION], capture_output=True, text=True, check=False)  # noqa: S603
    version = queried.stdout.strip()
    return version if version.startswith("1.") else None


def _is_python_script(file: Path) -> bool:
    """Return whether Python runs the file; installers write its path into the first lines."""
    try:
        with file.open("rb") as opened:
            start = opened.read(1_000)
    except OSError:
        return False
    return start.startswith(b"#!") and b"python" in b"".join(start.splitlines()[:2])


def _print_version(dbt: Path) -> str:
    """Return what ``dbt --version`` prints.

    :raises DbtExecutableNotFoundError: if it cannot be started, or does not end
    """
    try:
        asked = subprocess.run(  # noqa: S603
            [dbt, "--version"],
            env=own_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_PATIENCE,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DbtExecutableNotFoundError(f"{dbt} --version failed: {error}") from error
    return asked.stdout.decode(errors="replace")


def _shortened(printed: str) -> str:
    """Return the first line of a text, short enough for a message."""
    lines = printed.strip().splitlines()
    return f"--version printed {lines[0][:80]!r}" if lines else "--version printed nothing"
