"""``--verbose``: a line on standard error for each request to dbt."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator

from airflow_dbt_rerun.api.requests_log import REQUESTS


@contextlib.contextmanager
def shown(*, wanted: bool) -> Iterator[None]:
    """Show the requests that are sent meanwhile: method, path, status and milliseconds. None shows the token."""
    if not wanted:
        yield
        return
    handler = logging.StreamHandler(sys.stderr)
    level, propagate = REQUESTS.level, REQUESTS.propagate
    REQUESTS.addHandler(handler)
    REQUESTS.setLevel(logging.DEBUG)
    REQUESTS.propagate = False  # Airflow's own handlers would show each line again
    try:
        yield
    finally:
        REQUESTS.removeHandler(handler)
        REQUESTS.setLevel(level)
        REQUESTS.propagate = propagate
