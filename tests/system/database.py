"""Airflow's database and configuration file, made once for all the Airflows that a run of the tests starts."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

NewDatabase = Callable[[Path], None]
"""The fixture of tests/conftest.py that gives an AIRFLOW_HOME its database."""

FILES = ("airflow.cfg", "airflow.db")
LONGEST = 240
"""Seconds until making it is given up."""


def copy_database(template: Path, home: Path) -> None:
    """Give an Airflow an empty database and a configuration file; making them takes six seconds of a processor.

    :param template: the AIRFLOW_HOME to copy from; whoever comes first makes it, and others wait for that.
    """
    template.parent.mkdir(parents=True, exist_ok=True)
    with template.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            _migrate(template)
    home.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(template / "airflow.db", home / "airflow.db")
    config = (template / "airflow.cfg").read_text().replace(str(template), str(home))
    (home / "airflow.cfg").write_text(config)


def _migrate(template: Path) -> None:
    making = template.with_suffix(".making")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env = {**inherited, "AIRFLOW_HOME": str(making), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=env,
        capture_output=True,
        check=True,
        timeout=LONGEST,
    )
    config = making / "airflow.cfg"
    config.write_text(config.read_text().replace(str(making), str(template)))
    making.rename(template)
