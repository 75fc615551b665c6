"""How large an answer may be, and how long a whole request may take, in both clients."""

from __future__ import annotations

import contextvars
import queue
import threading
from collections.abc import AsyncIterable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.api.replies import Failure

T = TypeVar("T")

MEGABYTE = 1024 * 1024
CHUNK = 64 * 1024
"""Bytes that are read at once."""

_ANSWER_TIMEOUTS = 2
_ARTIFACT_TIMEOUTS = 5


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may cost. Sizes are those after unpacking.

    :param answer_mb: megabytes of an API answer.
    :param artifact_mb: megabytes of an artifact, such as ``manifest.json``.
    :param answer_seconds: seconds from the request to the end of an API answer; None for twice the timeout.
    :param artifact_seconds: seconds until the end of an artifact; None for five times the timeout.
    """

    answer_mb: float = 64.0
    artifact_mb: float = 512.0
    answer_seconds: float | None = None
    artifact_seconds: float | None = None

    def megabytes(self, endpoint: Endpoint[Any]) -> float:
        """Return how large the endpoint's answer may be."""
        return self.artifact_mb if endpoint.is_artifact else self.answer_mb

    def seconds(self, endpoint: Endpoint[Any], timeout: float) -> float:
        """Return how long the whole request may take.

        :param timeout: seconds of silence that are tolerated.
        """
        if endpoint.is_artifact:
            return self.artifact_seconds or _ARTIFACT_TIMEOUTS * timeout
        return self.answer_seconds or _ANSWER_TIMEOUTS * timeout


class TooLargeError(Exception):
    """An answer is larger than its limit."""


def too_large(megabytes: float) -> Failure:
    """Return the failure of an answer that does not end."""
    return Failure(f"an answer of more than {megabytes:g} MB", sent=True, hopeless=True, unreadable=True)


def too_slow(seconds: float) -> Failure:
    """Return the failure of a request whose answer did not end in time."""
    return Failure(f"no whole answer within {seconds:g} s", sent=True)


def whole(chunks: Iterable[bytes], megabytes: float) -> bytes:
    """Return a body from its unpacked chunks.

    :raises TooLargeError: if it is larger than that.
    """
    body = bytearray()
    for chunk in chunks:
        _add(body, chunk, megabytes)
    return bytes(body)


async def whole_async(chunks: AsyncIterable[bytes], megabytes: float) -> bytes:
    """Do the same in an event loop."""
    body = bytearray()
    async for chunk in chunks:
        _add(body, chunk, megabytes)
    return bytes(body)


def _add(body: bytearray, chunk: bytes, megabytes: float) -> None:
    if len(body) + len(chunk) > megabytes * MEGABYTE:
        raise TooLargeError
    body += chunk


def within(seconds: float, work: Callable[[], T]) -> T:
    """Call a function and return its result, but wait no longer than that.

    A socket's timeout counts anew with each byte, so a blocking request ends by itself only if the server lets it.
    It runs in a thread that is left behind when the time is over: daemonic, so that it holds up no process.

    :raises TimeoutError: if it takes longer.
    :raises BaseException: any error of the function.
    """
    result: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()
    context = contextvars.copy_context()

    def run() -> None:
        try:
            result.put((context.run(work), None))
        except BaseException as error:  # noqa: BLE001 - raised for the caller
            result.put((None, error))

    threading.Thread(target=run, name="dbt API request", daemon=True).start()
    try:
        value, error = result.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return value  # type: ignore[return-value]
