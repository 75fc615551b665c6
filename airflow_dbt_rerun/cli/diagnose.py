"""The subcommand ``diagnose``: why a dbt run failed, and what a policy would do about it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import Any

from airflow_dbt_rerun.cli.cases import Opinion, UnreadableError
from airflow_dbt_rerun.cli.options import add_target_options, complain, opinions, policy_of
from airflow_dbt_rerun.cli.parsing import ending
from airflow_dbt_rerun.cli.recent import list_failed_runs
from airflow_dbt_rerun.cli.request_lines import shown
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis

DOCUMENT_VERSION = 1

_DONE, _UNREADABLE = 0, 1


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``diagnose``."""
    parser = subcommands.add_parser(
        "diagnose",
        help="explain why a dbt run failed, and what a policy would do",
        description="Explain why a dbt run failed, and what a policy would do about it. "
        "Without a target, list the runs of the connection's account that failed last.",
        epilog=ending(
            (
                "diagnose                                   # the runs that failed last",
                "diagnose 70403103912345",
                "diagnose https://cloud.getdbt.com/deploy/1/projects/2/runs/70403103912345/",
                "diagnose target/                           # what dbt left on this disk",
                "diagnose run_results.json dbt.log --policy policy.yaml",
            ),
            "0 diagnosed, whatever was found; 1 a target could not be read; 2 wrong arguments.",
        ),
    )
    add_target_options(parser, targets="*")
    parser.add_argument("--policy", metavar="FILE", help="a policy as YAML or JSON (default: the default policy)")
    parser.add_argument("--all", action="store_true", help="show every finding, however many there are")
    parser.set_defaults(func=diagnose, command="diagnose")


def diagnose(options: argparse.Namespace) -> int:
    """Diagnose all targets, or list what failed last; return 0, or 1 if something could not be read."""
    try:
        if not options.targets:
            list_failed_runs(options, then="diagnose", machine=options.json)
            return _DONE
        policy = policy_of(options.policy)
        with shown(wanted=options.verbose):
            found = opinions(options, policy)
            read = _print_document(found) if options.json else _print_pages(found, options)
    except UnreadableError as error:
        complain(options, str(error))
        return _UNREADABLE
    return _DONE if read else _UNREADABLE


def _print_pages(found: Iterable[Opinion | None], options: argparse.Namespace) -> bool:
    """Print a page for each target as soon as it is judged."""
    from airflow_dbt_rerun.cli.show import console, show  # noqa: PLC0415 - rich is not needed for --json

    page, all_read = console(), True
    name = f"The policy of {options.policy}" if options.policy else "The default policy"
    for number, opinion in enumerate(found):
        if opinion is None:
            all_read = False
            continue
        if number:
            page.print()
        show(opinion, page, policy=name, complete=options.all)
    return all_read


def _print_document(found: Iterable[Opinion | None]) -> bool:
    opinions = list(found)
    document = {"version": DOCUMENT_VERSION, "diagnoses": [to_dict(each) for each in opinions if each]}
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    return None not in opinions


def to_dict(opinion: Opinion) -> dict[str, Any]:
    """Return an opinion as plain JSON values, with all findings."""
    return {
        "source": opinion.case.source,
        "run": None if opinion.case.is_file else _run(opinion),
        "nothing": opinion.case.nothing,
        "diagnosis": _diagnosis(opinion.diagnosis) if opinion.diagnosis else None,
        "decision": opinion.advice.to_dict() if opinion.advice else None,
    }


def _diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    """Return all findings, without the run's id, which is in ``run``."""
    document = diagnosis.to_dict(told=None) | {"summary": diagnosis.summary}
    return {key: value for key, value in document.items() if key != "run_id"}


def _run(opinion: Opinion) -> dict[str, Any]:
    run, job = opinion.case.seen.run, opinion.case.job
    return {
        "id": run.id,
        "job_id": run.job_id,
        "job_name": job.name if job else None,
        "status": run.status_name,
        "step": run.stopping_step.title if run.stopping_step else None,
        "dbt_version": run.dbt_version,
        "finished_at": run.finished_at,
        "url": run.href,
    }
