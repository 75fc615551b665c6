"""The subcommand ``advise``: a policy proposed from the failures of the past, each rule with its evidence."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from pathlib import Path

from airflow_dbt_rerun.cli.backtest import add_reading, add_scope, nothing_found
from airflow_dbt_rerun.cli.cases import UnreadableError
from airflow_dbt_rerun.cli.options import add_connection_options, complain, parsed
from airflow_dbt_rerun.cli.parsing import ending
from airflow_dbt_rerun.config.documents import read_policy, read_signatures
from airflow_dbt_rerun.core.messages import counted
from airflow_dbt_rerun.core.policy.policy import RerunPolicy

_DONE, _UNREADABLE = 0, 1


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``advise``."""
    parser = subcommands.add_parser(
        "advise",
        help="propose a policy from the failures of the past",
        description="Read the failed runs of the last days, and propose a policy: YAML whose comments say what "
        "each rule rests on, what fails so often that it must be mended, and which messages no signature knows. "
        "Sends GETs only: nothing is started, resumed or cancelled.",
        epilog=ending(
            (
                "advise --all --days 90 --cache dbt-past --output proposed.yaml",
                "advise --all --days 60 --until 2026-10-31 --cache dbt-past    # the days after stay to try it on",
                "advise --job-id 48617 --json",
            ),
            "0 done; 1 something could not be read or written; 2 wrong arguments.",
        ),
    )
    add_scope(parser)
    parser.add_argument(
        "--signatures", metavar="FILE", help="your own error signatures, tried before the built-in ones"
    )
    parser.add_argument(
        "--output", metavar="FILE", type=Path, help="write it to this file (default: standard output)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON document for machines, policy included")
    add_reading(parser)
    add_connection_options(parser)
    parser.set_defaults(func=advise, command="advise")


def advise(options: argparse.Namespace) -> int:
    """Print or write a proposed policy; return 0, or 1 if something could not be read or written."""
    try:
        text, rules = _advise(options)
        if options.output is None:
            sys.stdout.write(text)
            return _DONE
        _write(options.output, text)
    except UnreadableError as error:
        complain(options, str(error))
        return _UNREADABLE
    sys.stdout.write(f"{options.output}: {counted(rules, 'rule')} above the default ones. {_next_step(options)}\n")
    return _DONE


def _advise(options: argparse.Namespace) -> tuple[str, int]:
    """Return what to print, and how many rules are proposed.

    :raises UnreadableError: if a file or dbt cannot be read.
    """
    own = parsed(read_signatures, options.signatures) if options.signatures else ()
    if options.refresh and not options.cache:
        raise UnreadableError("--refresh is about a cache: add --cache DIR, or leave it out")
    # Importing Airflow takes a second or two: wrong arguments are reported before.
    from airflow_dbt_rerun.advice import advise, as_yaml, document  # noqa: PLC0415
    from airflow_dbt_rerun.cli.backtest_reading import read_past  # noqa: PLC0415

    past, of_team = read_past(options, (RerunPolicy(),))
    if not past.runs:
        raise UnreadableError(nothing_found(options))
    signatures = (*own, *of_team)
    advice = advise.advise(past, signatures)
    compared = advice.compared(signatures)
    text = as_yaml.as_yaml(advice, compared)
    if read_policy(text, "the proposed policy") != advice.policy:
        raise AssertionError("the proposed policy reads back as another one")
    if options.json:
        text = json.dumps(document.to_dict(advice, compared), indent=2) + "\n"
    return text, len(advice.rules)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UnreadableError(f"--output {path} cannot be written: {error.strerror or error}") from error


def _next_step(options: argparse.Namespace) -> str:
    """Say how to try the proposal on days that it was not made from."""
    if options.until is None:
        return "No day is left to try it on: with --until DATE, it is made from the days before only."
    days = math.ceil((time.time() - options.until) / 86400)
    cache = f" --cache {options.cache}" if options.cache else ""
    command = (
        f"airflow-dbt-rerun backtest {_scope(options)} --days {days}{cache} --compare default {options.output}"
    )
    return f"Try it on the days after:\n{command}"


def _scope(options: argparse.Namespace) -> str:
    """Return the scope as it was given."""
    if options.all:
        return "--all"
    if options.environment_id:
        return f"--environment-id {options.environment_id}"
    return f"--job-id {' '.join(map(str, options.job_id))}"
