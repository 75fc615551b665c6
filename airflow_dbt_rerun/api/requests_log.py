"""A logger of its own for requests, so that somebody who wants to see them sees nothing else.

At the level DEBUG it has a line for each request that was sent: method, path, status and milliseconds.
"""

from __future__ import annotations

import logging

REQUESTS = logging.getLogger("airflow_dbt_rerun.requests")


def note(method: str, path: str, outcome: object, seconds: float) -> None:
    """Log one request.

    :param path: from ``/api`` on, with its query. It holds no token, which is sent in a header.
    :param outcome: the HTTP status, or why there was no answer.
    """
    REQUESTS.debug("%s %s %s %.0f ms", method, path, outcome, seconds * 1000)
