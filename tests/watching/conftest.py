"""The scripted server of the client's tests, for those who watch through it."""

from tests.api.conftest import server, settings

__all__ = ["server", "settings"]
