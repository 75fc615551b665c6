"""The subcommand ``backtest``: what a policy would have done about the failures of the past."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_dbt_rerun.cli.cases import UnreadableError
from airflow_dbt_rerun.cli.options import (
    DEFAULT_POLICY,
    add_connection_options,
    complain,
    parsed,
    policy_of,
    positive,
)
from airflow_dbt_rerun.cli.parsing import ending
from airflow_dbt_rerun.config.documents import read_signatures

if TYPE_CHECKING:
    from airflow_dbt_rerun.backtest.tried import Backtest

DAYS = 30
MOST_DAYS = 365
"""dbt keeps the history of runs for so long (docs.getdbt.com/docs/deploy/run-visibility)."""

MOST_A_MINUTE = 4_500
"""Below dbt's 5,000 a minute for all programs of an account."""

USUAL_A_MINUTE = 1_000

_DONE, _UNREADABLE = 0, 1


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``backtest``."""
    parser = subcommands.add_parser(
        "backtest",
        help="try a policy on the failures of the past",
        description="Read the failed runs of the last days, and say for each what a policy would have done and "
        "what would have become of that. Sends GETs only: nothing is started, resumed or cancelled.",
        epilog=ending(
            (
                "backtest --all --days 90 --cache dbt-past --html backtest.html",
                "backtest --job-id 48617 --policy mine.yaml --cache dbt-past",
                "backtest --all --cache dbt-past --compare default mine.yaml",
            ),
            "0 done; 1 something could not be read; 2 wrong arguments.",
        ),
    )
    add_scope(parser)
    _add_policies(parser)
    _add_output(parser)
    add_reading(parser)
    add_connection_options(parser)
    parser.set_defaults(func=backtest, command="backtest")


def add_scope(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the runs."""
    scope = parser.add_mutually_exclusive_group(required=True)
    scope.add_argument("--job-id", type=positive, nargs="+", metavar="N", help="the failures of these jobs")
    scope.add_argument("--environment-id", type=positive, metavar="N", help="those of all jobs of an environment")
    scope.add_argument("--all", action="store_true", help="those of all jobs that the token may see")
    parser.add_argument(
        "--days", type=_days, default=DAYS, metavar="N", help="how many days to go back (default: %(default)s)"
    )
    parser.add_argument(
        "--until",
        type=_moment,
        metavar="DATE",
        help="go back from the beginning of this day in UTC, as if it were now: 2026-10-31 (default: now)",
    )


def _add_policies(parser: argparse.ArgumentParser) -> None:
    policies = parser.add_mutually_exclusive_group()
    policies.add_argument(
        "--policy",
        metavar="FILE",
        help=f"the policy, as YAML or JSON (default: {DEFAULT_POLICY!r}, the default one)",
    )
    policies.add_argument(
        "--compare",
        nargs="+",
        metavar="FILE",
        help=f"several policies over the same failures; {DEFAULT_POLICY!r} is the default one",
    )
    parser.add_argument(
        "--signatures", metavar="FILE", help="your own error signatures, tried before the built-in ones"
    )


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document for machines")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write one page for colleagues, without scripts")


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how to read them."""
    parser.add_argument(
        "--cache",
        metavar="DIR",
        type=Path,
        help="keep what was read in this folder: another policy needs no request, an interrupted backtest goes on",
    )
    parser.add_argument("--refresh", action="store_true", help="with --cache: read what is new since it was filled")
    parser.add_argument(
        "--requests-per-minute",
        type=_a_minute,
        default=USUAL_A_MINUTE,
        metavar="N",
        help=f"at most so many, of dbt's 5,000 for an account (default: %(default)s, at most {MOST_A_MINUTE:,})",
    )


def backtest(options: argparse.Namespace) -> int:
    """Print what the policies would have done; return 0, or 1 if something could not be read."""
    try:
        found = _backtest(options)
    except UnreadableError as error:
        complain(options, str(error))
        return _UNREADABLE
    if options.json:
        from airflow_dbt_rerun.backtest.document import to_dict  # noqa: PLC0415 - see _backtest

        sys.stdout.write(json.dumps(to_dict(found), indent=2) + "\n")
    else:
        from airflow_dbt_rerun.cli.backtest_tables import show  # noqa: PLC0415 - rich is not needed for --json

        show(found, html=options.html)
    return _DONE


def _backtest(options: argparse.Namespace) -> Backtest:
    """Read the past, and try the policies on it.

    :raises UnreadableError: if a file or dbt cannot be read, or the page cannot be written.
    """
    policies = {name: policy_of(name) for name in options.compare or [options.policy or DEFAULT_POLICY]}
    own = parsed(read_signatures, options.signatures) if options.signatures else ()
    if options.refresh and not options.cache:
        raise UnreadableError("--refresh is about a cache: add --cache DIR, or leave it out")
    # Importing Airflow takes a second or two: wrong arguments are reported before.
    from airflow_dbt_rerun.backtest.tried import try_policies  # noqa: PLC0415
    from airflow_dbt_rerun.cli.backtest_reading import read_past  # noqa: PLC0415

    past, of_team = read_past(options, tuple(policies.values()))
    if not past.runs:
        raise UnreadableError(nothing_found(options))
    found = try_policies(past, policies, (*own, *of_team))
    if options.html:
        _write_page(options.html, found)
    return found


def nothing_found(options: argparse.Namespace) -> str:
    """Say that there are no runs, and what to do."""
    days = "day" if options.days == 1 else f"{options.days} days"
    days = f"last {days}" if options.until is None else f"{days} before --until"
    what = "this account" if options.all else f"environment {options.environment_id}"
    what = f"job {', '.join(map(str, options.job_id))}" if options.job_id else what
    return (
        f"{what} has no runs in the {days}, or the token may not see them: "
        "name more --days, or another scope with --job-id, --environment-id or --all"
    )


def _write_page(path: Path, found: Backtest) -> None:
    from airflow_dbt_rerun.backtest.page import page  # noqa: PLC0415 - see _backtest

    try:
        path.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise UnreadableError(f"--html {path} cannot be written: {error.strerror or error}") from error


def _days(text: str) -> int:
    days = positive(text)
    if days > MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text} is more than {MOST_DAYS}: dbt keeps runs for so many days")
    return days


def _moment(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-10-31") from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment > datetime.now(UTC):
        raise argparse.ArgumentTypeError(f"{text} is in the future: name a day of the past, or leave it out")
    if moment < datetime.now(UTC) - timedelta(days=MOST_DAYS):
        raise argparse.ArgumentTypeError(
            f"{text} is more than {MOST_DAYS} days ago: dbt keeps runs for so many days"
        )
    return moment.timestamp()


def _a_minute(text: str) -> int:
    number = positive(text)
    if number > MOST_A_MINUTE:
        raise argparse.ArgumentTypeError(
            f"{text} is more than {MOST_A_MINUTE:,}: dbt allows an account 5,000 a minute, for all its programs"
        )
    return number
