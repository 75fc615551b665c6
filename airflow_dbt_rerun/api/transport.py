"""Sessions set up from :class:`~airflow_dbt_rerun.api.settings.Settings`, so that both go the same way.

The same proxies, the same trusted certificates, the same token, in ``requests`` (by Airflow's HttpHook) and in
``aiohttp``. Where the two libraries read the environment differently, ``requests`` decides for both.

Airflow's HttpAsyncHook is left out: before version 6.3 of its provider it drops the body of every error answer,
and with it the platform's reason; what is left after that is ``aiohttp``.
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
    """Open a session by Airflow's HttpHook: its keep-alive, its proxies, its TLS."""
    return _SettingsHttpHook(settings).get_conn()


def async_session(settings: Settings, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:  # noqa: FBT001
    """Open a session in the running loop. The token is not in it: aiohttp shows default headers in its repr.

    :param tls: what :func:`trusted` gives; it reads files, so it is better asked for outside the loop.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=tls),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.timeout, sock_read=settings.timeout),
        # trust_env stays off: with it aiohttp would look for other credentials in ~/.netrc. See proxy_for().
    )


def trusted(settings: Settings) -> ssl.SSLContext | bool:
    """Read which certificates count: a TLS context, or True where no TLS is spoken. Takes some 20 ms."""
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
    """Pick the one proxy URL that aiohttp takes; environment variables count where the settings say so."""
    proxy = select_proxy(settings.base_url, _route(settings).proxies)
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


class _TokenAuth(AuthBase):
    """The token as ``requests`` wants it: a plain header would lose to an entry in ``~/.netrc``."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Token {self._token}"
        return request


class _SettingsHttpHook(HttpHook):
    """HttpHook over a connection that holds what HTTP needs and nothing else.

    On the user's own connection it would send login and password as basic auth, and unknown extras as headers.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(method="GET", auth_type=lambda: _TokenAuth(settings.token))
        self._settings = settings

    def get_connection(self, conn_id: str) -> Connection:  # type: ignore[override]
        """Make the connection up, whatever the id."""
        chosen = self._settings
        extra = {
            "proxies": dict(chosen.proxies),
            "verify": chosen.verify,
            "cert": chosen.cert,
            "trust_env": chosen.trust_env,
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
