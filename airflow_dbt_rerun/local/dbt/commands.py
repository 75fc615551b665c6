"""Split dbt commands, as a job lists them, into arguments."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from airflow_dbt_rerun.local.dbt.engine import Engine

RETRYABLE_BY_V2 = frozenset({"build", "compile", "run", "seed", "snapshot", "test"})
RETRYABLE_BY_CORE = RETRYABLE_BY_V2 | {"clone", "docs", "run-operation"}
RETRYABLE = {Engine.CORE: RETRYABLE_BY_CORE, Engine.V2: RETRYABLE_BY_V2}
"""Subcommands that ``dbt retry`` of each engine can resume (``docs`` stands for ``docs generate``)."""

_SUBCOMMANDS = RETRYABLE_BY_CORE | {
    "clean",
    "debug",
    "deps",
    "freshness",
    "init",
    "list",
    "ls",
    "parse",
    "retry",
    "show",
    "source",
}
_UP_TO_SEMICOLON = re.compile(r"""(?:[^;'"]|'[^']*'|"[^"]*")+""")


def split_commands(text: str) -> tuple[str, ...]:
    """Split ``dbt seed; dbt build`` at the semicolons outside quotes.

    :raises ValueError: if there is no command, or one of them is not a dbt command
    """
    commands = tuple(part.strip() for part in _UP_TO_SEMICOLON.findall(text) if part.strip())
    if not commands:
        raise ValueError("no command is given")
    for command in commands:
        dbt_arguments(command)
    return commands


def dbt_arguments(command: str) -> list[str]:
    """Return the arguments after ``dbt``, split as a shell does.

    :raises ValueError: if it is not a dbt command, or a quote is not closed
    """
    try:
        first, *arguments = shlex.split(command) or [""]
    except ValueError as error:
        raise ValueError(f"{command!r}: {error}") from error
    if first != "dbt" or not arguments:
        raise ValueError(f"{command!r} is not a dbt command")
    return arguments


def subcommand(command: str) -> str:
    """Return the subcommand, such as ``build`` in ``dbt --warn-error build --select a``, or an empty text."""
    return subcommand_of(dbt_arguments(command))


def subcommand_of(arguments: Sequence[str]) -> str:
    """Return the subcommand among the arguments after ``dbt``, or an empty text."""
    return next((word for word in arguments if word in _SUBCOMMANDS), "")
