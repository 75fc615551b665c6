"""Know the codes of errors, which a report keeps although they are numbers or no words.

A number counts as a code only in a frame in which vendors write codes. Elsewhere it may be an account, a value or
a count.
"""

from __future__ import annotations

import re

_NUMBERS = re.compile(
    r"""(?<!zip\ )(?<!postal\ )(?<!post\ )(?<!area\ )(?<!product\ )\b
        (?:[Ee]rrno|WinError|(?i:http)(?:/\d(?:\.\d)?)?(?:\ [Ss]tatus)?(?:\ [Cc]ode)?|[Ss]tatus(?:[ _][Cc]ode)?
          |(?:[Ee]rror|ERROR|[Vv]endor|exit|return|responded|returned|SQL|[Nn]ative|[Rr]eason|response|Server
            |HRESULT|[Cc]ode|CODE|DB::Exception|Msg|SQL0|SQLCODE|SQLSTATE)
           (?:[ _]?(?:[Cc]ode|[Nn]umber|error|status))?)
        ["']?[\s:=#(\[]{1,3}-?(?P<named>\d{1,6}|0x[0-9A-Fa-f]{1,8})(?![\w.-]*\w*[@-])\b
      | (?<![\w.])(?P<numbered>\d{4,6})(?=\ \([0-9A-Z]{5}\))
      | (?:^|(?<=:\ )|(?<=[\n'"]))(?P<leading>\d{5,6})(?=:\ )
      | (?:^|\w|:\ |["'(])\(-?(?P<tuple>\d{1,5})(?=,\ ?b?['"])
      | (?<![\w.-])(?P<http>[45]\d\d)(?=\ [A-Z][a-z]|:\ |\ (?:Client|Server)\ Error)
      | \((?P<sql>\d{1,5})\)\ \(SQL
    """,
    re.VERBOSE,
)

_ORACLE = re.compile(
    r"(?:ORA|DPY|DPI|PLS|TNS|KUP|SP2)-\d{4,5}|dbt\d{4}|DBT-\d{4}|SQL\d{4,5}[NCW]|HY[0C]\d\d|TDS\d{4}"
)
_STATE = re.compile(r"(?:0[0-9A-Z]|[1-5][0-9A-Z]|[5-9][0-9]|F0|HV|HY|HZ|IM|P0|XX|KD|42)[0-9A-Z]{3}")
"""A five-character SQLSTATE of a class that a standard or a vendor defines."""
_STATE_BEFORE = re.compile(
    r"(?:\bSQLSTATE\b[\s:=(\[]*|(?:^|[\]'\"] ?|ERROR:? |Error:? )\[|\d \(|\d, )$", re.IGNORECASE
)
"""The frames of a SQLSTATE without quotes: ``SQLSTATE: 42000``, ``[08S01] [Microsoft]``, ``002003 (42S02)``."""

_KEYS = frozenset(
    """code codes error errors message messages msg reason reasons status state details detail domain description
    type severity cause title name user_message developer_message state_message result_state life_cycle_state
    is_success errorCode error_code errorCodes errorMessage error_message errorType error_type errorClass
    error_class sqlState sqlstate sql_state requestId request_id queryId query_id error_description location
    debugInfo statusCode status_code errorInfo failureInfo innererror innerError exception retryable timestamp
    unique_id node thread execution_time num_failures is_transient eventType eventSubType S V C M D H P W F L R
    n t s""".split()
)
"""The keys under which services and drivers put the parts of an error, also those of PostgreSQL's protocol."""
_SEVERITIES = frozenset(("ERROR", "FATAL", "PANIC", "WARNING", "error", "failed", "FAILED"))
_SEVERITY_BEFORE = re.compile(r"""['"](?:S|V|severity|status|state)['"]\s?:\s?$""")
_CODE_BEFORE = re.compile(r"""['"](?:C|M|code|sql_?[sS]tate|SQLSTATE|error_?[cC]ode)['"]\s?:\s?$""")
_FIRST_IN_TUPLE = re.compile(r"(?:^|[:\n] ?|Error)\($")
_SHORT_NUMBER = re.compile(r"\d{3,6}")


def is_key(quoted: re.Match[str]) -> bool:
    """Return whether quoted text is a key of JSON, or of a mapping of Python, that errors have."""
    after = quoted.string[quoted.end() : quoted.end() + 2].lstrip()
    return after.startswith(":") and quoted[0][1:-1] in _KEYS


def is_quoted_code(before: str, inside: str) -> bool:
    """Return whether quoted text is a code or a severity, by the key before it."""
    if inside in _SEVERITIES:
        return _SEVERITY_BEFORE.search(before) is not None
    is_state = _STATE.fullmatch(inside) is not None
    if _CODE_BEFORE.search(before):
        return is_state or _SHORT_NUMBER.fullmatch(inside) is not None
    return is_state and _FIRST_IN_TUPLE.search(before) is not None


def is_code(word: str, before: str) -> bool:
    """Return whether a word is a code of an error: ``ORA-00942``, or a SQLSTATE in its frame."""
    if _ORACLE.fullmatch(word):
        return True
    return _STATE.fullmatch(word) is not None and _STATE_BEFORE.search(before) is not None


def code_places(text: str) -> frozenset[int]:
    """Return the places in a text at which a number begins that is a code."""
    return frozenset(
        found.start(group)
        for found in _NUMBERS.finditer(text)
        for group in ("named", "numbered", "leading", "tuple", "http", "sql")
        if found[group]
    )
