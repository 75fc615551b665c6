"""Read the settings of a client from an Airflow connection.

The layout is the official dbt Cloud provider's: host = access URL, login = account id, password = API token,
extra = transport settings. The connection's type is ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from airflow.providers.common.compat.sdk import Connection

from airflow_dbt_rerun.api.limits import Limits
from airflow_dbt_rerun.exceptions import DbtConfigError

DEFAULT_HOST = "cloud.getdbt.com"
DEFAULT_REQUEST_TIMEOUT = 30.0

LONGEST_BARE_NAME = 20
"""Characters of a host name without a dot, as in a network of containers. A token has no dot, and twice as many."""

_LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?", re.IGNORECASE)
"""RFC 1123; hex digits alone may be a token, which the length tells."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Host, account, token and transport of a client. Secrets are not in the repr.

    :param base_url: scheme and host, for example ``https://abc12.us1.dbt.com``.
    :param timeout: seconds to connect, and seconds of silence while waiting for an answer.
    :param proxies: proxy URLs by scheme, as in ``requests``; they may hold credentials.
    :param verify: whether to check TLS certificates, or the path of a CA bundle.
    :param cert: path of a client certificate, or the paths of certificate and key.
    :param trust_env: whether to read proxies and CA bundles from environment variables.
    :param limits: how large an answer may be, and how long a whole request may take.
    """

    base_url: str
    account_id: int
    token: str = field(repr=False)
    timeout: float = DEFAULT_REQUEST_TIMEOUT
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    verify: bool | str = True
    cert: str | tuple[str, str] | None = None
    trust_env: bool = True
    limits: Limits = field(default_factory=Limits)

    @property
    def host(self) -> str:
        """Host and port, for messages."""
        return urlsplit(self.base_url).netloc


def settings_from(
    connection: Connection, *, account_id: int | str | None = None, timeout: float | None = None
) -> Settings:
    """Read a connection; ``account_id`` and ``timeout`` take precedence over its own.

    :raises DbtConfigError: naming the field that is missing or wrong.
    """
    where = f"connection {connection.conn_id!r}"
    extra = _extra(connection.extra, where)
    seconds = extra.get("timeout") if timeout is None else timeout
    return Settings(
        base_url=_base_url(connection, where),
        account_id=_account_id(connection.login, account_id, where),
        token=_token(connection.password, where),
        timeout=DEFAULT_REQUEST_TIMEOUT if seconds in (None, "") else _positive(seconds, "timeout", where),
        proxies=_proxies(extra.get("proxies") or extra.get("proxy"), where),
        verify=_verify(extra.get("verify", extra.get("verify_ssl")), where),
        cert=_cert(extra.get("cert"), where),
        trust_env=bool(extra.get("trust_env", True)),
        limits=_limits(extra, where),
    )


def _extra(text: str | None, where: str) -> Mapping[str, Any]:
    # Not connection.extra_dejson, which would call the supervisor and block an event loop.
    try:
        extra = json.loads(text or "{}")
    except ValueError:
        extra = None
    if not isinstance(extra, Mapping):
        raise DbtConfigError(f"extra of {where} must be a JSON object")
    return extra


def _base_url(connection: Connection, where: str) -> str:
    host = (connection.host or "").strip() or DEFAULT_HOST
    scheme = connection.schema if connection.schema in ("http", "https") else "https"
    url = urlsplit(host if "://" in host else f"{scheme}://{host}")
    _check_host_only(url, where)
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.hostname or "")):
        raise DbtConfigError(
            f"host of {where} must use https: the token is sent with every request, so http is accepted only for "
            "this machine (127.0.0.1, ::1, localhost)"
        )
    port = "" if url.port or not connection.port else f":{connection.port}"
    return f"{url.scheme}://{url.netloc}{port}"


def _check_host_only(url: SplitResult, where: str) -> None:
    try:
        usable = (
            url.hostname
            and url.port != 0
            and not (url.path.strip("/") or url.query or url.fragment or url.username)
            and _is_name_or_address(url.hostname)
        )
    except ValueError:  # the port is not a number
        usable = False
    if not usable:
        raise DbtConfigError(
            f"host of {where} must be the access URL alone, such as {DEFAULT_HOST} or abc12.us1.dbt.com "
            "(a port may follow)"
        )


def _is_name_or_address(host: str) -> bool:
    """Return whether this can be a host: a token pasted here would be shown by errors, and looked up as a name."""
    try:
        return bool(ip_address(host))
    except ValueError:
        return bool(_HOST_NAME.fullmatch(host)) and ("." in host or len(host) <= LONGEST_BARE_NAME)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _account_id(login: str | None, override: int | str | None, where: str) -> int:
    given = override not in (None, "")
    name, value = ("account_id", str(override)) if given else (f"login (account id) of {where}", login or "")
    if not value.strip():
        raise DbtConfigError(f"{name} is missing: it is the number after /deploy/ in the address bar of dbt")
    if not (value.strip().isascii() and value.strip().isdigit()):
        # The value is not shown: a token pasted into the wrong field would end up in a log.
        raise DbtConfigError(f"{name} must be a number")
    return int(value)


def _token(password: str | None, where: str) -> str:
    token = (password or "").strip()
    if not token:
        raise DbtConfigError(f"password (API token) of {where} is missing")
    if not token.isascii() or any(char.isspace() or not char.isprintable() for char in token):
        raise DbtConfigError(
            f"password (API token) of {where} contains a blank, a line break or a non-ASCII character"
        )
    return token


def _limits(extra: Mapping[str, Any], where: str) -> Limits:
    """Read the limits, each by its name in the extra."""
    names = {"max_answer_mb": "answer_mb", "max_artifact_mb": "artifact_mb"}
    names |= {"answer_timeout": "answer_seconds", "artifact_timeout": "artifact_seconds"}
    given = {name: extra[name] for name in names if extra.get(name) not in (None, "")}
    return Limits(**{names[name]: _positive(value, name, where) for name, value in given.items()})


def _positive(value: Any, name: str, where: str) -> float:
    try:
        number = 0.0 if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = 0.0
    if not 0 < number < float("inf"):
        unit = "megabytes" if name.endswith("_mb") else "seconds"
        raise DbtConfigError(f"{name} in the extra of {where} must be a number of {unit} above zero")
    return number


def _proxies(value: Any, where: str) -> Mapping[str, str]:
    if isinstance(value, str):
        return {"http": value, "https": value}
    given = {} if value is None else value
    if isinstance(given, Mapping) and all(isinstance(proxy, str | None) for proxy in given.values()):
        return {scheme: proxy for scheme, proxy in given.items() if proxy}
    raise DbtConfigError(
        f'proxies in the extra of {where} must be an object such as {{"https": "http://proxy:3128"}}'
    )


def _verify(value: Any, where: str) -> bool | str:
    # Forms and URIs hold booleans as text; any other text is the path of a CA bundle.
    text = "" if value is None else str(value).strip()
    known = {"": True, "true": True, "false": False}
    return known[text.lower()] if text.lower() in known else _path(text, "verify", where)


def _cert(value: Any, where: str) -> str | tuple[str, str] | None:
    if not isinstance(value, list | tuple):
        return _path(str(value), "cert", where) if value else None
    certificate, key = (_path(str(part), "cert", where) for part in value)
    return certificate, key


def _path(text: str, name: str, where: str) -> str:
    try:
        exists = Path(text).exists()
    except (OSError, ValueError):
        exists = False
    if not exists:  # the value is not shown: a secret that was pasted into the wrong field would end up in a log
        raise DbtConfigError(f"{name} in the extra of {where} is not the path of a file that exists here")
    return text
