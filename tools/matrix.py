"""Try the package with each Python and each Airflow that it promises, and print what passed: ``make matrix``.

Each cell is an environment of its own, set up and tested by ``make``. A failure does not stop the others; the exit
status is 1 if there was one. Interpreters are looked for on the path and among those of pyenv.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
LOWEST = "lowest"
"""The oldest versions that ``pyproject.toml`` allows, pinned in ``constraints/airflow-lowest.txt``."""
AIRFLOWS = (LOWEST, "2.11.2", "3.1.8", "3.2.2", "3.3.2")


@dataclass(frozen=True)
class Cell:
    """One Python with one Airflow."""

    python: str
    airflow: str

    @property
    def unsupported(self) -> str:
        """Return why there is no such pair, or nothing."""
        if self.airflow == LOWEST and self.python != PYTHONS[0]:
            return f"the lowest versions are tried on the lowest Python, {PYTHONS[0]}"
        if self.airflow.startswith("2.") and self.python == "3.13":
            return "Airflow 2.11 does not run on Python 3.13"
        return ""


@dataclass(frozen=True)
class Result:
    """How a cell ended (``passed``, ``FAILED`` or ``skipped``), and why or after how long."""

    cell: Cell
    word: str
    remark: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the chosen cells and print the table; return 1 if one failed, else 0."""
    options = _parser().parse_args(arguments)
    cells = [Cell(python, airflow) for airflow in options.airflow for python in options.python]
    results = []
    for number, cell in enumerate(cells, start=1):
        print(f"[matrix] {number} of {len(cells)}: Airflow {cell.airflow}, Python {cell.python}", flush=True)
        results.append(try_cell(cell, options.args))
    print("\n".join(["", *table(results)]))
    return int(any(result.word == "FAILED" for result in results))


def try_cell(cell: Cell, pytest_arguments: str | None) -> Result:
    """Set up the cell's environment and run its tests, or say why not."""
    interpreter = find_python(cell.python)
    missing = "" if interpreter else f"there is no Python {cell.python} on this machine"
    if cell.unsupported or missing:
        return _announced(Result(cell, "skipped", cell.unsupported or missing))
    started = time.monotonic()
    command = [*make_command(cell, pytest_arguments), f"PYTHON={interpreter}"]
    done = subprocess.run(command, cwd=ROOT, check=False)
    word = "FAILED" if done.returncode else "passed"
    return _announced(Result(cell, word, f"{time.monotonic() - started:.0f} s"))


def make_command(cell: Cell, pytest_arguments: str | None) -> list[str]:
    """Return the call of ``make``: all tests, those that the arguments choose, or (None) the quick ones."""
    variables = [f"AIRFLOW={cell.airflow}", f"PY={cell.python}"]
    if pytest_arguments is None:
        return ["make", "--no-print-directory", "quick", *variables]
    return ["make", "--no-print-directory", "test", *variables, f"ARGS={pytest_arguments}"]


def find_python(version: str) -> str | None:
    """Return the path of this Python, or None if there is none that starts."""
    return next((path for path in _candidates(version) if _is_version(path, version)), None)


def _candidates(version: str) -> Iterator[str]:
    on_path = shutil.which(f"python{version}")
    if on_path:
        yield on_path
    # One of pyenv's that is not selected is on the path, but does not start.
    pyenv = Path.home() / ".pyenv" / "versions"
    for path in sorted(pyenv.glob(f"{version}.*/bin/python{version}"), reverse=True):
        yield str(path)


def _is_version(path: str, version: str) -> bool:
    program = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([path, "-c", program], capture_output=True, text=True, check=False)
    return done.stdout.strip() == version


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of the table: a row an Airflow, a column a Python, and below it why cells were skipped."""
    pythons = list(dict.fromkeys(result.cell.python for result in results))
    found = {result.cell: result for result in results}
    head = _row("Airflow", [f"Python {python}" for python in pythons])
    rows = [
        _row(airflow, [_shown(found[Cell(python, airflow)]) for python in pythons])
        for airflow in dict.fromkeys(result.cell.airflow for result in results)
    ]
    reasons = dict.fromkeys(result.remark for result in results if result.word == "skipped")
    return [head, *rows, *(f"skipped: {reason}" for reason in reasons)]


def _row(first: str, rest: Sequence[str]) -> str:
    return "".join([f"{first:<10}", *(f"{cell:<16}" for cell in rest)]).rstrip()


def _shown(result: Result) -> str:
    return result.word if result.word == "skipped" else f"{result.word} ({result.remark})"


def _announced(result: Result) -> Result:
    print(f"[matrix] {result.word}: {result.remark}", flush=True)
    return result


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make matrix", description=__doc__)
    parser.add_argument("--python", nargs="+", default=PYTHONS, choices=PYTHONS)
    parser.add_argument("--airflow", nargs="+", default=AIRFLOWS, choices=AIRFLOWS)
    parser.add_argument("--args", help="what pytest is told (default: the quick tests; empty: all tests)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
