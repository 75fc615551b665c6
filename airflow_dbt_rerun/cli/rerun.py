"""The subcommands ``plan`` and ``rerun``: show what a rerun of a failed run would do, and carry it out."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from airflow_dbt_rerun.cli.cases import UnreadableError
from airflow_dbt_rerun.cli.options import add_connection_options, complain, policy_of, positive
from airflow_dbt_rerun.core.heal.modes import MODES, action_of, first_in_mode
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Succeed, WaitForRun
from airflow_dbt_rerun.core.heal.plan import RerunPlan

if TYPE_CHECKING:
    from airflow_dbt_rerun.engine.driver import Driver

_DONE, _NOT_DONE = 0, 1


def add_parsers(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add both subcommands."""
    plan_parser = subcommands.add_parser(
        "plan", help="show what a rerun of a failed dbt run would run, and start nothing"
    )
    _add_options(plan_parser)
    plan_parser.add_argument("--json", action="store_true", help="print one JSON document for machines")
    plan_parser.set_defaults(func=plan, command="plan")

    rerun_parser = subcommands.add_parser(
        "rerun",
        help="rerun a failed dbt run and watch it until it ends",
        epilog="Exit status: 0 the work is done; 1 it is not, or nothing was started; 2 wrong arguments.",
    )
    _add_options(rerun_parser)
    rerun_parser.add_argument("--yes", action="store_true", help="start the rerun without asking")
    rerun_parser.set_defaults(func=rerun, command="rerun")


def plan(options: argparse.Namespace) -> int:
    """Print the plan for a run; return 0, or 1 if the run could not be read."""
    try:
        made = _driver(options).plan()
    except Exception as error:  # noqa: BLE001 - one line for a person, whatever it was
        complain(options, str(error))
        return _NOT_DONE
    _say(json.dumps(made.to_dict(), indent=2)) if options.json else _print_plan(made)
    return _DONE


def rerun(options: argparse.Namespace) -> int:
    """Print the plan, ask, carry it out and watch; return 0 if the work is done in the end."""
    try:
        driver = _driver(options)
        made = driver.plan()
        _print_plan(made)
        if made.starts_something and not _may_start(options):
            return _NOT_DONE
        return _carry_out(driver)
    except Exception as error:  # noqa: BLE001 - as above
        complain(options, str(error))
        return _NOT_DONE


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run_id", type=positive, metavar="RUN_ID", help="the failed dbt run")
    modes = "|".join(MODES)
    parser.add_argument("--mode", type=_mode, metavar=modes, default="from_failure", help="default: %(default)s")
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


def _driver(options: argparse.Namespace) -> Driver:
    from airflow_dbt_rerun.cli.runs import RunSource  # noqa: PLC0415 - imports Airflow: a second or two

    policy = first_in_mode(options.mode, policy_of(options.policy) if options.policy else None)
    platform = RunSource(options.conn_id, options.account_id, with_manifest=policy.needs_manifest)
    return platform.driver(options.run_id, policy, _Terminal())


def _may_start(options: argparse.Namespace) -> bool:
    if options.yes:
        return True
    if not sys.stdin.isatty():
        raise UnreadableError(
            "cannot ask, since standard input is not a terminal: give --yes to start the rerun without asking"
        )
    sys.stdout.write("Start it? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _carry_out(driver: Driver) -> int:
    session, seen = driver.begin(deadline=None)
    session, step = driver.advance(session, seen)
    while isinstance(step, WaitForRun):
        session, step = driver.advance(session, driver.wait(session, step))
    if isinstance(step, AskPerson):
        _say("The policy asks a person here, which only a task in Airflow can: choose a --mode yourself")
    return _DONE if isinstance(step, Succeed) else _NOT_DONE


def _print_plan(made: RerunPlan) -> None:
    for line in made.lines():
        _say(line)


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class _Terminal:
    """A log for a person at a terminal: plain lines."""

    def info(self, message: str, /, *values: Any) -> None:
        _say(message % values)

    def error(self, message: str, /, *values: Any) -> None:
        _say(message % values)

    def warning(self, message: str, /, *values: Any) -> None:
        sys.stderr.write(message % values + "\n")
