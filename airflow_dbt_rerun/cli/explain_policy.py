"""The subcommand ``explain-policy``: what a policy says, and what it would do about some failures."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from typing_extensions import override

from airflow_dbt_rerun.cli.cases import Opinion, UnreadableError
from airflow_dbt_rerun.cli.diagnose import to_dict
from airflow_dbt_rerun.cli.options import DEFAULT_POLICY, add_target_options, complain, opinions, policy_of
from airflow_dbt_rerun.cli.parsing import ending
from airflow_dbt_rerun.cli.request_lines import shown
from airflow_dbt_rerun.core.policy.json_schema import policy_schema

DOCUMENT_VERSION = 1

_DONE, _UNREADABLE = 0, 1


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``explain-policy``."""
    parser = subcommands.add_parser(
        "explain-policy",
        help="explain a policy in words, and try it on failures",
        description="Explain a policy in words, and what it would do about the given failures.",
        epilog=ending(
            (
                "explain-policy default",
                "explain-policy policy.yaml",
                "explain-policy policy.yaml run_results.json 70403103912345 --attempt 2",
            ),
            "0 explained; 1 a file or run could not be read; 2 wrong arguments.",
        ),
    )
    parser.add_argument(
        "policy", metavar="FILE", help=f"a policy as YAML or JSON, or {DEFAULT_POLICY!r} for the default policy"
    )
    parser.add_argument("--schema", action=_PrintSchema, help="print the JSON Schema of policies, and nothing else")
    add_target_options(parser, targets="*")
    parser.set_defaults(func=explain_policy, command="explain-policy")


class _PrintSchema(argparse.Action):
    """Print the schema and exit, as ``--help`` does: no policy has to be named."""

    def __init__(self, option_strings: Sequence[str], dest: str, **options: Any) -> None:
        super().__init__(option_strings, dest, nargs=0, **options)

    @override
    def __call__(self, parser: argparse.ArgumentParser, *arguments: Any) -> None:
        sys.stdout.write(json.dumps(policy_schema(), indent=2) + "\n")
        parser.exit()


def explain_policy(options: argparse.Namespace) -> int:
    """Explain the policy; return 0, or 1 if something could not be read."""
    try:
        policy = policy_of(options.policy)
        with shown(wanted=options.verbose):
            found = list(opinions(options, policy))
    except UnreadableError as error:
        complain(options, str(error))
        return _UNREADABLE
    read = [opinion for opinion in found if opinion is not None]
    print_it = _print_document if options.json else _print_page
    print_it(policy.words(), read)
    return _DONE if len(read) == len(found) else _UNREADABLE


def _print_document(words: Sequence[str], found: Sequence[Opinion]) -> None:
    document = {
        "version": DOCUMENT_VERSION,
        "policy": list(words),
        "diagnoses": [to_dict(opinion) for opinion in found],
    }
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


def _print_page(words: Sequence[str], found: Sequence[Opinion]) -> None:
    from airflow_dbt_rerun.cli.show import console, show_decisions  # noqa: PLC0415 - rich is not needed for --json

    page = console()
    for line in words:
        page.print(line)
    if found:
        page.print()
        show_decisions(found, page)
