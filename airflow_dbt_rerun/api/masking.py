"""Keep the token out of every text that comes from outside: gateways are known to echo a request's headers."""

from __future__ import annotations

import base64
import html
import json
import logging
import re
from urllib.parse import quote

MASK = "***"

_NAMED = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&apos;"}


_SHORTEST = 8
"""Characters of an encoded token: fewer would be found in any text."""


class Mask:
    """Masks one token, in plain or as JSON, URLs and HTML spell it, in upper or lower case, and in base64.

    The repr does not show it.
    """

    def __init__(self, token: str) -> None:
        self._spelled = re.compile("".join(map(_spellings, token)), re.IGNORECASE)
        escaped = json.dumps(token)[1:-1]
        every = "".join(f"\\u{ord(char):04x}" for char in token)
        forms = (token, escaped, escaped.replace("/", "\\/"), every, quote(token, safe=""), html.escape(token))
        self._forms = tuple({form.lower().encode(): None for form in forms})
        encoded = [core for core in _in_base64(token) if len(core) >= _SHORTEST]
        self._pieces = tuple(max(re.split("[+/]", core), key=len) for core in encoded)
        every = "|".join(map(_base64_spellings, encoded)) or "(?!)"
        self._encoded = re.compile(rf"(?:{every})[\w+/=-]*")
        self._encoded_in_body = re.compile(self._encoded.pattern.encode())

    def __repr__(self) -> str:
        return "Mask(...)"

    def text(self, text: str) -> str:
        """Mask the token in decoded text, however its characters are spelled."""
        masked = self._spelled.sub(MASK, text)
        return self._encoded.sub(MASK, masked) if any(piece in masked for piece in self._pieces) else masked

    def body(self, body: bytes) -> bytes:
        """Mask the usual spellings in a body of any size; :meth:`text` knows the unusual ones, too."""
        if any(piece.encode() in body for piece in self._pieces):
            body = self._encoded_in_body.sub(MASK.encode(), body)
        lower = body.lower()
        if not any(form in lower for form in self._forms):
            return body
        return re.sub(b"|".join(map(re.escape, self._forms)), MASK.encode(), body, flags=re.IGNORECASE)


def _in_base64(token: str) -> tuple[str, ...]:
    """Return what all base64 texts contain that encode the token, alone or between other text.

    Three bytes make four characters, so there are three such texts, by the token's place; the characters at its
    ends hold bits of what is beside it, and are left out.
    """
    found = []
    for before in range(3):
        data = b"\0" * before + token.encode()
        whole = len(data) * 8 // 6
        found.append(base64.b64encode(data).decode()[(before * 8 + 5) // 6 : whole])
    return tuple(found)


def _base64_spellings(core: str) -> str:
    """Return a pattern of a base64 text, also in the alphabet of URLs, and as JSON and URLs escape it."""
    special = {"/": r"(?:/|\\+/|_|%2[fF])", "+": r"(?:\+|-|%2[bB]|\\u002[bB])"}
    return "".join(special.get(char, char) for char in core)


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
