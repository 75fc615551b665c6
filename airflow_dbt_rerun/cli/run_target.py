"""A run on the command line: its id, or the address that the browser shows for it."""

from __future__ import annotations

import argparse
import re
from typing import NamedTuple
from urllib.parse import urlsplit

_PATH = re.compile(
    r"/(?:api/v\d|deploy|#)?/?(?:accounts/)?(?P<account>\d{1,19})/(?:projects/\d{1,19}/)?runs/(?P<run>\d{1,19})(?:/.*)?"
)
"""``/deploy/1/projects/2/runs/3/``, ``/#/accounts/1/projects/2/runs/3/`` (old), ``/api/v2/accounts/1/runs/3/``."""


class RunTarget(NamedTuple):
    """A run, and where it is, if the user gave its address."""

    run_id: int
    host: str | None = None
    account_id: int | None = None

    def foreign(self, host: str, account_id: int, conn_id: str) -> str | None:
        """Return why a connection cannot read this run, and what to do; None if it can.

        :param host: the connection's host and port.
        """
        if self.host is not None and self.host != _without_default_port(host):
            return (
                f"the run is on {self.host}, but the connection {conn_id!r} is one to {host}: "
                "give the connection of that host with --conn-id"
            )
        if self.account_id is not None and self.account_id != account_id:
            return (
                f"the run is in account {self.account_id}, but the connection {conn_id!r} is one to account "
                f"{account_id}: give --account-id {self.account_id}, or another --conn-id"
            )
        return None


def is_run(text: str) -> bool:
    """Return whether a target is a run, and not a file."""
    return _is_id(text) or text.startswith(("https://", "http://"))


def run_target(text: str) -> RunTarget:
    """Read a run's id or address, for argparse."""
    if _is_id(text) and int(text):
        return RunTarget(int(text))
    if _is_id(text) or not is_run(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a run: give its id, a number above zero, or its address")
    url = urlsplit(text)
    found = _PATH.fullmatch(url.path.rstrip("/") + (f"/#{url.fragment}" if "/runs/" in url.fragment else ""))
    if not found or not url.hostname or not int(found["run"]):
        raise argparse.ArgumentTypeError(
            f"{_shown(text)} is not the address of a run, such as https://HOST/deploy/ACCOUNT/projects/N/runs/RUN_ID/"
        )
    return RunTarget(int(found["run"]), _without_default_port(url.netloc.rpartition("@")[2]), int(found["account"]))


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _shown(text: str) -> str:
    """Return an address without what may be a secret: user, password, query."""
    url = urlsplit(text)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"[:200]


def _without_default_port(netloc: str) -> str:
    return netloc.lower().removesuffix(":443")
