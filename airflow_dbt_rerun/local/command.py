"""The subcommand ``local``: serve a dbt platform on this machine."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

from airflow_dbt_rerun.local.account import ACCOUNT_ID
from airflow_dbt_rerun.local.dbt.engine import Engine
from airflow_dbt_rerun.local.options import TOKEN_VARIABLE, InvalidOptionError, read_options

_REQUIRED = ("starlette", "uvicorn", "yaml")
_INVALID_OPTIONS = 2
_SIMULATE = "simulate dbt instead of running it; each command takes this many seconds (default: 0)"
_ENGINE = "with --simulate: which dbt to simulate, dbt-core 1.x or dbt v2 (default: core)"
_TOKEN_FILE = (
    f"file that holds the API token (default: the environment variable {TOKEN_VARIABLE} or, without it, "
    "a random token, stored in the state directory)"
)
_HISTORY = (
    "with --simulate: begin with so many days of simulated runs; "
    "history_truth.json in the state directory says what truly happened"
)
_STATE_DIR = "database, warehouse, logs and artifacts; kept for the next start (default: %(default)s)"

_EXAMPLES = """\
examples:
  airflow-dbt-rerun local --project-dir my_project --job nightly="dbt seed; dbt build"
  airflow-dbt-rerun local --project-dir my_project --job nightly="dbt build" --simulate --port 8001

exit status: 0 ended by SIGINT or SIGTERM; 2 wrong arguments."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``local``."""
    parser = subparsers.add_parser(
        "local",
        help="serve a dbt platform on this machine, backed by real dbt",
        description="Serve a dbt platform on this machine, backed by real dbt. "
        "One line of JSON on standard output says how to reach it.",
        epilog=_EXAMPLES,
    )
    add_options(parser)
    parser.set_defaults(func=local, command="local")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``local``."""
    add = parser.add_argument
    add("--project-dir", required=True, type=Path, metavar="DIR", help="the dbt project; each run works in a copy")
    add(
        "--job",
        action="append",
        default=[],
        metavar='NAME="dbt seed; dbt build"',
        help="define a job; can be repeated",
    )
    add("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (default: a free port)")
    add("--account-id", type=int, default=ACCOUNT_ID, metavar="N", help="the account's id (default: %(default)s)")
    add("--token", metavar="T", help="the API token, which other users of this machine can see in the process list")
    add("--token-file", type=Path, metavar="FILE", help=_TOKEN_FILE)
    add("--tls-cert", type=Path, metavar="FILE", help="serve https with this certificate")
    add("--tls-key", type=Path, metavar="FILE", help="the key of the certificate")
    add("--state-dir", type=Path, default=Path(".local-platform"), metavar="DIR", help=_STATE_DIR)
    add("--dbt", metavar="PATH", help="path of the dbt executable: dbt-core 1.x or dbt v2")
    add("--simulate", nargs="?", type=float, const=0.0, metavar="SECONDS", help=_SIMULATE)
    add("--engine", choices=[str(engine) for engine in Engine], help=_ENGINE)
    add("--history", type=int, metavar="DAYS", help=_HISTORY)
    add("--history-jobs", type=int, metavar="N", help="jobs of the history (default: 20)")
    add("--history-seed", type=int, metavar="N", help="what the history is drawn from (default: 0)")
    add("--history-until", metavar="MOMENT", help="end of the history (default: now)")
    add("--faults", action="store_true", help="serve the control path, which lets tests inject faults")


def local(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM and return the exit status.

    One line of JSON on stdout says when the platform is ready and how to reach it.
    """
    missing = [name for name in _REQUIRED if importlib.util.find_spec(name) is None]
    if missing:
        needed = "pip install 'airflow-provider-dbt-rerun[local]'"
        return _fail(f"{' and '.join(missing)} cannot be imported; install with: {needed}")
    from airflow_dbt_rerun.local.server.serve import run  # noqa: PLC0415 - its imports were checked above

    try:
        run(read_options(options))
    except InvalidOptionError as error:
        return _fail(str(error))
    return 0


def _fail(message: str) -> int:
    sys.stderr.write(f"airflow-dbt-rerun local: {message}\n")
    return _INVALID_OPTIONS
