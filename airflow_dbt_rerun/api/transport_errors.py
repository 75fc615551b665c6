"""Turn errors of the two HTTP libraries into a :class:`~airflow_dbt_rerun.api.replies.Failure`.

Their messages and objects are dropped: they may hold headers, proxy credentials and whole requests.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Iterator
from http.client import HTTPException

import aiohttp
import requests
from urllib3 import exceptions as urllib3

from airflow_dbt_rerun.api.replies import Failure

BLOCKING_ERRORS = (OSError, urllib3.HTTPError)
"""All errors of ``requests`` and ``urllib3`` without an answer; ``RequestException`` is an ``OSError``."""

ASYNC_ERRORS = (OSError, aiohttp.ClientError)
"""All errors of ``aiohttp`` without an answer; ``TimeoutError`` is an ``OSError``."""

_NOT_SENT = (
    urllib3.NewConnectionError,
    urllib3.ConnectTimeoutError,
    urllib3.ProxyError,
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    ssl.SSLCertVerificationError,
)
"""Errors before the request was sent. All others may have happened afterwards."""

_HOPELESS = (
    ssl.SSLCertVerificationError,
    requests.exceptions.InvalidURL,
    aiohttp.InvalidURL,
)
_TIMEOUTS = (TimeoutError, requests.Timeout, urllib3.TimeoutError)
_PROXY_ERRORS = (urllib3.ProxyError, aiohttp.ClientProxyConnectionError, aiohttp.ClientHttpProxyError)
_IN_WORDS = (
    (_PROXY_ERRORS, "refused"),
    ((HTTPException, urllib3.ProtocolError), "the connection was dropped"),
    (
        (aiohttp.ServerDisconnectedError, aiohttp.ClientPayloadError, aiohttp.ClientResponseError),
        "the connection was dropped",
    ),
)
"""Texts for errors without an operating system error, tried in this order."""


def failure_of(error: BaseException, *, timeout: float) -> Failure:
    """Classify an error of either library. ``timeout`` is the configured one, in seconds, for the message."""
    chain = tuple(_chain(error))
    sent = not _has(chain, _NOT_SENT)
    reason = _reason(chain, sent=sent, timeout=timeout)
    by_proxy = "through the proxy: " if _has(chain, _PROXY_ERRORS) else ""
    return Failure(f"{by_proxy}{reason}", sent=sent, hopeless=_has(chain, _HOPELESS))


def _reason(chain: tuple[BaseException, ...], *, sent: bool, timeout: float) -> str:
    for error in reversed(chain):
        match error:
            case ssl.SSLCertVerificationError():
                why = getattr(error, "verify_message", "") or "verification failed"
                return f"its TLS certificate is not trusted ({why})"
            case ssl.SSLError():
                return f"TLS failed ({error.reason or 'no reason given'})"
            case socket.gaierror():
                return "its host name cannot be resolved"
            case _ if isinstance(error, _TIMEOUTS):
                return f"no {'answer' if sent else 'connection'} within {timeout:g} s"
            case OSError(errno=int(code)) if code > 0:
                return os.strerror(code)
    words = (text for kinds, text in _IN_WORDS if _has(chain, kinds))
    return next(words, type(chain[0]).__name__)


def _has(chain: tuple[BaseException, ...], kinds: tuple[type[BaseException], ...]) -> bool:
    return any(isinstance(error, kinds) for error in chain)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the errors from the outermost to the root, however the libraries wrapped them."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = _wrapped(error)


def _wrapped(error: BaseException) -> BaseException | None:
    places = (getattr(error, "reason", None), *error.args, error.__cause__, error.__context__)
    return next((inner for inner in places if isinstance(inner, BaseException)), None)
