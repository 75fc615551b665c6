"""``python -m airflow_dbt_rerun.local``: the subcommand ``local`` without the rest of the command line."""

from __future__ import annotations

import argparse
import sys

from airflow_dbt_rerun.local.command import add_options, local


def main() -> int:
    """Run the subcommand and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m airflow_dbt_rerun.local")
    add_options(parser)
    return local(parser.parse_args())


if __name__ == "__main__":
    sys.exit(main())
