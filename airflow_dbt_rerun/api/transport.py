"""Open sessions from :class:`~airflow_dbt_rerun.api.settings.Settings`, alike in both clients.

``requests`` (by Airflow's HttpHook) and ``aiohttp`` get the same proxies, trusted certificates and token. Where the
two libraries read the environment differently, ``requests`` decides for both.

Airflow's HttpAsyncHook is not used: before version 6.3 of its provider it drops the body of every error answer,
and with it the platform's reason.
"""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import NamedTuple

import aiohttp
import requests
from airflow.providers.common.compat.sdk import Connection
from airflow.providers.http.hooks.http import HttpHook
from requests.auth import AuthBase
from requests.utils import DEFAULT_CA_BUNDLE_PATH, select_proxy

from airflow_dbt_rerun.api.settings import Settings


def blocking_session(settings: Settings) -> requests.Session:
    """Open a session with Airflow's HttpHook, for its keep-alive, proxies and TLS."""
    return _SettingsHttpHook(settings).get_conn()


def async_session(settings: Settings, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:  # noqa: FBT001
    """Open a session in the running loop. It does not hold the token: aiohttp shows default headers in its repr.

    :param tls: the result of :func:`trusted`, which reads files and should be called outside the loop.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.timeout, sock_read=settings.timeout),
        # Without trust_env, which would make aiohttp read credentials from ~/.netrc. See proxy_for().
    )


def trusted(settings: Settings) -> ssl.SSLContext | bool:
    """Read the trusted certificates: a TLS context, or True without TLS. Takes about 20 ms."""
    if settings.base_url.startswith("http://"):
        return True
    route = _route(settings)
    context = _trusting(route.verify if isinstance(route.verify, str) else DEFAULT_CA_BUNDLE_PATH)
    if route.verify is False:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if route.cert:
        context.load_cert_chain(*([route.cert] if isinstance(route.cert, str) else route.cert))
    return context


def proxy_for(settings: Settings) -> str | None:
    """Return the proxy URL for aiohttp, or None; environment variables count if the settings say so.

    Requests over http, which never leave this machine, use none: it would see the token.
    """
    if settings.base_url.startswith("http://"):
        return None
    proxy = select_proxy(settings.base_url, _route(settings).proxies)
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


class _TokenAuth(AuthBase):
    """Add the token to requests. A plain header would be replaced by an entry in ``~/.netrc``."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Token {self._token}"
        return request


class _SettingsHttpHook(HttpHook):
    """HttpHook over a made-up connection that holds transport settings only.

    With the user's own connection it would send login and password as basic auth, and unknown extras as headers.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(method="GET", auth_type=lambda: _TokenAuth(settings.token))
        self._settings = settings

    def get_connection(self, conn_id: str) -> Connection:  # type: ignore[override]
        """Return the made-up connection, whatever the id."""
        chosen = self._settings
        is_local = chosen.base_url.startswith("http://")  # a proxy would see the token
        extra = {
            "proxies": {} if is_local else dict(chosen.proxies),
            "verify": chosen.verify,
            "cert": chosen.cert,
            "trust_env": chosen.trust_env and not is_local,
        }
        return Connection(conn_id=conn_id, conn_type="http", host=chosen.base_url, extra=json.dumps(extra))


class _Route(NamedTuple):
    proxies: dict[str, str]
    verify: bool | str | None
    cert: str | tuple[str, str] | None


def _route(settings: Settings) -> _Route:
    session = requests.Session()
    session.trust_env = settings.trust_env
    found = session.merge_environment_settings(
        settings.base_url, dict(settings.proxies), stream=False, verify=settings.verify, cert=settings.cert
    )
    return _Route(dict(found["proxies"] or {}), found["verify"], found["cert"])


def _trusting(bundle: str) -> ssl.SSLContext:
    if Path(bundle).is_dir():
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)
