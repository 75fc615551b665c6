"""Failures on demand for the simulated dbt, in the words of the example project's README."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is to happen to one node.

    :param message: the node ends in error, with this text
    :param failures: a test finds so many rows
    :param seconds: the node first takes so long
    """

    message: str | None = None
    failures: int | None = None
    seconds: float = 0.0


NONE = Trouble()


def trouble_of(node: str, state: Path, invocation: str) -> Trouble:
    """Return the first entry for a node that is still due, and count it."""
    requests = state / "failures.json"
    if not requests.is_file():
        return NONE
    so_far = len(list(state.glob(f"troubled.{node}.*")))
    for request in json.loads(requests.read_text()):
        times = request.get("times", 1)
        if request["node"] == node and (times < 0 or times > so_far):
            (state / f"troubled.{node}.{invocation}").touch()
            return Trouble(request.get("message"), request.get("failures"), request.get("seconds") or 0.0)
    return NONE
