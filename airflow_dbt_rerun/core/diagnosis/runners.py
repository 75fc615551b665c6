"""Remove what other programs put before each line of dbt's log: Airflow, Docker, Kubernetes, GitHub, Spark.

A log that a person pastes has passed through them. Their times and levels say nothing about dbt's error, and a year
in brackets must not be read as a code.
"""

from __future__ import annotations

import json
import re

_LONGEST_LINE = 20_000
"""Characters of a line of JSON that is read."""

_TIME = r"\d{4}[-/]\d\d[-/]\d\d[T ,]{1,2}\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\ ?(?:Z|UTC|[A-Z]{3,4}|[+-]\d\d:?\d\d)?"

_PREFIX = re.compile(
    rf"""^(?:
        \[{_TIME}\]\ \{{[^}}\n]{{1,120}}\}}\ [A-Z]{{4,8}}\ -\ (?:\[\w[\w-]{{0,30}}\]\ )?   # Airflow 2, of a pod
      | \[{_TIME}\]\ [A-Z]{{4,8}}\ -\ (?=\S)    # Airflow 3
      | {_TIME}\ (?=\S)    # GitHub, Docker
      | \d\d/\d\d/\d\d\ \d\d:\d\d:\d\d\ (?:ERROR|WARN|INFO)\ [\w.$]{{1,80}}:\ ?             # log4j
      | [a-z][a-z0-9]*(?:-[a-z0-9]+){{2,9}}\ [a-z][a-z0-9-]{{1,40}}\ {{1,4}}(?=\S)          # stern: pod, container
      | \[pod/[^\]\n]{{1,160}}\]\ ?
      | [a-z][\w.-]{{1,60}}\ {{1,20}}\|\ {{1,8}}(?=\S)    # docker compose
      | \[(?:\d{{1,2}};?){{1,3}}m    # a colour
      | \^C | \#\#\[error\](?=\S)
      | \(MainThread\):\ (?=\S)
    )""",
    re.VERBOSE | re.MULTILINE,
)
_MOST_PREFIXES = 4
_TEXT_KEYS = ("log", "msg", "message", "event", "textPayload")
"""Keys of a line of JSON that hold the text: of Docker, dbt, many loggers, Airflow 3, Google Cloud."""


def without_runners(text: str) -> str:
    """Return a text without the prefixes of runners; a text without any stays as it is."""
    if not _PREFIX.search(text) and '{"' not in text:
        return text
    return "\n".join(map(_plain, text.split("\n")))


def _plain(line: str) -> str:
    line = _said(line) if line.startswith('{"') else line
    for _ in range(_MOST_PREFIXES):
        found = _PREFIX.match(line)
        if not found:
            break
        line = line[found.end() :]
    return line


def _said(line: str) -> str:
    """Return what a line of JSON says; the line itself if it is no log line."""
    try:
        data = json.loads(line[:_LONGEST_LINE])
        data = data.get("info", data)
        if data.get("level") == "debug":
            return ""
        texts = [data[key] for key in _TEXT_KEYS if isinstance(data.get(key), str)]
        is_log = "level" in data or "stream" in data or "time" in data or "timestamp" in data
    except (ValueError, AttributeError, RecursionError):
        return line
    return texts[0].rstrip("\n") if texts and is_log else line
