"""A database and a Redis number of one's own, on the servers of this machine; nothing of them stays."""

from __future__ import annotations

import importlib.util
import socket
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

HOST = "127.0.0.1"
POSTGRES, REDIS = 5432, 6379
REDIS_NUMBERS = range(15, 0, -1)
"""Of the databases that Redis has by default; 0 is what others use without thinking."""

MODULES = ("airflow.providers.celery", "asyncpg", "psycopg2", "redis")


def missing() -> str | None:
    """Say what is not there, if anything."""
    if any(not _can_be_imported(module) for module in MODULES):
        return "the packages of the group `bench` are not installed: `make bench-stack` does that"
    for name, port in (("PostgreSQL", POSTGRES), ("Redis", REDIS)):
        with socket.socket() as server:
            if server.connect_ex((HOST, port)) != 0:
                return f"there is no {name} server on {HOST}:{port}"
    return None


def _can_be_imported(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even its parent
        return False


class Database:
    """A database of its own, dropped at the end."""

    def __init__(self, name: str) -> None:
        self.url = f"postgresql+psycopg2://postgres@{HOST}:{POSTGRES}/{name}"
        self._connection = _connect(name)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask for rows."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            found: list[tuple[Any, ...]] = cursor.fetchall()
            return found

    def value(self, query: str, *values: object) -> Any:
        """Ask for one value; None if there is no row."""
        rows = self.rows(query, *values)
        return rows[0][0] if rows else None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def own_database() -> Iterator[Database]:
    """Create a database for a while."""
    name = f"airflow_dbt_rerun_{uuid.uuid4().hex}"
    _administer(f"create database {name}")
    try:
        with closing(Database(name)) as database:
            yield database
    finally:
        _administer(f"drop database {name} with (force)")


def _administer(statement: str) -> None:
    with closing(_connect("postgres")) as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def _connect(name: str) -> Any:
    import psycopg2  # noqa: PLC0415 - in the group `bench` only

    connection = psycopg2.connect(host=HOST, port=POSTGRES, user="postgres", dbname=name)
    connection.autocommit = True
    return connection


@contextmanager
def own_redis() -> Iterator[str]:
    """Use an empty Redis database for a while; give its URL.

    :raises SystemExit: if all are in use
    """
    from redis import Redis  # noqa: PLC0415 - in the group `bench` only

    for number in REDIS_NUMBERS:
        with Redis(HOST, REDIS, db=number) as server:
            if server.dbsize() == 0:
                try:
                    yield f"redis://{HOST}:{REDIS}/{number}"
                finally:
                    server.flushdb()
                return
    raise SystemExit("no database of Redis is empty")
