"""The subcommand ``audit``: whether the work that a dbt run finished is done, by what dbt has on record."""

from __future__ import annotations

import argparse
import json
import sys

from airflow_dbt_rerun.cli.options import add_connection_options, complain
from airflow_dbt_rerun.cli.parsing import ending
from airflow_dbt_rerun.cli.request_lines import shown
from airflow_dbt_rerun.cli.run_target import run_target

STATUS = {"done": 0, "not done": 1, "not verifiable": 3}
_UNREADABLE = 1


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``audit``."""
    parser = subcommands.add_parser(
        "audit",
        help="check whether the work of a dbt run and its reruns is done",
        description="Read a dbt run and the runs that it repairs, and report for each command whether it is done.",
        epilog=ending(
            (
                "audit 70403103912345",
                "audit 70403103912399 --of 70403103912345   # a new run that stands in for a failed one",
                "audit 70403103912345 --json --conn-id dbt_cloud_finance",
            ),
            "0 done; 1 not done, or a run could not be read; 2 wrong arguments; 3 not verifiable.",
        ),
    )
    parser.add_argument(
        "run", type=run_target, metavar="RUN", help="the run that finished the work: its id, or its address"
    )
    parser.add_argument(
        "--of", type=run_target, metavar="RUN", help="the run that defines the work, if RUN stands in for it"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document for machines")
    add_connection_options(parser)
    parser.set_defaults(func=audit, command="audit")


def audit(options: argparse.Namespace) -> int:
    """Print the finding for a run; return the exit status that says it."""
    from airflow_dbt_rerun.audit.auditor import lines  # noqa: PLC0415 - imports Airflow: a second or two
    from airflow_dbt_rerun.cli.runs import RunSource  # noqa: PLC0415 - as above

    try:
        with shown(wanted=options.verbose):
            found = RunSource(options.conn_id, options.account_id).audit(options.run, of=options.of)
    except Exception as error:  # noqa: BLE001 - one line for a person, whatever it was
        complain(options, str(error))
        return _UNREADABLE
    text = json.dumps(found.to_dict(), indent=2) if options.json else "\n".join(lines(found))
    sys.stdout.write(text + "\n")
    return STATUS[found.finding]
