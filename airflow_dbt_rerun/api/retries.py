"""Decide whether to send a request again, and how long to wait first. Pure: time and dice are parameters.

POSTs are never repeated. Tries, waits and total time are bounded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.api.replies import Failure, Reply, RequestOutcome
from airflow_dbt_rerun.exceptions import DbtConfigError

_THROTTLED_FACTOR = 20
_JITTER = 0.25


@dataclass(frozen=True)
class Retries:
    """How often, and for how long, a client repeats one request.

    :param limit: tries in all, including the first.
    :param delay: seconds before the second try, doubled each time. After a 429 without ``Retry-After`` it is twenty
        times as long: 20, 40, 80 and 160 seconds outlast the platform's cooldown of five minutes.
    :param longest: most seconds of a single such wait.
    :param total: seconds after the first try within which the last one may start.
    """

    limit: int = 5
    delay: float = 1.0
    longest: float = 160.0
    total: float = 600.0

    def __post_init__(self) -> None:
        """Check that there is at least one try and no negative time."""
        if self.limit < 1 or min(self.delay, self.longest, self.total) < 0:
            raise DbtConfigError(f"retries need at least one try and no negative times: {self!r}")


NO_RETRIES = Retries(limit=1)


def pause_before_retry(
    endpoint: Endpoint[Any],
    outcome: RequestOutcome,
    *,
    tries: int,
    elapsed: float,
    retries: Retries,
    dice: float,
) -> float | None:
    """Return the seconds to wait before a request's next try, or None to accept the outcome.

    :param tries: how often it has been sent.
    :param elapsed: seconds since it was first sent.
    :param dice: a random number from 0 to 1, so that many clients do not return at once.
    """
    if tries >= retries.limit or not endpoint.is_repeatable or not _is_passing(outcome):
        return None
    pause = _asked_for(outcome)
    if pause is None:
        factor = _THROTTLED_FACTOR if isinstance(outcome, Reply) and outcome.is_throttled else 1
        pause = min(retries.delay * factor * 2 ** (tries - 1), retries.longest) * (1 + _JITTER * dice)
    return pause if elapsed + pause <= retries.total else None


def _is_passing(outcome: RequestOutcome) -> bool:
    if isinstance(outcome, Failure):
        return not outcome.hopeless
    return outcome.is_server_failure or outcome.is_throttled


def _asked_for(outcome: RequestOutcome) -> float | None:
    return outcome.retry_after if isinstance(outcome, Reply) else None
