"""The subcommand ``local``: a dbt platform on this machine."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

from airflow_dbt_rerun.local.account import ACCOUNT_ID
from airflow_dbt_rerun.local.settings import WrongOptionError, check

_NEEDED = ("starlette", "uvicorn", "yaml")
_WRONG_OPTIONS = 2
_SIMULATE = "pretend to run dbt, which is then not needed; each command takes this long (default: no time)"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``local``."""
    parser = subparsers.add_parser("local", help="serve a dbt platform on this machine, in front of real dbt")
    add_options(parser)
    parser.set_defaults(func=local)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``local``."""
    add = parser.add_argument
    add("--project-dir", required=True, type=Path, metavar="DIR", help="the dbt project; copied for each run")
    add("--job", action="append", default=[], metavar='NAME="dbt seed; dbt build"', help="a job; can be repeated")
    add("--port", type=int, default=0, metavar="N", help="port on 127.0.0.1 (default: a free one)")
    add("--account-id", type=int, default=ACCOUNT_ID, metavar="N", help="default: %(default)s")
    add("--token", metavar="T", help="default: a random one, kept in the state directory")
    add("--tls-cert", type=Path, metavar="FILE", help="serve https with this certificate")
    add("--tls-key", type=Path, metavar="FILE", help="its key")
    add("--state-dir", type=Path, default=Path(".local-platform"), metavar="DIR", help="default: %(default)s")
    add("--dbt", metavar="PATH", help="the dbt executable")
    add("--simulate", nargs="?", type=float, const=0.0, metavar="SECONDS", help=_SIMULATE)
    add("--faults", action="store_true", help="let tests inject faults over HTTP")


def local(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM; give the exit status. Prints one line of JSON when requests are answered."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        needed = "pip install 'airflow-provider-dbt-rerun[local]'"
        return _refuse(f"{' and '.join(missing)} cannot be imported; {needed}")
    from airflow_dbt_rerun.local.server.serve import run  # noqa: PLC0415 - needs what was just looked for

    try:
        run(check(options))
    except WrongOptionError as error:
        return _refuse(str(error))
    return 0


def _refuse(message: str) -> int:
    sys.stderr.write(f"airflow-dbt-rerun local: {message}\n")
    return _WRONG_OPTIONS
