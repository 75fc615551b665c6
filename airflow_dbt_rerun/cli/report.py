"""The subcommand ``report``: a failure as a text without names, values, SQL and hosts, to paste into an issue."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from airflow_dbt_rerun.cli.cases import UnreadableError
from airflow_dbt_rerun.cli.options import add_reading_options, complain, opinions
from airflow_dbt_rerun.cli.parsing import ending
from airflow_dbt_rerun.cli.recent import list_failed_runs
from airflow_dbt_rerun.cli.request_lines import shown
from airflow_dbt_rerun.core.policy.policy import RerunPolicy

if TYPE_CHECKING:
    from airflow_dbt_rerun.core.diagnosis.redaction import Redactor

_DONE, _UNREADABLE = 0, 1


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``report``."""
    parser = subcommands.add_parser(
        "report",
        help="write a failure for an issue, without names, values, SQL and hosts",
        description="Write a failure as one text for an issue. Only the fixed wording of errors, their codes and "
        "versions remain; every other word is a label such as relation_1. Nothing is sent anywhere.",
        epilog=ending(
            (
                "report                                     # the runs that failed last",
                "report 70403103912345",
                "report run_results.json dbt.log > report.txt",
                "report target/ --labels                    # what each label stands for, on standard error",
                "report target/ --keep flux --keep capacitor",
            ),
            "0 reported; 1 a target could not be read; 2 wrong arguments.",
        ),
    )
    add_reading_options(parser, targets="*")
    add = parser.add_argument
    add("--labels", action="store_true", help="list on standard error what each label stands for")
    add(
        "--keep",
        action="append",
        default=[],
        metavar="WORD",
        help="show this word, since it belongs to the error and is nobody's name; can be repeated",
    )
    parser.set_defaults(func=report, command="report", attempt=1)


def report(options: argparse.Namespace) -> int:
    """Print the report; return 0, or 1 if a target could not be read."""
    from airflow_dbt_rerun.cli.report_text import text_of  # noqa: PLC0415 - reads all signatures: half a second
    from airflow_dbt_rerun.core.diagnosis.redaction import Redactor  # noqa: PLC0415 - as above

    redactor = Redactor(keep=options.keep)
    try:
        if not options.targets:
            list_failed_runs(options, then="report")
            return _DONE
        with shown(wanted=options.verbose):
            found = list(opinions(options, RerunPolicy()))
    except UnreadableError as error:
        complain(options, str(error))
        return _UNREADABLE
    read = [opinion for opinion in found if opinion is not None]
    if read:
        sys.stdout.writelines(f"{line}\n" for line in text_of(read, redactor))
    if options.labels:
        sys.stderr.writelines(_labels(redactor))
    return _DONE if len(read) == len(found) else _UNREADABLE


def _labels(redactor: Redactor) -> Iterator[str]:
    """Yield what each label stands for: not for the issue."""
    labels: Iterable[tuple[str, str]] = redactor.labels.items()
    yield from (f"{label} = {name}\n" for name, label in labels)
