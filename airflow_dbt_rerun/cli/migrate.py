"""The subcommand ``migrate``: change DAG files from the official provider to this package."""

from __future__ import annotations

import argparse
import difflib
import io
import sys
import tokenize
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_dbt_rerun.cli.options import complain
from airflow_dbt_rerun.cli.parsing import ending

if TYPE_CHECKING:
    from airflow_dbt_rerun.cli.migration.rewrite import Rewritten

_DONE, _LEFT = 0, 1


def add_parser(subcommands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the subcommand ``migrate``."""
    parser = subcommands.add_parser(
        "migrate",
        help="change DAG files from the official dbt Cloud provider to this package",
        description="Print the changes that DAG files need which use the official dbt Cloud provider, as a diff; "
        "or apply them. What a person has to change is reported with its file and line.",
        epilog=ending(
            (
                "migrate dags/            # print the changes as a diff",
                "migrate --write dags/    # make them",
            ),
            "0 nothing is left to do by hand; 1 something is, or a file could not be read; 2 wrong arguments.",
        ),
    )
    parser.add_argument("files", nargs="+", metavar="DAGFILE", help="a Python file, or a folder of them")
    parser.add_argument("--write", action="store_true", help="change the files instead of printing a diff")
    parser.set_defaults(func=migrate, command="migrate")


def migrate(options: argparse.Namespace) -> int:
    """Change the files, or print how they would change; return the exit status."""
    if find_spec("libcst") is None:
        complain(options, "libcst is missing: pip install 'airflow-provider-dbt-rerun[migrate]'")
        return _LEFT
    results = [_migrated(options, Path(file)) for file in _files(options.files)]
    return _DONE if all(results) else _LEFT


def _files(given: list[str]) -> Iterator[str]:
    for name in given:
        folder = Path(name)
        yield from (_in(folder) if folder.is_dir() else [name])


def _in(folder: Path) -> list[str]:
    """List the Python files of a folder, without those of hidden folders such as a virtual environment."""
    found = sorted(folder.rglob("*.py"))
    return [str(file) for file in found if not any(part.startswith(".") for part in file.relative_to(folder).parts)]


def _migrated(options: argparse.Namespace, file: Path) -> bool:
    """Change one file; return whether nothing is left to do by hand."""
    from airflow_dbt_rerun.cli.migration.rewrite import rewrite  # noqa: PLC0415 - libcst is an extra

    try:
        source = file.read_bytes()
        done = rewrite(source)
        _deliver(options, file, source, done)
    except (OSError, SyntaxError, UnicodeError) as error:
        complain(options, f"{file}: {error}")
        return False
    for remark in done.remarks:
        sys.stderr.write(f"{file}:{remark.line}: {remark.words}\n")
    return not done.remarks


def _deliver(options: argparse.Namespace, file: Path, source: bytes, done: Rewritten) -> None:
    if done.code == source:
        return
    if options.write:
        file.write_bytes(done.code)
        sys.stdout.write(f"changed {file}\n")
    else:
        before, after = _lines(source), _lines(done.code)
        sys.stdout.writelines(difflib.unified_diff(before, after, str(file), str(file)))


def _lines(source: bytes) -> list[str]:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    lines = source.decode(encoding).splitlines(keepends=True)
    return [line if line.endswith("\n") else f"{line}\n" for line in lines]
