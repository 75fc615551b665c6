"""Send endpoints to the dbt API, blocking or async.

Both clients send the same endpoints over the same transport (:mod:`.transport`), repeat the same requests
(:mod:`.retries`) and raise the same errors (:mod:`.replies`). They differ only in how they send a request and how
they sleep.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import math
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import Any, Self, TypeVar

import aiohttp
import requests

from airflow_dbt_rerun._version import __version__
from airflow_dbt_rerun.api.endpoints import Endpoint, Page
from airflow_dbt_rerun.api.limits import CHUNK, TooLargeError, too_large, too_slow, whole, whole_async, within
from airflow_dbt_rerun.api.masking import Mask, silence_urllib3
from airflow_dbt_rerun.api.paging import Listed, Paging
from airflow_dbt_rerun.api.replies import Failure, Reply, RequestOutcome, read
from airflow_dbt_rerun.api.requests_log import REQUESTS, note
from airflow_dbt_rerun.api.retries import Retries, pause_before_retry
from airflow_dbt_rerun.api.settings import Settings
from airflow_dbt_rerun.api.transport import async_session, blocking_session, proxy_for, trusted
from airflow_dbt_rerun.api.transport_errors import ASYNC_ERRORS, BLOCKING_ERRORS, failure_of

T = TypeVar("T")
L = TypeVar("L", bound=Listed)
log = logging.getLogger(__name__)

NOT_HTTP = Failure("an answer that is not HTTP", sent=True, hopeless=True, unreadable=True)

LEAST_SECONDS = 10.0
"""What a request may take although the client's time is over: the last reading of a run, or its cancel."""

USER_AGENT = f"airflow-provider-dbt-rerun/{__version__}"


class _Client:
    """Base of both clients: everything except sending and sleeping."""

    def __init__(
        self,
        settings: Settings,
        retries: Retries | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.settings = settings
        self.retries = retries or Retries()
        self._mask = Mask(settings.token)
        self._clock = clock
        self._dice = dice
        self._end = math.inf

    def give_up_after(self, seconds: float) -> None:
        """Limit all further requests: none is sent again after that time, and none takes much longer.

        :param seconds: from now. A request that is sent later still has :data:`LEAST_SECONDS`.
        """
        self._end = self._clock() + seconds

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.settings!r}, {self.retries!r})"

    def _headers(self, endpoint: Endpoint[Any]) -> dict[str, str]:
        return {"User-Agent": USER_AGENT, "Accept": endpoint.accept}

    def _reply(self, status: int, headers: Mapping[str, str], body: bytes) -> Reply:
        return Reply(status, {name.lower(): value for name, value in headers.items()}, self._mask.body(body))

    def _seconds(self, endpoint: Endpoint[Any]) -> float:
        left = max(self._end - self._clock(), LEAST_SECONDS)
        return min(self.settings.limits.seconds(endpoint, self.settings.timeout), left)

    def _megabytes(self, endpoint: Endpoint[Any]) -> float:
        return self.settings.limits.megabytes(endpoint)

    def _pause(self, endpoint: Endpoint[Any], outcome: RequestOutcome, tries: int, started: float) -> float | None:
        """Log an outcome, and return the seconds to wait before the next try, or None if this was the last."""
        now = self._clock()
        elapsed = now - started
        pause = pause_before_retry(
            endpoint, outcome, tries=tries, elapsed=elapsed, retries=self.retries, dice=self._dice()
        )
        if pause is not None and now + pause > self._end:
            pause = None
        what = outcome.reason if isinstance(outcome, Failure) else f"HTTP {outcome.status}"
        if pause is None:
            log.debug("%s: %s after %.3f s", endpoint, what, elapsed)
        else:
            log.warning(
                "%s: %s; trying again in %.1f s (try %d of %d)",
                endpoint,
                what,
                pause,
                tries + 1,
                self.retries.limit,
            )
        return pause

    def _note(self, endpoint: Endpoint[Any], outcome: RequestOutcome, began: float) -> None:
        """Log one request for ``--verbose``, without the token even if a parameter holds it."""
        if not REQUESTS.isEnabledFor(logging.DEBUG):
            return
        what = outcome.reason if isinstance(outcome, Failure) else outcome.status
        path = self._mask.text(endpoint.location(self.settings.account_id))
        note(endpoint.method, path, what, time.perf_counter() - began)

    def _read(self, endpoint: Endpoint[T], outcome: RequestOutcome, tries: int) -> T:
        return read(
            endpoint,
            outcome,
            host=self.settings.host,
            account_id=self.settings.account_id,
            tries=tries,
            mask=self._mask.text,
        )


class DbtClient(_Client):
    """Send requests to the dbt API, blocking. Holds one session and is not thread-safe.

    :param settings: the host, the account, the token and the transport.
    :param retries: how often, and for how long, to repeat a request.
    :param sleep: waits the given number of seconds before a request is repeated.
    """

    def __init__(
        self,
        settings: Settings,
        retries: Retries | None = None,
        *,
        sleep: Callable[[float], object] = time.sleep,
        **clocks: Any,
    ) -> None:
        super().__init__(settings, retries, **clocks)
        self._sleep = sleep

    def send(self, endpoint: Endpoint[T]) -> T:
        """Send a request and return the parsed answer.

        :raises DbtApiError: the subclass for the failure.
        """
        started = self._clock()
        for tries in itertools.count(1):
            began = time.perf_counter()
            outcome = self._send_once(endpoint)
            self._note(endpoint, outcome, began)
            pause = self._pause(endpoint, outcome, tries, started)
            if pause is None:
                break
            self._sleep(pause)
        return self._read(endpoint, outcome, tries)

    def collect(self, endpoint: Endpoint[Page[L]]) -> tuple[L, ...]:
        """Return a whole list, requested page by page."""
        items: list[L] = []
        paging = Paging(endpoint)
        while paging.upcoming:
            items += paging.take(self.send(paging.upcoming))
        return tuple(items)

    def close(self) -> None:
        """Close the session, if it is open. The next request opens a new one."""
        if session := self.__dict__.pop("_session", None):
            session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @cached_property
    def _session(self) -> requests.Session:
        silence_urllib3()
        return blocking_session(self.settings)

    def _send_once(self, endpoint: Endpoint[Any]) -> RequestOutcome:
        seconds = self._seconds(endpoint)
        try:
            return within(seconds, lambda: self._exchange(endpoint))
        except TimeoutError:
            self.__dict__.pop("_session", None)  # a thread still reads with it
            return too_slow(seconds)

    def _exchange(self, endpoint: Endpoint[Any]) -> RequestOutcome:
        try:
            with self._open(endpoint) as response:
                body = whole(response.iter_content(CHUNK), self._megabytes(endpoint))
                return self._reply(response.status_code, response.headers, body)
        except BLOCKING_ERRORS as error:
            return failure_of(error, timeout=self.settings.timeout)
        except TooLargeError:
            return too_large(self._megabytes(endpoint))
        except ValueError:  # of requests itself, by a malformed header
            return NOT_HTTP

    def _open(self, endpoint: Endpoint[Any]) -> requests.Response:
        session = self._session
        # The session has proxies and verify already, but without these arguments the environment would win.
        return session.request(
            endpoint.method,
            self.settings.base_url + endpoint.location(self.settings.account_id),
            json=None if endpoint.json is None else dict(endpoint.json),
            headers=self._headers(endpoint),
            timeout=self.settings.timeout,
            allow_redirects=False,  # what another host says is not dbt's word
            proxies=dict(session.proxies),
            verify=session.verify,
            stream=True,
        )


class AsyncDbtClient(_Client):
    """Send requests to the dbt API in an event loop. Tasks may share it; use ``async with``, or call :meth:`close`.

    The parameters are those of :class:`DbtClient`.
    """

    def __init__(
        self,
        settings: Settings,
        retries: Retries | None = None,
        *,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
        **clocks: Any,
    ) -> None:
        super().__init__(settings, retries, **clocks)
        self._sleep = sleep

    async def send(self, endpoint: Endpoint[T]) -> T:
        """Send a request and return the parsed answer.

        :raises DbtApiError: the subclass for the failure.
        """
        started = self._clock()
        for tries in itertools.count(1):
            began = time.perf_counter()
            outcome = await self._send_once(endpoint)
            self._note(endpoint, outcome, began)
            pause = self._pause(endpoint, outcome, tries, started)
            if pause is None:
                break
            await self._sleep(pause)
        return self._read(endpoint, outcome, tries)

    async def collect(self, endpoint: Endpoint[Page[L]]) -> tuple[L, ...]:
        """Return a whole list, requested page by page."""
        items: list[L] = []
        paging = Paging(endpoint)
        while paging.upcoming:
            items += paging.take(await self.send(paging.upcoming))
        return tuple(items)

    async def prepare(self) -> None:
        """Read certificates and proxies in a thread. Otherwise the first request does so and blocks the loop."""
        with contextlib.suppress(*ASYNC_ERRORS):  # the first request fails on a bad file, too, and reports it
            await asyncio.to_thread(lambda: (self._trusted, self._proxy))

    async def close(self) -> None:
        """Close the session, if it is open. The next request opens a new one."""
        if session := self.__dict__.pop("_session", None):
            await session.close()

    async def __aenter__(self) -> Self:
        await self.prepare()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        return async_session(self.settings, self._trusted)

    @cached_property
    def _trusted(self) -> ssl.SSLContext | bool:
        return trusted(self.settings)

    @cached_property
    def _proxy(self) -> str | None:
        return proxy_for(self.settings)

    async def _send_once(self, endpoint: Endpoint[Any]) -> RequestOutcome:
        seconds = self._seconds(endpoint)
        time_limit = asyncio.timeout(seconds)
        try:
            async with time_limit, self._open(endpoint) as response:
                body = await whole_async(response.content.iter_chunked(CHUNK), self._megabytes(endpoint))
                return self._reply(response.status, response.headers, body)
        except ASYNC_ERRORS as error:
            return too_slow(seconds) if time_limit.expired() else failure_of(error, timeout=self.settings.timeout)
        except TooLargeError:
            return too_large(self._megabytes(endpoint))
        except ValueError:  # of aiohttp itself, by a malformed header
            return NOT_HTTP

    def _open(self, endpoint: Endpoint[Any]) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._session.request(
            endpoint.method,
            self.settings.base_url + endpoint.location(self.settings.account_id),
            json=None if endpoint.json is None else dict(endpoint.json),
            headers={**self._headers(endpoint), "Authorization": f"Token {self.settings.token}"},
            allow_redirects=False,  # what another host says is not dbt's word
            proxy=self._proxy,
        )
