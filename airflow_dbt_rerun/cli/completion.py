"""The subcommand ``completion``: print what makes a shell complete our commands, options and modes.

The work is done by argcomplete, which every Airflow brings along.
"""

from __future__ import annotations

import argparse
import os
import sys

from airflow_dbt_rerun.cli.options import complain
from airflow_dbt_rerun.cli.parsing import PROGRAM, ending

SHELLS = ("bash", "zsh", "fish")

_DONE, _MISSING = 0, 1
_ASKED = "_ARGCOMPLETE"
"""The variable that a shell sets when it asks this program for completions."""


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``completion``."""
    parser = subcommands.add_parser(
        "completion",
        help="print the completion for bash, zsh or fish",
        description="Print a script that makes a shell complete commands, options and modes.",
        epilog=ending(
            (
                "completion bash > ~/.local/share/bash-completion/completions/airflow-dbt-rerun",
                "completion zsh > ~/.zfunc/_airflow-dbt-rerun",
                "completion fish > ~/.config/fish/completions/airflow-dbt-rerun.fish",
            ),
            "0 done; 1 argcomplete is not installed; 2 wrong arguments.",
        ),
    )
    parser.add_argument("shell", choices=SHELLS, help="bash, zsh or fish", metavar="SHELL")
    parser.set_defaults(func=completion, command="completion")


def completion(options: argparse.Namespace) -> int:
    """Print the script of a shell."""
    try:
        from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - only this command needs it
    except ImportError:
        complain(options, "argcomplete is missing: pip install argcomplete")
        return _MISSING
    sys.stdout.write(shellcode([PROGRAM], shell=options.shell))
    return _DONE


def answer_shell(parser: argparse.ArgumentParser) -> None:
    """Answer a shell that asks for completions, and end; return at once if none asks."""
    if _ASKED not in os.environ:
        return
    import argcomplete  # noqa: PLC0415 - and a shell that completes

    argcomplete.autocomplete(parser)
