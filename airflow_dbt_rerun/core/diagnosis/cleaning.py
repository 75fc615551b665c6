"""Reduce an error message to the error itself, without frame, SQL, names and values.

dbt frames the warehouse's text: ``Database Error in model NAME (PATH)``, the text, ``LINE n:`` with a piece of the
SQL, ``compiled code at PATH``. Names, SQL and values can contain any words ("timeout", 'connection reset'): they
must not be read as the error, and values must not end up in logs.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from airflow_dbt_rerun.core.dbt.fields import printable
from airflow_dbt_rerun.core.diagnosis.runners import without_runners

READ_SIZES = (6000, 3000)
"""Characters of a message that are read, from its start and from its end."""

EVIDENCE_SIZE = 4000
"""Characters that signatures are matched on."""

_LOG_TIME = re.compile(
    r"^(?:\(\w{1,60}\): )?(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(?:\.\d+)?\s*(?:\| )?(?:\[\w+ *\])?"
    r"(?: ?(?:\[[^\]\n]{1,60}\]|\(\w{1,60}\)):)?\s*"
)

_END_OF_WORDS = re.compile(
    r"""-----Query\ Job\ SQL\ Follows----- | ^[ \t]*==\ SQL\b | \[SQL:\ | ^[ \t]*JVM\ stacktrace:
      | \bStack\ trace\b
      | ^[ \t]*Failing\ row\ contains | :\ While\ (?:processing|executing)\b | :\ In\ scope\b
      | ^[ \t]*@@""",
    re.VERBOSE | re.MULTILINE,
)
"""Everything after this is SQL, a stack trace or rows."""

DBT_OBJECT = (
    r"(?:model|test|unit[_ ]test|seed|snapshot|macro|operation|analysis|sql[_ ]operation|source|exposure|function"
    r"|saved[_ ]query|semantic[_ ]model|metric|hook|on-run-start|on-run-end|rpc)"
)
"""What dbt can name in front of an error."""
_DBT_FRAME = re.compile(
    rf"\b([A-Za-z]\w{{0,30}}(?: [A-Z]\w{{0,30}}){{0,3}} Error) in {DBT_OBJECT} \S+(?: \([^)\n]*\))?[:…. ]*"
)
_QUERY_BEFORE = re.compile(
    r"(\bFailed to (?:execute|prepare) query) '.*'\s*: ?(?=(?:ERROR|FATAL|PANIC)\b)", re.DOTALL
)
_QUERY_BEFORE_ANY = re.compile(r"(\bFailed to (?:execute|prepare) query) '.*'\s*: ?(?=\S)", re.DOTALL)
_QUERY_AFTER = re.compile(r"^\s*Query was: .*", re.DOTALL | re.MULTILINE)
_SQLSTATE = re.compile(r"\(SQLSTATE: \w{5}\)")
_DBT_KIND = re.compile(r"^((?:[A-Za-z]\w* ){1,3}Error)$")
_DBT_HOOK = re.compile(r"^(?:\S+\.)?on-run-(?:start|end)(?:\.\d+)? failed, error: ?")
_ARROW_FRAME = "C Data interface error: "
"""What dbt v2 puts before an error that came while a result was fetched, as in ``run_query``."""
_EMPTY_KIND = re.compile(r"^(?:(?:Runtime|Database) Error: ?)+")
_QUOTED_SQL = re.compile(r" (?:LINE \d+: |compiled (?:code|Code|SQL) at |@: Unparsed\w+\().*$")

_NO_WORDS = re.compile(
    rf"""^(?:
        LINE\ \d+(?::(?!\d)|$) | [-^~\s]+$ | \| | compiled\ (?:code|sql)\ at\b | \(in\ \S+:\d+ | -->\ \S
      | >\ (?:in|called\ by)\ | (?:Failure|Warning|Error)\ in\ {DBT_OBJECT}\b
      | Error\ materializing\ (?:unit_)?test\ \S+\ \(
      | \d+\ of\ \d+\ (?:START|OK|ERROR(?!\ STALE)|SKIP|FAIL|PASS|WARN)
      | Done\.\ PASS= | Finished\ running\b | with\ \d+\ errors?\b | Completed\ with\ \d+ | dbt\ command\ failed$
      | Traceback\ \(most\ recent | File\ ".*",\ line\ \d | at\ [\w.$]+\( | \.\.\.\ \d+\ more$
      | Running\ with\ dbt[=\ ] | Registered\ adapter: | Found\ \d+\ \w | Concurrency:\ \d
      | Unable\ to\ do\ partial\ parsing
      | \d+\ of\ \d+\ (?:PARTIAL|CANCEL) | WARNING:\ Test\ | WARNING:\ Node\ | Building\ catalog$ | dbt-fusion\ \d
      | Process\ completed\ with\ exit\ code\ [12]\b | \[?Errors\ parsed\ from\ dbt\ logs:
      | at\ \S+[./]\S+\ \S+\.(?:go|java|scala|py|rs):\d+ | at\ [\w.$/]+(?:\.\(\*?\w+\))?\.\w+\ \S+:\d+$
      | Please\ make\ sure\ you\ have\ the\ correct\ access\ rights | and\ the\ repository\ exists\.
      | Connection\ '\S+'\ was\ (?:properly\ closed|left\ open)
      | Encountered\ an\ error:$ | This\ probably\ means\ the\ server | before\ or\ while\ processing\ the\ request
      | During\ handling\ of\ the\ above | The\ above\ exception\ was
      | (?-i:HINT|CONTEXT|QUERY|STATEMENT): | Did\ you\ mean\b
      | Candidate\ (?:bindings|functions|tables)\b | Original\ Line:
    )""",
    re.VERBOSE | re.IGNORECASE,
)
"""Lines that frame the error or quote something, and do not describe the error."""

_CODE_BELOW = re.compile(r'^(?:File ".*", line \d|line \d+$)')

QUOTED = re.compile(
    r"""'{3}(?:[^']|'(?!'')){0,3000}'{3} | (?<![\w'])'(?:[^'\n]|'(?=\w)){0,500}'(?!\w)
      | "[^"\n]{0,500}" | `[^`\n]{0,300}`""",
    re.VERBOSE,
)
_SPEAKS_BEFORE = re.compile(
    r"""(?: (?:Error|Exception|Disconnected|Timeout|BadRequest|NotFound|Forbidden|Conflict
             |TooManyRequests|Unavailable)\( (?:-?\d+,\ ?)?
          | (?:\A|\n|Error:\ |Exception:\ )\(
          | \(\d+,\ ?b | (?:\A|\n|Error:\ )\('[^'\n]{5,50}',[ ]
          | (?:\b[MD]|\bmsg|message|reason|details|error|exception|error_?code|error_description|oauth2|Message\w?
             |infoMessages|__type)
            ['"]?\ ?[:=]\ ?\[?
        )$""",
    re.VERBOSE | re.IGNORECASE,
)
"""Python and JSON put whole error messages in quotes, which must be kept."""
_SPEAKS_INSIDE = re.compile(r"^(?:\[[0-9A-Z]{5}\] |\[\w+: |\[Microsoft\]|\d{6} \([0-9A-Z]{5}\): )")
HOST_BEFORE = re.compile(r"(?:\bhost=|\bresolve |\bhost name |\bhost )$", re.IGNORECASE)
DBT_HELPER = re.compile(r"^\S{1,300}__dbt_(?:tmp|backup)\w{0,40}.?$", re.IGNORECASE)
CATALOG_INDEX = re.compile(r'^"pg_\w+_index"$')

_KEY_VALUE = re.compile(r"(\)=|\bkey value is |\brow contains )\([^\n]{0,300}?\)")
_BARE_VALUE = re.compile(r"(\bBad \w{1,30} value: |\bOriginal value: |\bvalue: )[^;\n]{1,200}")

_PATH = re.compile(
    r"(?<![\w.:/-])(?:https?://\S+|[\w.:~-]*(?:/[\w.%=&?~+*-]+){2,}/?|[\w.-]+\.(?:sql|ya?ml|py|csv|parquet|json|md)\b(?!\.\w))"
)

FOR_NODES_THAT_FAIL_ALIKE = lru_cache(maxsize=256)
"""Caches by message. Nodes often fail alike, and each message is read twice: for signatures and for people."""


def evidence(message: str) -> str:
    """Return the lines that signatures are matched on, with quoted names, values and all paths blanked.

    At most :data:`EVIDENCE_SIZE` characters: half of them from the start, half from the end.
    """
    return _for_signatures(error_lines(message))


@FOR_NODES_THAT_FAIL_ALIKE
def _for_signatures(lines: tuple[str, ...]) -> str:
    return bounded(masked_for_signatures("\n".join(lines)))


def masked_for_signatures(text: str) -> str:
    """Return a text with quoted names, values and paths blanked."""
    return _PATH.sub("…", hide_bare_values(mask(text, _is_safe_name)))


def error_lines(message: str) -> tuple[str, ...]:
    """Return the lines that describe the error, in order and trimmed."""
    return _error_lines(_both_ends(message, *READ_SIZES))


@FOR_NODES_THAT_FAIL_ALIKE
def _error_lines(message: str) -> tuple[str, ...]:
    text = _without_driver_sql(without_runners(printable(message)))
    end = _END_OF_WORDS.search(text)
    framed = text[: end.start()] if end else text
    return tuple(_unframed(framed.splitlines()) or [_one_line(text)])


def _without_driver_sql(text: str) -> str:
    """Cut the SQL that dbt v2's drivers put before or after the error. It can hold quotes, words and values."""
    if "query" not in text and "Query" not in text:
        return text
    text, cut = _QUERY_BEFORE.subn(r"\1: ", text)
    text = text if cut else _QUERY_BEFORE_ANY.sub(r"\1: ", text)
    return _QUERY_AFTER.sub(lambda found: "".join(_SQLSTATE.findall(found[0])[-1:]), text)


def bounded(text: str) -> str:
    """Return the start and the end of a text, at most :data:`EVIDENCE_SIZE` characters and a line break."""
    return _both_ends(text, EVIDENCE_SIZE // 2, EVIDENCE_SIZE // 2)


def _both_ends(text: str, head: int, tail: int) -> str:
    return text if len(text) <= head + tail else f"{text[:head]}\n{text[-tail:]}"


def _unframed(lines: list[str]) -> list[str]:
    kept: list[str] = []
    skip_code = False
    for line in lines:
        words = _words(line)
        is_code, skip_code = skip_code, _CODE_BELOW.match(words) is not None
        if words and not is_code and not _NO_WORDS.match(words):
            kept.append(words)
    return [words for line in kept if (words := _EMPTY_KIND.sub("", line))] or kept


def plain_line(line: str) -> str:
    """Remove the log's time and superfluous blanks from a line."""
    return _one_line(_LOG_TIME.sub("", line) if line[:1].isdigit() or line[:1] == "(" else line)


def _words(line: str) -> str:
    """Remove the log's time, dbt's frame, quoted SQL and superfluous blanks from a line."""
    words = plain_line(line)
    # Logs have many lines, and a substring test costs a tenth of the pattern that needs the substring.
    if "on-run-" in words:
        words = _DBT_HOOK.sub("hook failed: ", words)
    if "Error in " in words:
        words = _DBT_FRAME.sub(r"\1: ", words)
    words = words.removeprefix(_ARROW_FRAME)
    if " LINE " in words or " at " in words or " @: " in words:
        words = _QUOTED_SQL.sub("", words)
    words = words.strip()
    return _DBT_KIND.sub(r"\1:", words) if words.endswith("Error") else words


def _one_line(text: str) -> str:
    return " ".join(text.split())


def mask(text: str, keep: Callable[[str, str], bool]) -> str:
    """Blank quoted text, unless it is an error message itself or ``keep(before, quoted)`` is true."""

    def masked(found: re.Match[str]) -> str:
        quoted, before = found[0], before_quote(found)
        mark, inside = quoted[0], quoted[1:-1]
        if speaks(before, inside):
            return mark + mask(inside, keep) + mark
        return quoted if keep(before, quoted) else f"{mark}…{mark}"

    return QUOTED.sub(masked, text)


def before_quote(found: re.Match[str]) -> str:
    """Return the words in front of quoted text."""
    return found.string[max(0, found.start() - 60) : found.start()]


def speaks(before: str, inside: str) -> bool:
    """Return whether quoted text is an error message itself."""
    return _SPEAKS_BEFORE.search(before) is not None or _SPEAKS_INSIDE.search(inside) is not None


def _is_safe_name(before: str, quoted: str) -> bool:
    """Keep hosts, PostgreSQL's own indexes and dbt's helper relations, which signatures need."""
    if HOST_BEFORE.search(before):
        return " " not in quoted
    return CATALOG_INDEX.match(quoted) is not None or DBT_HELPER.search(quoted) is not None


def hide_bare_values(text: str) -> str:
    """Blank values that stand without quotes."""
    return _BARE_VALUE.sub(r"\1…", _KEY_VALUE.sub(r"\1(…)", text))
