"""Read a log that dbt wrote as JSON lines (``--log-format json``) as the text that it prints otherwise."""

from __future__ import annotations

import json
from collections.abc import Mapping

_LONGEST_LINE = 100_000
"""Characters: an artifact is one line of megabytes, and no log."""

_DEBUG = "debug"


def log_text(log: str) -> str:
    """Return a log as dbt prints it; text that is no JSON stays as it is."""
    lines = log.lstrip().splitlines()
    if not lines or _message(lines[0]) is None:
        return log
    said = ((line, _message(line)) for line in lines)
    return "\n".join(line if message is None else message for line, message in said if message != "")


def is_json_log(text: str) -> bool:
    """Return whether a text is a log of JSON lines, and no artifact."""
    return _message(text.lstrip().partition("\n")[0]) is not None


def _message(line: str) -> str | None:
    """Return what a line of JSON says; empty if it is for developers, None if it is none."""
    if not line.startswith("{") or len(line) > _LONGEST_LINE:
        return None
    try:
        info = json.loads(line).get("info")
    except (ValueError, RecursionError):
        return None
    if not isinstance(info, Mapping) or "msg" not in info:
        return None
    return "" if info.get("level") == _DEBUG else str(info["msg"])
