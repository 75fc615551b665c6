"""Airflow around a task whose processes die: every life is a forked process, every death a real SIGKILL.

What is real: the operator, its trigger, the hook, HTTP, the processes and their deaths. Only what Airflow does
when one has died is played: a task whose worker is gone is tried anew, a trigger whose triggerer is gone moves on.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import signal
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn
from unittest.mock import patch
from urllib.parse import urlsplit

import aiohttp
import requests
from airflow.providers.common.compat.sdk import TaskDeferred
from asgiref.sync import SyncToAsync

from airflow_dbt_rerun.operators.job import DbtCloudJobOperator
from airflow_dbt_rerun.triggers.run import DbtCloudRunTrigger
from tests.border import TaskInstance, first_event

Scene = tuple[str, Any]
"""What a process is to do: ``execute``; ``trigger`` a serialized one; ``resume`` with an event. Or ``done``."""

EXECUTE: Scene = ("execute", None)


@dataclass
class Border:
    """Where a process meets the world: it may be killed each time it gets there.

    :param fatal: whether to die now
    :param life: number of this process in the task's history, from 1
    :param deaths: how many earlier ones were killed
    :param passed: the boundaries that were passed so far by all lives; the last is where it is
    :param age: how many of them this life passed
    """

    fatal: Callable[[Border], bool]
    life: int
    deaths: int
    passed: list[str]
    writing: int
    age: int = 0

    def cross(self, boundary: str) -> None:
        """Reach a boundary and report it to the watching process, even if it is the last."""
        self.passed.append(boundary)
        self.age += 1
        self.tell("passed", boundary)
        if self.fatal(self):
            os.kill(os.getpid(), signal.SIGKILL)

    def tell(self, what: str, value: Any) -> None:
        """Report to the watching process."""
        os.write(self.writing, json.dumps([what, value]).encode() + b"\n")


@dataclass
class History:
    """All lives of one task.

    :param passed: the boundaries in order
    :param deaths: the boundaries at which a process was killed
    :param run_id: what the task returned
    """

    passed: list[str] = field(default_factory=list)
    deaths: list[str] = field(default_factory=list)
    lives: int = 0
    run_id: int | None = None


def run_through_deaths(
    operator: DbtCloudJobOperator, instance: TaskInstance, fatal: Callable[[Border], bool]
) -> History:
    """Run a task until it is done, however often its processes die."""
    history, scene = History(), EXECUTE
    while scene[0] != "done":
        ended = _live(partial(_play, operator, instance, scene), fatal, history)
        if ended is not None:
            scene = ended
        elif scene[0] != "trigger":
            scene = EXECUTE
    history.run_id = scene[1]
    return history


def _live(story: Callable[[Border], Scene], fatal: Callable[[Border], bool], history: History) -> Scene | None:
    """Let a process live through a story; None if it was killed."""
    history.lives += 1
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        border = Border(fatal, history.lives, len(history.deaths), list(history.passed), writing)
        _be_the_child(story, border)
    os.close(writing)
    with os.fdopen(reading) as told:
        lines = [json.loads(line) for line in told]
    _, status = os.waitpid(child, 0)
    history.passed += [value for what, value in lines if what == "passed"]
    what, value = lines[-1]
    if what == "passed":
        assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
        history.deaths.append(value)
        return None
    assert what == "ended", value
    return (value[0], value[1])


def _be_the_child(story: Callable[[Border], Scene], border: Border) -> NoReturn:
    """Live, and never come back into the test."""
    gc.disable()  # a collection would copy the memory that is shared with the parent
    SyncToAsync.single_thread_executor = ThreadPoolExecutor(max_workers=1)  # threads do not survive a fork
    try:
        with _guarded_http(border):
            border.tell("ended", story(border))
    except BaseException:  # noqa: BLE001 - whatever it was, the parent shows it
        border.tell("raised", traceback.format_exc())
    finally:
        os._exit(0)


def _play(operator: DbtCloudJobOperator, instance: TaskInstance, scene: Scene, border: Border) -> Scene:
    what, value = scene
    if what == "trigger":
        event = asyncio.run(first_event(DbtCloudRunTrigger(**value)))
        border.cross("event")
        return "resume", event
    context: Any = {"ti": _Guarded(instance, border)}
    try:
        border.cross(what)
        run_id = operator.execute(context) if scene == EXECUTE else operator.execute_complete(context, value)
    except TaskDeferred as deferred:
        border.cross("defer")
        return "trigger", deferred.trigger.serialize()[1]
    border.cross("done")
    return "done", run_id


class _Guarded:
    """A task instance whose XComs are boundaries."""

    def __init__(self, instance: TaskInstance, border: Border) -> None:
        self._instance = instance
        self._border = border

    def __getattr__(self, name: str) -> Any:
        return getattr(self._instance, name)

    def xcom_push(self, key: str, value: Any) -> None:
        self._border.cross(f"before XCom {key}")
        self._instance.xcom_push(key, value)
        self._border.cross(f"after XCom {key}")


@contextmanager
def _guarded_http(border: Border) -> Iterator[None]:
    """Make each request of either HTTP library two boundaries."""
    send, ask = requests.Session.send, aiohttp.ClientSession._request

    def guarded_send(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> Any:
        with _around(border, f"{request.method} {_path(request.url)}"):
            return send(session, request, **options)

    async def guarded_ask(session: aiohttp.ClientSession, method: str, url: Any, **options: Any) -> Any:
        with _around(border, f"{method} {_path(str(url))}"):
            return await ask(session, method, url, **options)

    with (
        patch.object(requests.Session, "send", guarded_send),
        patch.object(aiohttp.ClientSession, "_request", guarded_ask),
    ):
        yield


@contextmanager
def _around(border: Border, what: str) -> Iterator[None]:
    border.cross(f"before {what}")
    try:
        yield
    finally:  # a lost answer is a boundary too
        border.cross(f"after {what}")


def _path(url: str | None) -> str:
    """Return the path below the account, without the ids."""
    return re.sub(r"\d+", "N", re.sub(r".*/accounts/\d+/", "", urlsplit(url or "").path))
