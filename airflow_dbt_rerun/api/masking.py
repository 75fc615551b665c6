"""Keep the token out of every text that comes from outside: gateways are known to echo a request's headers."""

from __future__ import annotations

import html
import json
import logging
import re
from urllib.parse import quote

MASK = "***"

_NAMED = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&apos;"}


class Mask:
    """Masks one token, in plain or as JSON, URLs and HTML spell it, in upper or lower case.

    The repr does not show it.
    """

    def __init__(self, token: str) -> None:
        self._spelled = re.compile("".join(map(_spellings, token)), re.IGNORECASE)
        escaped = json.dumps(token)[1:-1]
        every = "".join(f"\\u{ord(char):04x}" for char in token)
        forms = (token, escaped, escaped.replace("/", "\\/"), every, quote(token, safe=""), html.escape(token))
        self._forms = tuple({form.lower().encode(): None for form in forms})

    def __repr__(self) -> str:
        return "Mask(...)"

    def text(self, text: str) -> str:
        """Mask the token in decoded text, however its characters are spelled."""
        return self._spelled.sub(MASK, text)

    def body(self, body: bytes) -> bytes:
        """Mask the usual spellings in a body of any size; :meth:`text` knows the unusual ones, too."""
        lower = body.lower()
        if not any(form in lower for form in self._forms):
            return body
        return re.sub(b"|".join(map(re.escape, self._forms)), MASK.encode(), body, flags=re.IGNORECASE)


def _spellings(char: str) -> str:
    code = ord(char)
    forms = (
        char,
        f"\\{char}",
        f"\\u{code:04x}",
        f"%{code:02x}",
        f"&#{code};",
        f"&#x{code:x};",
        _NAMED.get(char, char),
    )
    return f"(?:{'|'.join(map(re.escape, dict.fromkeys(sorted(forms, key=len, reverse=True))))})"


def _shows_no_headers(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Failed to parse headers")


def silence_urllib3() -> None:
    """Drop the one warning of urllib3 that prints an answer's malformed headers, which may echo the token."""
    logging.getLogger("urllib3.connection").addFilter(_shows_no_headers)  # added once, however often it is called
