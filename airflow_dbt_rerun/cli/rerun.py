"""The subcommands ``plan`` and ``rerun``: show what a rerun of a failed run would do, and carry it out."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_dbt_rerun.cli.cases import UnreadableError
from airflow_dbt_rerun.cli.options import add_connection_options, complain, policy_of
from airflow_dbt_rerun.cli.parsing import ending
from airflow_dbt_rerun.cli.recent import list_failed_runs
from airflow_dbt_rerun.cli.request_lines import shown
from airflow_dbt_rerun.cli.run_target import run_target
from airflow_dbt_rerun.core.heal.modes import MODES, action_of, first_in_mode
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Fail, NextStep, Succeed, WaitForRun
from airflow_dbt_rerun.core.heal.plan import RerunPlan
from airflow_dbt_rerun.core.heal.report import report
from airflow_dbt_rerun.core.heal.session import RerunSession

if TYPE_CHECKING:
    from airflow_dbt_rerun.engine.driver import Driver

DOCUMENT_VERSION = 1

_DONE, _NOT_DONE = 0, 1


def add_parsers(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both subcommands."""
    plan_parser = subcommands.add_parser(
        "plan",
        help="show what a rerun of a failed dbt run would run, and start nothing",
        description="Show what a rerun of a failed dbt run would run, and start nothing. "
        "Without a run, list those that failed last.",
        epilog=ending(
            ("plan 70403103912345", "plan 70403103912345 --mode from_step --json"),
            "0 planned; 1 the run could not be read; 2 wrong arguments.",
        ),
    )
    _add_options(plan_parser)
    plan_parser.set_defaults(func=plan, command="plan")

    rerun_parser = subcommands.add_parser(
        "rerun",
        help="rerun a failed dbt run and watch it until it ends",
        description="Show the plan for a failed dbt run, ask, rerun it and watch until it ends. "
        "Without a run, list those that failed last.",
        epilog=ending(
            (
                "rerun 70403103912345",
                "rerun https://cloud.getdbt.com/deploy/1/projects/2/runs/70403103912345/",
                "rerun 70403103912345 --mode from_start --yes",
                "rerun 70403103912345 --yes --json | jq .outcome",
            ),
            "0 the work is done; 1 it is not, or nothing was started; 2 wrong arguments.",
        ),
    )
    _add_options(rerun_parser)
    rerun_parser.add_argument("--yes", action="store_true", help="start the rerun without asking")
    rerun_parser.set_defaults(func=rerun, command="rerun")


def plan(options: argparse.Namespace) -> int:
    """Print the plan for a run, or the runs that failed last; return 0, or 1 if they could not be read."""
    try:
        if options.run is None:
            list_failed_runs(options, then="plan", machine=options.json)
            return _DONE
        with shown(wanted=options.verbose):
            made = _driver(options, _Terminal()).plan()
    except Exception as error:  # noqa: BLE001 - one line for a person, whatever it was
        complain(options, str(error))
        return _NOT_DONE
    _say(json.dumps(made.to_dict(), indent=2)) if options.json else _print_plan(made, _say)
    return _DONE


def rerun(options: argparse.Namespace) -> int:
    """Print the plan, ask, carry it out and watch; return 0 if the work is done in the end."""
    try:
        if options.run is None:
            list_failed_runs(options, then="rerun", machine=options.json)
            return _NOT_DONE
        with shown(wanted=options.verbose):
            return _rerun(options, _Terminal(_aside if options.json else _say))
    except Exception as error:  # noqa: BLE001 - as above
        complain(options, str(error))
        return _NOT_DONE


def _rerun(options: argparse.Namespace, terminal: _Terminal) -> int:
    driver = _driver(options, terminal)
    made = driver.plan()
    _print_plan(made, terminal.say)
    if made.starts_something and not _may_start(options, terminal):
        return _print_outcome(options, made, None)
    return _print_outcome(options, made, _carry_out(driver, terminal))


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", nargs="?", type=run_target, metavar="RUN", help="the failed dbt run: its id or address"
    )
    modes = "|".join(MODES)
    mode = parser.add_argument(
        "--mode", type=_mode, metavar=modes, default="from_failure", help="default: %(default)s"
    )
    mode.completer = lambda **_: MODES  # type: ignore[attr-defined]  # read by argcomplete
    parser.add_argument("--json", action="store_true", help="print one JSON document for machines")
    parser.add_argument(
        "--policy",
        metavar="FILE",
        help="the policy, as YAML or JSON, for a rerun that fails, too (default: do nothing)",
    )
    add_connection_options(parser)


def _mode(text: str) -> str:
    """Check a mode, for argparse."""
    try:
        action_of(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _driver(options: argparse.Namespace, terminal: _Terminal) -> Driver:
    from airflow_dbt_rerun.cli.runs import RunSource  # noqa: PLC0415 - imports Airflow: a second or two

    policy = first_in_mode(options.mode, policy_of(options.policy) if options.policy else None)
    platform = RunSource(options.conn_id, options.account_id, with_manifest=policy.needs_manifest)
    return platform.driver(options.run, policy, terminal)


def _may_start(options: argparse.Namespace, terminal: _Terminal) -> bool:
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise UnreadableError(
            "cannot ask, since standard input is not a terminal: give --yes to start the rerun without asking"
        )
    terminal.say("Start it? [y/N] ", end="")
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _carry_out(driver: Driver, terminal: _Terminal) -> tuple[RerunSession, NextStep]:
    session, seen = driver.begin(deadline=None)
    session, step = driver.advance(session, seen)
    while isinstance(step, WaitForRun):
        session, step = driver.advance(session, driver.wait(session, step))
    if isinstance(step, AskPerson):
        terminal.say("The policy asks a person here, which only a task in Airflow can: choose a --mode yourself")
    return session, step


def _print_outcome(
    options: argparse.Namespace, made: RerunPlan, ended: tuple[RerunSession, NextStep] | None
) -> int:
    """Print the document of ``--json``, and return the exit status."""
    session, step = ended or (None, None)
    if options.json:
        told = isinstance(step, Succeed | Fail) and session is not None
        document = {
            "version": DOCUMENT_VERSION,
            "plan": made.to_dict(),
            "started": session is not None and len(session.attempts) > 1,
            "outcome": _outcome(step),
            "report": report(session, step, time.time(), job_id=made.run.job_id) if told else None,  # type: ignore[arg-type]
        }
        _say(json.dumps(document, indent=2))
    return _DONE if isinstance(step, Succeed) else _NOT_DONE


def _outcome(step: NextStep | None) -> str:
    match step:
        case None:
            return "not started"
        case Succeed():
            return "done"
        case AskPerson():
            return "asks a person"
    return "not done"


def _print_plan(made: RerunPlan, say: Callable[[str], None]) -> None:
    for line in made.lines():
        say(line)


def _say(line: str, end: str = "\n") -> None:
    sys.stdout.write(line + end)
    sys.stdout.flush()


def _aside(line: str, end: str = "\n") -> None:
    """Say something beside a JSON document, which has standard output for itself."""
    sys.stderr.write(line + end)
    sys.stderr.flush()


class _Terminal:
    """A log for a person at a terminal: plain lines.

    :param say: writes a line.
    """

    def __init__(self, say: Callable[..., None] = _say) -> None:
        self.say = say

    def info(self, message: str, /, *values: Any) -> None:
        self.say(message % values)

    def error(self, message: str, /, *values: Any) -> None:
        self.say(message % values)

    def warning(self, message: str, /, *values: Any) -> None:
        _aside(message % values)
