"""The error tree: as drawn, importable at no cost, and able to travel."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from inspect import getmembers, isclass
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_dbt_rerun import exceptions
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.exceptions import DbtApiError, DbtRunError, DbtRunFailed, DbtThrottledError

OURS = {name: kind for name, kind in getmembers(exceptions, isclass) if kind.__module__ == exceptions.__name__}


def test_the_tree_in_the_docstring_is_the_tree() -> None:
    """The module's docstring names every error and its base, and no others."""
    drawn: dict[str, str] = {}
    path: list[str] = []
    for line in (exceptions.__doc__ or "").splitlines():
        if found := re.match(r"( {4}[ │├└─]*)(\w+(?:Error|Exception|Run\w+))\b", line):
            depth = (len(found[1]) - 4) // 4
            path[depth:] = [found[2]]
            drawn[found[2]] = path[depth - 1] if depth else ""
    assert drawn.pop("AirflowException") == ""
    assert drawn == {name: kind.__bases__[0].__name__ for name, kind in OURS.items()}


def test_final_errors_stop_airflows_retries_and_the_others_do_not() -> None:
    """What cannot pass by itself is an AirflowFailException, which Airflow never retries; the rest is not."""
    final = {name for name, kind in OURS.items() if issubclass(kind, AirflowFailException)}
    assert final == {"DbtConfigError", "DbtJobUnusableError", "DbtRunFailed", "DbtRunCancelled"}
    assert all(issubclass(kind, AirflowException) for kind in OURS.values())


@pytest.mark.parametrize("kind", OURS.values(), ids=OURS)
def test_every_error_survives_pickle(kind: type[Exception]) -> None:
    """Errors cross process borders with their text and all they carry."""
    carried: dict[type[Exception], dict[str, Any]] = {
        DbtThrottledError: {"retry_after": 9.0, "status_code": 429},
        DbtRunFailed: {"run": Run(id=1, job_id=2, status=20), "attempts": [1, 2]},
    }
    error = kind("what happened", **carried.get(kind, {}))
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy), vars(copy)) == (kind, "what happened", vars(error))


def test_errors_carry_objects() -> None:
    """Handlers read fields instead of parsing texts."""
    error = DbtApiError("text", endpoint="GET runs/7/", status_code=404, user_message="Not found.")
    assert (error.endpoint, error.status_code, error.user_message) == ("GET runs/7/", 404, "Not found.")
    assert DbtRunError("text", attempts=[1]).attempts == (1,)


def test_importing_errors_imports_no_client() -> None:
    """DAG files may catch our errors without paying for HTTP libraries."""
    check = "import sys, airflow_dbt_rerun.exceptions; print('airflow_dbt_rerun.api' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"
