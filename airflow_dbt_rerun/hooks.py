"""The hook: makes clients of the dbt API from an Airflow connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.providers.common.compat.connection import get_async_connection
from airflow.providers.common.compat.sdk import Connection

from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.endpoints import Endpoint
from airflow_dbt_rerun.api.endpoints import Id as AnyId
from airflow_dbt_rerun.api.retries import NO_RETRIES, Retries
from airflow_dbt_rerun.api.settings import Settings, settings_from
from airflow_dbt_rerun.config.argument_kinds import SECONDS, Fields, Id, Replaced
from airflow_dbt_rerun.config.arguments import Takes, checked
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.policy.arguments import Number, OrNone, Text
from airflow_dbt_rerun.exceptions import (
    DbtApiError,
    DbtBadAnswerError,
    DbtForbiddenError,
    DbtNotFoundError,
    DbtRerunError,
    DbtUnauthorizedError,
)
from airflow_dbt_rerun.hook_methods import OfficialMethods
from airflow_dbt_rerun.provider_info import INTEGRATION, UI_FIELD_BEHAVIOUR

if TYPE_CHECKING:
    from airflow_dbt_rerun.api.client import AsyncDbtClient, DbtClient

T = TypeVar("T")

_PARAMS: Takes = {
    "timeout_seconds": OrNone(SECONDS),
    "retry_limit": Number(least=1, whole=True),
    "retry_delay": Number(least=0, unit="seconds"),
    "retry_total": Number(least=0, unit="seconds"),
    "retry_args": Replaced((None,), "give retry_limit, retry_delay and retry_total"),
}

HOOK_PARAMS = Fields("argument", _PARAMS, {"retry_limit": 3})
"""What ``hook_params`` of tasks and triggers takes."""


class DbtCloudRerunHook(OfficialMethods):
    """Connect to the dbt platform, by any connection of the official dbt Cloud layout, whatever its type.

    The connection is read at the first request. Besides its own methods, which return objects, the hook has those
    of the official hook (:class:`~airflow_dbt_rerun.hook_methods.OfficialMethods`).

    :param dbt_cloud_conn_id: the connection: host = access URL, login = account id, password = API token.
    :param account_id: the account, if it differs from the connection's.
    :param timeout_seconds: seconds to connect, and seconds of silence while waiting for an answer. Defaults to
        ``timeout`` in the connection's extra, or 30.
    :param retry_limit: tries of one request, including the first. A POST is always sent once.
    :param retry_delay: seconds before the second try of a request, doubled each time.
    :param retry_total: seconds after the first try within which the last try of a request may start.
    :param retry_args: tenacity's arguments, in the official hook; here the three above stand for them.
    :raises DbtConfigError: if an argument is wrong, naming it.
    """

    conn_name_attr = "dbt_cloud_conn_id"
    default_conn_name = "dbt_cloud_default"
    conn_type = "dbt_rerun"
    hook_name = INTEGRATION

    takes: ClassVar[Takes] = {"dbt_cloud_conn_id": Text(), "account_id": OrNone(Id()), **_PARAMS}

    def __init__(
        self,
        dbt_cloud_conn_id: str = default_conn_name,
        account_id: int | str | None = None,
        *,
        timeout_seconds: float | None = None,
        retry_limit: int = Retries.limit,
        retry_delay: float = Retries.delay,
        retry_total: float = Retries.total,
        retry_args: None = None,
    ) -> None:
        super().__init__()
        self.dbt_cloud_conn_id = self._checked("dbt_cloud_conn_id", dbt_cloud_conn_id)
        self.account_id = self._checked("account_id", None if account_id == "" else account_id)
        self._checked("retry_args", retry_args)
        self.timeout_seconds = self._checked("timeout_seconds", timeout_seconds)
        self.retries = Retries(
            limit=self._checked("retry_limit", retry_limit),
            delay=self._checked("retry_delay", retry_delay),
            total=self._checked("retry_total", retry_total),
        )
        self._others: dict[int, DbtClient] = {}

    def _checked(self, name: str, value: object) -> Any:
        return checked(name, self.takes[name], value)

    def get_conn(self) -> DbtClient:
        """Return :attr:`client`."""
        return self.client

    @cached_property
    def client(self) -> DbtClient:
        """The blocking client, for workers. In an event loop, use :meth:`async_client`.

        :raises DbtConfigError: if the connection is not usable, naming the field.
        """
        return self._blocking_client(self.retries)

    def client_for(self, account_id: AnyId | None) -> DbtClient:
        """Return the blocking client of an account; None is the connection's, or that of the hook's argument.

        :raises DbtConfigError: if the connection is not usable, naming the field.
        """
        wanted = self._checked("account_id", account_id)
        if wanted in (None, self.account_id):
            return self.client
        if wanted not in self._others:
            self._others[wanted] = self._blocking_client(self.retries, wanted)
        return self._others[wanted]

    async def async_client(self, account_id: AnyId | None = None) -> AsyncDbtClient:
        """Make a client for an event loop: ``async with await hook.async_client() as client``.

        :param account_id: the account, if it differs from the hook's.
        :raises DbtConfigError: if the connection is not usable, naming the field.
        """
        # The first import takes longer than the triggerer's watchdog lets a trigger block the event loop.
        await asyncio.to_thread(import_module, "airflow_dbt_rerun.api.client")
        from airflow_dbt_rerun.api.client import AsyncDbtClient  # noqa: PLC0415 - see _blocking_client

        connection = await get_async_connection(self.dbt_cloud_conn_id)
        return AsyncDbtClient(self._settings(connection, account_id), self.retries)

    def _blocking_client(self, retries: Retries, account_id: AnyId | None = None) -> DbtClient:
        # Importing requests and aiohttp would dominate the time to parse a DAG file, which sends no request.
        from airflow_dbt_rerun.api.client import DbtClient  # noqa: PLC0415

        return DbtClient(self._settings(self.get_connection(self.dbt_cloud_conn_id), account_id), retries)

    def _settings(self, connection: Connection, account_id: AnyId | None = None) -> Settings:
        wanted = self._checked("account_id", account_id) or self.account_id
        return settings_from(connection, account_id=wanted, timeout=self.timeout_seconds)

    def send(self, endpoint: Endpoint[T]) -> T:
        """Send any endpoint of :mod:`airflow_dbt_rerun.api.endpoints` and return the parsed answer.

        :raises DbtApiError: the subclass for the failure.
        """
        return self.client.send(endpoint)

    def get_run(self, run_id: AnyId, *, include_related: Sequence[str] = endpoints.FULL_RUN) -> Run:
        """Read a run, with its steps, trigger, job and audit."""
        return self.send(endpoints.get_run(run_id, include_related=include_related))

    def trigger_job(self, job_id: AnyId, *, cause: str, overrides: Mapping[str, Any] | None = None) -> Run:
        """Start a run of a job.

        :raises DbtAnswerLostError: if the run may or may not have been started.
        """
        return self.send(endpoints.trigger_job(job_id, cause=cause, overrides=overrides))

    def retry_run(self, run_id: AnyId) -> Run:
        """Resume a failed run from its point of failure and return the new run.

        :raises DbtRefusedError: if the platform refuses to resume this run.
        :raises DbtAnswerLostError: if the new run may or may not have been started.
        """
        return self.send(endpoints.retry_run(run_id))

    def cancel_run(self, run_id: AnyId) -> Run:
        """Cancel a run."""
        return self.send(endpoints.cancel_run(run_id))

    def get_artifact(self, run_id: AnyId, path: str, *, step: int | None = None) -> bytes:
        """Fetch one artifact, such as ``manifest.json``, of the step with this 1-based index, or of the last."""
        return self.send(endpoints.get_artifact(run_id, path, step=step))

    def test_connection(self) -> tuple[bool, str]:
        """Check token, account and jobs, one by one, and report which of them fails."""
        try:
            with self._blocking_client(NO_RETRIES) as client:
                return _check_access(client)
        except DbtRerunError as error:
            return False, str(error)

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Return the connection form for Airflow 2, which spells the keys with underscores."""
        return {name.replace("-", "_"): value for name, value in UI_FIELD_BEHAVIOUR.items()}


def _check_access(client: DbtClient) -> tuple[bool, str]:
    account = f"account {client.settings.account_id}"
    try:
        client.send(endpoints.get_account())
        account_seen = f"{account} reachable"
    except DbtApiError as error:
        if _is_not_dbt(error):
            return False, _not_dbt(client, error)
        if isinstance(error, DbtUnauthorizedError):
            return False, f"token refused: {error}"
        if not isinstance(error, (DbtForbiddenError, DbtNotFoundError)):
            raise
        # A service token may run jobs without permission to read the account: the jobs decide.
        account_seen = f"{account} not readable"
    try:
        jobs = client.send(endpoints.list_jobs(limit=1))
    except DbtApiError as error:
        if _is_not_dbt(error):
            return False, _not_dbt(client, error)
        return False, f"token accepted; {account_seen}; jobs not readable: {error}"
    return True, f"token accepted; {account_seen}; {jobs.total or len(jobs)} jobs visible"


def _is_not_dbt(error: DbtApiError) -> bool:
    """Return whether an answer has not the form of dbt's: each refusal of dbt has a message in its envelope."""
    refused = error.status_code is not None and 400 <= error.status_code < 500  # noqa: PLR2004 - HTTP's own numbers
    return isinstance(error, DbtBadAnswerError) or (refused and error.user_message is None)


def _not_dbt(client: DbtClient, error: DbtApiError) -> str:
    return (
        f"{client.settings.host} answers, but not as dbt does: compare it with the access URL in dbt's account "
        f"settings, such as abc12.us1.dbt.com ({error})"
    )


def connection_key(
    dbt_cloud_conn_id: str, account_id: int | str | None, hook_params: Mapping[str, Any] | None
) -> Hashable:
    """Return the key under which triggers share a session and the pause after a 429."""
    account = None if account_id is None else str(account_id)
    params = json.dumps(hook_params, sort_keys=True, default=str) if hook_params else None
    return dbt_cloud_conn_id, account, params
