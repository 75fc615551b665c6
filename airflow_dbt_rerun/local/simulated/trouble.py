"""Failures on demand for the simulated dbt, in the format that the example project's README describes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to one node.

    :param message: the message of the error with which the node ends
    :param failures: the number of rows that a test finds
    :param seconds: the time that the node takes first
    """

    message: str | None = None
    failures: int | None = None
    seconds: float = 0.0


NO_TROUBLE = Trouble()


def trouble_of(node: str, state: Path, invocation: str, *, while_parsing: bool = False) -> Trouble:
    """Return the first entry for a node that is not used up, and count this invocation.

    :param while_parsing: read the entries that keep the project from being parsed, with ``"parsing": true``
    """
    requests = state / "failures.json"
    if not requests.is_file():
        return NO_TROUBLE
    count = len(list(state.glob(f"troubled.{node}.*")))
    for request in json.loads(requests.read_text()):
        times = request.get("times", 1)
        if request.get("parsing", False) is not while_parsing:
            continue
        if request["node"] == node and (times < 0 or times > count):
            (state / f"troubled.{node}.{invocation}").touch()
            return Trouble(request.get("message"), request.get("failures"), request.get("seconds") or 0.0)
    return NO_TROUBLE
