"""Choose how long to wait, from how long such troubles lasted.

The last rerun comes when four of five of the troubles that are known to have passed within a time were gone: the
smallest such moment. One rerun comes before it, after a third of that time, since many troubles were gone much
earlier than a later run could show. That is tenacity's wait that doubles: a third, then two thirds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.advice.evidence import FEWEST, Evidence

SHARE = 0.8
"""The share of the troubles known to have passed that the last rerun must outlast."""

USUAL_LIMIT = 2 * 3600.0
"""Seconds: how long the default policy goes on. What takes longer needs people."""

NIGHT = 8 * 3600.0
"""Seconds: how long a chronic trouble is waited for at the most. After that, people are at work."""

_MINUTE = 60
_HALF_AN_HOUR = 30 * _MINUTE


@dataclass(frozen=True, slots=True)
class Waits:
    """When to rerun.

    :param outlasted: seconds by which enough of the troubles were seen to be gone; the last rerun is not earlier.
    """

    outlasted: float

    @property
    def first(self) -> int:
        """Seconds before the first of two reruns, in round numbers. Twice that comes before the second."""
        third = self.outlasted / 3
        step = _MINUTE if third < _HALF_AN_HOUR else 5 * _MINUTE
        return max(math.ceil(third / step), 1) * step

    @property
    def last(self) -> int:
        """Seconds from the failure to the last rerun, without the time that the first one takes."""
        return 3 * self.first

    def twice(self) -> dict[str, Any]:
        """Return the wait for two reruns, as data of a policy."""
        return {"wait_exponential": {"multiplier": self.first}}

    def once(self) -> dict[str, Any]:
        """Return the wait for a single rerun, as data of a policy."""
        return {"wait_fixed": self.last}


def choose_waits(evidence: Evidence, limit: float) -> Waits | str:
    """Return when to rerun such failures or, if nothing can be proposed, why not.

    :param limit: seconds. Troubles that were seen to be gone later do not count as passing by themselves.
    """
    if len(evidence) < FEWEST:
        return "fewer than five cases"
    passed = evidence.passed_within(limit)
    if len(passed) < FEWEST:
        return f"of fewer than five it is known that they passed within {limit / 3600:.0f} h"
    outlasted = passed[math.ceil(SHARE * len(passed)) - 1]
    if evidence.still_there_at(outlasted) > evidence.gone_by(outlasted):
        return "more are known to have lasted than to have passed"
    return Waits(outlasted)
