"""Keep what was read in a folder, so that a second policy needs no request. One folder holds one account.

Each file is written whole and then moved to its name: an interrupted backtest leaves complete files, and goes on
with them.
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from airflow_dbt_rerun.exceptions import DbtConfigError

VERSION = 1
ACCOUNT = "account.json"


class Cache(Protocol):
    """Where to keep what was read, by name."""

    def load(self, name: str) -> dict[str, Any] | None:
        """Return what was kept, or None."""

    def save(self, name: str, data: Mapping[str, Any]) -> None:
        """Keep a JSON object."""


class NoCache:
    """Keep nothing."""

    def load(self, name: str) -> dict[str, Any] | None:  # noqa: ARG002
        """Return None."""
        return None

    def save(self, name: str, data: Mapping[str, Any]) -> None:
        """Do nothing."""


class FolderCache:
    """Keep compressed JSON files in a folder that only its owner can read: they hold logs.

    :param folder: made if it is missing.
    :param host: the host of the account.
    :raises DbtConfigError: if the folder cannot be written, or holds another account's runs.
    """

    def __init__(self, folder: Path, *, host: str, account_id: int) -> None:
        self._folder = folder
        owner = {"version": VERSION, "host": host, "account_id": account_id}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = _owner(folder / ACCOUNT)
            if found is None:
                self._write(folder / ACCOUNT, json.dumps(owner).encode())
        except OSError as error:
            raise DbtConfigError(
                f"--cache {folder} cannot be used ({error.strerror or error}): name a folder that you can write to"
            ) from error
        if found not in (None, owner):
            raise DbtConfigError(_not_this_one(folder, found, owner))

    def load(self, name: str) -> dict[str, Any] | None:
        """Return what was kept, or None if that is nothing, or damaged: then it is read from dbt again."""
        try:
            data = json.loads(gzip.decompress(self._path(name).read_bytes()))
        except (OSError, EOFError, ValueError, zlib.error):
            return None
        return data if isinstance(data, dict) else None

    def save(self, name: str, data: Mapping[str, Any]) -> None:
        """Keep a JSON object.

        :raises DbtConfigError: if it cannot be written, as on a full disk.
        """
        path = self._path(name)
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            self._write(path, gzip.compress(json.dumps(data, separators=(",", ":")).encode(), compresslevel=5))
        except OSError as error:
            raise DbtConfigError(
                f"--cache {self._folder} cannot be written ({error.strerror or error}): free some space, or name "
                "another folder; what is in it already is used again"
            ) from error

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json.gz"

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".writing-")  # readable by its owner only
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _owner(path: Path) -> object:
    """Return whose runs a folder holds; None if it is a new folder."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        return {}


def _not_this_one(folder: Path, found: object, owner: Mapping[str, Any]) -> str:
    what = found if isinstance(found, dict) else {}
    if "account_id" not in what or what.get("version") != VERSION:
        return f"--cache {folder} holds something else than this version's runs: name an empty folder"
    return (
        f"--cache {folder} holds the runs of account {what['account_id']} of {what.get('host')}, not of account "
        f"{owner['account_id']} of {owner['host']}: name another folder for this account"
    )
