"""Airflow's command line, with all commands in one process.

Of the fifteen seconds of a processor that ``airflow dags test`` takes, fourteen are for imports and for the first
task; in a process that has run another DAG before, it takes one. The process is this file, run as a script.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HARD_LIMIT = 240
"""Seconds after which a command is given up, whatever it waits for."""


@dataclass
class AirflowShell:
    """A process that runs commands one after the other, each with an environment of its own.

    :param log: where it writes what the commands print.
    """

    log: Path
    process: subprocess.Popen[str] = field(repr=False)

    def run(self, *arguments: str, env: Mapping[str, str]) -> tuple[int, str]:
        """Run a command, and return its exit status and what it printed.

        :param env: its whole environment; AIRFLOW_HOME and the folder of DAGs are those of the first command.
        """
        before = self.log.stat().st_size
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"arguments": arguments, "env": dict(env)}) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], HARD_LIMIT)
        reply = self.process.stdout.readline() if ready else ""
        printed = self.log.read_bytes()[before:].decode(errors="replace")
        assert reply, f"airflow {' '.join(arguments)} did not end: {printed[-5_000:]}"
        return int(reply), printed


@contextmanager
def airflow_shell(folder: Path) -> Iterator[AirflowShell]:
    """Start the process, which imports Airflow with its first command."""
    log = folder / "shell.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [sys.executable, "-P", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
        ) as process,
    ):
        yield AirflowShell(log, process)
        process.kill()


# --- The process itself


def main() -> None:
    """Run what the lines of stdin say, and answer each by its exit status."""
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request: dict[str, Any] = json.loads(line)
        os.environ.clear()
        os.environ.update(request["env"])
        status = run(request["arguments"])
        sys.stdout.flush()
        sys.stderr.flush()
        replies.write(f"{status}\n")
        replies.flush()


def run(arguments: list[str]) -> int:
    """Run a command as ``airflow`` does, and return its exit status."""
    from airflow.cli import cli_parser  # noqa: PLC0415 - its configuration is that of the first command

    try:
        parsed = cli_parser.get_parser().parse_args(arguments)
        parsed.func(parsed)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception:  # noqa: BLE001 - whatever fails, fails this command only
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
