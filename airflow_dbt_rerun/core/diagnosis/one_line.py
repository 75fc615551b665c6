"""Say an error on one line for people: the line that decided, without SQL, values, help and progress."""

from __future__ import annotations

import re
from collections.abc import Sequence

from airflow_dbt_rerun.core.diagnosis.cleaning import (
    FOR_NODES_THAT_FAIL_ALIKE,
    HOST_BEFORE,
    error_lines,
    hide_bare_values,
    mask,
    masked_for_signatures,
)
from airflow_dbt_rerun.core.diagnosis.credentials import hide_credentials
from airflow_dbt_rerun.core.signatures import Signature

ONE_LINE = 300
"""Characters of a message cleaned for people."""

_LINES_OF_A_MESSAGE = 4
_LINES_OF_A_LOG = 2

_PROGRESS = re.compile(
    r"""^(?:
        Cloning\ into\ | Klone\ nach\ | Clonage\ dans\ | Clonando\ en\b
      | remote:\ (?:Enumerating|Counting|Compressing)\b | remote:$ | remote:\ =+$
      | (?:Loading|Fetching|Installing|Started|Debugging|Submitting\ job\ for)\ \S | Failed\ \[
      | Command\ (?:`|end\ result|exited\ with) | Finished\ '?\S+\ (?:target|with)\b
      | \d+\ errors?\b.{0,40}\bwarnings?:?$ | \d+\ (?:partial\ success\w*|of\ \d+\ (?:START|RUN))\b
      | Timing\ info\ for\b | On\ \S+:\ (?:/\*|\w+$)
      | \w+\ adapter:\ (?:Error\ running\ SQL|Rolling\ back|Snowflake\ query\ id|opening\ a\ new|On\ \S+:)
      | (?:host|port|user|database|schema|account|role|warehouse|method|sslmode|search_path|keepalives_idle)
        :\ \S{0,200}$
      | Connection:$ | \#\#\[(?:group|endgroup|debug|section)\]
      | (?:\#\#\[error\])?(?:Bash|Process|Task)\ \w+\ with\b
      | Run\ \S | \+\ dbt\ | dbt\ (?:run|build|test|deps|seed|snapshot|docs|compile|parse)\b
      | Making\ package\ index\b | Response\ from\ registry | INFO\b | DEBUG\b | warnings\.warn
      | .{0,120}\bUserWarning: | Task\ (?:failed\ with\ exception|exited) | \d+\ downstream\ tasks
      | Sending\ (?:the\ signal\ )?\w+\ to | Resource\ (?:report|usage)\b | Additional\ troubleshooting\ context
      | CANCEL\ query\b | Warning:\ Permanently\ added | Check\ your\ database\ credentials | For\ more\ information
      | Unable\ to\ find\ image\b | The\ database\ returned\ the\ following\ error
      | (?:Help:\ )?https?://\S+$
    )""",
    re.VERBOSE,
)
"""Lines that say what is done, where, or with what settings: among them account and user names."""

_NAME_BEFORE = re.compile(
    r"\b(?:object|table|view|relation|schema|database|column|field|function|role|user|warehouse|model|macro|node|named"
    r"|name|variable|var|package|profile|target|provided:|source|type|extension|identifier|integration|stage|key"
    r"|spec=|directory|branch|repository|repo|module|has no attribute|expected token|unexpected|keyword|tag|flag"
    r"|token \S{1,20}, got|near|the word|something like|operator|command|argument|adapter|file|device:|failed for"
    r"|access|clone)[: ]*$",
    re.IGNORECASE,
)
_VALUE_BEFORE = re.compile(
    r"(?:\b(?:value|literal|string|date|timestamp|json|uuid|out of range)"
    r"|input syntax for [\w ]{3,40}:|input value for enum \w{1,60}:)[: ]*$",
    re.IGNORECASE,
)
_URL = re.compile(r"(\bhttps?://[\w.:-]+)/[^\s\"')]+")
"""A URL may contain a signature or a token after its host."""


def clean(message: str, known: Signature | None = None) -> str:
    """Return a message on one line for people, without SQL, paths of compiled code and values.

    Names of tables and columns are kept. The result has at most :data:`ONE_LINE` characters.

    :param known: the signature that decided: a log is quoted from the line on that it matches.
    """
    return _for_people(error_lines(message), known.pattern if known else None, known)


@FOR_NODES_THAT_FAIL_ALIKE
def _for_people(lines: tuple[str, ...], _: str | None, known: Signature | None) -> str:
    text = mask(hide_credentials(" ".join(_telling(lines, known))), _is_no_value)
    text = _URL.sub(r"\1/…", hide_bare_values(text))
    return text if len(text) <= ONE_LINE else text[: ONE_LINE - 1].rstrip() + "…"


def _telling(lines: Sequence[str], known: Signature | None) -> Sequence[str]:
    """Return the lines to quote: all of a short message, the decisive ones of a log."""
    told = [line for line in lines if not _PROGRESS.match(line)] or lines
    if len(told) <= _LINES_OF_A_MESSAGE:
        return told
    decisive = _decisive(told, known)
    return told[:_LINES_OF_A_MESSAGE] if decisive is None else told[decisive : decisive + _LINES_OF_A_LOG]


def _decisive(lines: Sequence[str], known: Signature | None) -> int | None:
    if known is None:
        return None
    found = (place for place, line in enumerate(lines) if known.found_in(masked_for_signatures(line)))
    return next(found, None)


def _is_no_value(before: str, quoted: str) -> bool:
    """Keep names; text in single quotes is a value unless the words before it announce a name."""
    if quoted.startswith("'"):
        announced = _NAME_BEFORE.search(before) or HOST_BEFORE.search(before)
        return announced is not None and " " not in quoted
    return not (quoted.startswith('"') and _VALUE_BEFORE.search(before))
