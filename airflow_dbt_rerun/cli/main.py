"""The command line, ``airflow-dbt-rerun``, and its subcommands."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Any

from airflow_dbt_rerun._version import __version__
from airflow_dbt_rerun.cli import (
    advise,
    audit,
    backtest,
    completion,
    demo,
    diagnose,
    explain_policy,
    migrate,
    report,
    rerun,
    signatures,
)
from airflow_dbt_rerun.cli.parsing import PROGRAM, Parser, ending
from airflow_dbt_rerun.local import command as local

_EXAMPLES = (
    "diagnose                         # the runs that failed last",
    "diagnose 70403103912345          # why did this run fail?",
    "rerun 70403103912345             # resume it from its point of failure",
    "report target/ > report.txt      # what to paste into an issue",
    "COMMAND --help                   # options and examples of a command",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status: 0 done, 1 not done, 2 wrong arguments."""
    parser, subcommands = parsers()
    completion.answer_shell(parser)
    parsed, extra = parser.parse_known_args(arguments)
    if extra:
        subcommands.get(getattr(parsed, "command", ""), parser).refuse(extra)
    if not hasattr(parsed, "func"):
        parser.print_help()
        return 0
    return _run(parsed)


def parsers() -> tuple[Parser, dict[str, Parser]]:
    """Return the parser, and those of the subcommands by their names."""
    parser = Parser(
        prog=PROGRAM,
        description="Run dbt Cloud jobs from Airflow and heal them when they fail.",
        epilog=ending(_EXAMPLES, "0 done; 1 not done; 2 wrong arguments. The help of each command says more."),
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subcommands: Any = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)
    diagnose.add_parser(subcommands)
    audit.add_parser(subcommands)
    rerun.add_parsers(subcommands)
    report.add_parser(subcommands)
    explain_policy.add_parser(subcommands)
    backtest.add_parser(subcommands)
    advise.add_parser(subcommands)
    signatures.add_parser(subcommands)
    migrate.add_parser(subcommands)
    local.add_parser(subcommands)
    demo.add_parser(subcommands)
    completion.add_parser(subcommands)
    return parser, dict(subcommands.choices)


def _run(parsed: argparse.Namespace) -> int:
    try:
        status: int = parsed.func(parsed)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader has closed the pipe: "... | head"
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status
