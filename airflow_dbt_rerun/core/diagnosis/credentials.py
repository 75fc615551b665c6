"""Hide credentials that stand in an error without quotes, in the forms that clients and clouds give them."""

from __future__ import annotations

import re

_FORMS = re.compile(
    r"""
      (?P<url>\b[a-z][a-z0-9+.-]{1,30}://)[^\s/'"]{1,300}@        # scheme://user:password@
    | (?P<name>\b[\w-]{0,30}(?:password|passwd|pwd|passphrase|secret|token|(?:api|access|private)[_-]?key
        |credentials?|signature|sig)=)(?:"[^"]*"|'[^']*'|[^\s&;,)'"]+)
    | (?P<scheme>\b(?:bearer|basic)\ +)(?=\S*\d)[\w.~+/=-]{12,}    # words that follow have no digit
    | \b(?:AKIA|ASIA)[A-Z0-9]{16}\b                               # an access key of AWS
    | \beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)?                      # a JSON web token
    | \bdbt[a-z]_[\w+/=-]{16,}                                    # a token of dbt
    | \bgh[a-z]_\w{20,} | \bgithub_pat_\w{20,} | \bglpat-[\w-]{16,}
    | \bxox[a-z]-[\w-]{10,}
    | \bdapi[0-9a-f]{30,}\b                                       # a token of Databricks
    | -----BEGIN[ ][A-Z ]*PRIVATE[ ]KEY-----.*?(?:-----END[ ][A-Z ]*-----|$)
    """,
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


def hide_credentials(text: str) -> str:
    """Return the text with a mark in place of each credential; what announces it stays."""
    return _FORMS.sub(_mark, text)


def _mark(found: re.Match[str]) -> str:
    if found["url"]:
        return f"{found['url']}…@"
    return f"{found['name'] or found['scheme'] or ''}…"
