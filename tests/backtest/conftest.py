"""A local platform with a history of some days, shared by the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import LocalPlatform, local_platform, without_database

DAYS = 20
HISTORY = ("--simulate", "--history", str(DAYS), "--history-jobs", "6", "--history-seed", "3")


@pytest.fixture(scope="session")
def history_place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the platform with a history."""
    return tmp_path_factory.mktemp("history")


@pytest.fixture(scope="session")
def _past(history_place: Path) -> Iterator[LocalPlatform]:
    with local_platform(history_place, *HISTORY, jobs={}) as platform:
        yield platform


@pytest.fixture
def past(_past: LocalPlatform, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalPlatform]:
    """The platform with a history, connected, without faults, and with an empty record of requests."""
    _past.connect(monkeypatch)
    without_database(monkeypatch)
    _past.control("DELETE", "requests")
    yield _past
    _past.control("DELETE", "faults")
