"""The command line, ``airflow-dbt-rerun``, and its subcommands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from airflow_dbt_rerun._version import __version__
from airflow_dbt_rerun.cli import audit, demo, diagnose, explain_policy, migrate, rerun, signatures
from airflow_dbt_rerun.local import command as local


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status: 0 done, 1 not done, 2 wrong arguments."""
    parser = argparse.ArgumentParser(
        prog="airflow-dbt-rerun", description="Run dbt Cloud jobs from Airflow and heal them when they fail."
    )
    parser.add_argument("--version", action="version", version=__version__)
    subcommands = parser.add_subparsers(required=True, metavar="COMMAND")
    diagnose.add_parser(subcommands)
    audit.add_parser(subcommands)
    rerun.add_parsers(subcommands)
    explain_policy.add_parser(subcommands)
    signatures.add_parser(subcommands)
    migrate.add_parser(subcommands)
    local.add_parser(subcommands)
    demo.add_parser(subcommands)
    parsed = parser.parse_args(arguments)
    try:
        status: int = parsed.func(parsed)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has closed the pipe: "... | head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status
