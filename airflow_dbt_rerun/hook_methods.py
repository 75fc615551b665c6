"""The methods of the official provider's hook, for code that was written for it.

Names and parameters are those of ``DbtCloudHook`` in apache-airflow-providers-dbt-cloud 4.11.1. An answer has
``.json()``, ``.text`` and ``.content`` as a response of requests does; an error is raised as a
:class:`~airflow_dbt_rerun.exceptions.DbtApiError`. A list comes as one page that holds all of it.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from airflow_dbt_rerun import testing
from airflow_dbt_rerun.api import endpoints
from airflow_dbt_rerun.api.answers import Answer, as_answer, as_listings, as_one_page
from airflow_dbt_rerun.api.endpoints import Endpoint, Id, Page
from airflow_dbt_rerun.api.job_lookup import find_job_id
from airflow_dbt_rerun.core.dbt.models import Run, RunStatus
from airflow_dbt_rerun.core.diagnosis import diagnose
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.reader import RunReader
from airflow_dbt_rerun.exceptions import DbtConfigError, DbtRunCancelled, DbtRunFailed, DbtRunTimeout

if TYPE_CHECKING:
    from airflow_dbt_rerun.api.client import AsyncDbtClient, DbtClient

_WEEK = 7 * 24 * 60 * 60.0


class OfficialMethods(BaseHook):
    """The official hook's methods. Each takes an ``account_id`` that differs from the connection's."""

    @abstractmethod
    def client_for(self, account_id: Id | None) -> DbtClient:
        """Return the blocking client of an account; None is the hook's own."""

    @abstractmethod
    async def async_client(self, account_id: Id | None = None) -> AsyncDbtClient:
        """Make a client for an event loop."""

    def _ask(self, account_id: Id | None, endpoint: Endpoint[Any]) -> Answer:
        return self.client_for(account_id).send(as_answer(endpoint))

    def _list(self, account_id: Id | None, endpoint: Endpoint[Page[Any]]) -> list[Answer]:
        return [as_one_page(self.client_for(account_id).collect(as_listings(endpoint)))]

    # --- Accounts, projects, environments and jobs

    def get_account(self, account_id: Id | None = None) -> Answer:
        """Read the account."""
        return self._ask(account_id, endpoints.get_account())

    def list_projects(self, account_id: Id | None = None, name_contains: str | None = None) -> list[Answer]:
        """List the account's projects; ``name_contains`` ignores case."""
        return self._list(account_id, endpoints.list_projects(name_contains=name_contains))

    def get_project(self, project_id: Id, account_id: Id | None = None) -> Answer:
        """Read a project."""
        return self._ask(account_id, endpoints.get_project(project_id))

    def list_environments(
        self, project_id: Id, *, name_contains: str | None = None, account_id: Id | None = None
    ) -> list[Answer]:
        """List a project's environments; ``name_contains`` ignores case."""
        return self._list(account_id, endpoints.list_environments(project_id, name_contains=name_contains))

    def get_environment(self, project_id: Id, environment_id: Id, *, account_id: Id | None = None) -> Answer:
        """Read an environment of a project."""
        return self._ask(account_id, endpoints.get_environment(project_id, environment_id))

    def list_jobs(
        self,
        account_id: Id | None = None,
        order_by: str | None = None,
        project_id: Id | None = None,
        environment_id: Id | None = None,
        name_contains: str | None = None,
    ) -> list[Answer]:
        """List the jobs of an account, a project or an environment; ``name_contains`` ignores case."""
        wanted = endpoints.list_jobs(
            project_id=project_id, environment_id=environment_id, name_contains=name_contains, order_by=order_by
        )
        return self._list(account_id, wanted)

    def get_job(self, job_id: Id, account_id: Id | None = None) -> Answer:
        """Read a job's definition."""
        return self._ask(account_id, endpoints.get_job(job_id))

    def get_job_by_name(
        self, *, project_name: str, environment_name: str, job_name: str, account_id: Id | None = None
    ) -> dict[str, Any]:
        """Read the definition of the job with this name in this environment of this project.

        :raises DbtConfigError: if one of the three names matches nothing or several; it lists the candidates.
        """
        client = self.client_for(account_id)
        job_id = find_job_id(
            client, project_name=project_name, environment_name=environment_name, job_name=job_name
        )
        job: dict[str, Any] = self.get_job(job_id, account_id).json()["data"]
        return job

    # --- Runs

    def list_job_runs(
        self,
        account_id: Id | None = None,
        include_related: Sequence[str] | None = None,
        job_definition_id: Id | None = None,
        order_by: str | None = None,
    ) -> list[Answer]:
        """List all runs of the account, or of one job: thousands, in a large account."""
        wanted = endpoints.list_runs(
            job_id=job_definition_id, include_related=include_related or (), order_by=order_by or "id"
        )
        return self._list(account_id, wanted)

    def get_job_runs(self, account_id: Id | None = None, payload: Mapping[str, Any] | None = None) -> Answer:
        """Read one page of runs; ``payload`` holds the query's parameters in dbt's own names."""
        return self._ask(account_id, endpoints.query_runs(payload or {}))

    def get_job_run(
        self, run_id: Id, account_id: Id | None = None, include_related: Sequence[str] | None = None
    ) -> Answer:
        """Read a run. To read it as an object, use :meth:`get_run`."""
        return self._ask(account_id, endpoints.get_run(run_id, include_related=include_related or ()))

    def get_job_run_status(self, run_id: Id, account_id: Id | None = None) -> int:
        """Return the status of a run: see :class:`~airflow_dbt_rerun.core.dbt.models.RunStatus`."""
        return int(self.client_for(account_id).send(endpoints.get_run_state(run_id)).status)

    def wait_for_job_run_status(
        self,
        run_id: Id,
        account_id: Id | None = None,
        expected_statuses: int | Collection[int] = RunStatus.SUCCESS,
        check_interval: float = 60,
        timeout: float = _WEEK,
    ) -> bool:
        """Block until a run has one of these statuses, and return True.

        :param check_interval: seconds between two polls.
        :param timeout: seconds until the error; the run is not cancelled.
        :raises DbtRunFailed: if it ends in another status, after logging why. Airflow does not retry the task.
        :raises DbtRunTimeout: if the time is over.
        """
        expected = (expected_statuses,) if isinstance(expected_statuses, int) else tuple(expected_statuses)
        deadline = time.monotonic() + timeout
        pause = testing.pace_in_force(Pace(check_interval=check_interval)).check_interval
        while (run := self.client_for(account_id).send(endpoints.get_run(run_id))).status not in expected:
            if run.is_terminal:
                self.log_job_run_failure_details(run_id, account_id)
                error = DbtRunCancelled if run.is_cancelled else DbtRunFailed
                raise error(f"dbt run {run.id} has ended: its status is {run.status_name}", run=run)
            if time.monotonic() >= deadline:
                raise DbtRunTimeout(f"dbt run {run.id} is still {run.status_name} after {timeout:g} s", run=run)
            time.sleep(min(pause, max(deadline - time.monotonic(), 0.0)))
        return True

    def log_job_run_failure_details(
        self, run_id: Id, account_id: Id | None = None, job_run: Mapping[str, Any] | None = None
    ) -> None:
        """Log why a run failed: the diagnosis, node by node. It is read from dbt; ``job_run`` is not used."""
        del job_run
        reader = RunReader(self.client_for(account_id), pace=Pace(tolerance=0.0), log=self.log)
        run = reader.read(endpoints.number("run_id", run_id))
        self.log.error("dbt run %s ended with the status %s", run.id, run.status_name)
        for finding in self._findings(reader, run):
            self.log.error("%s", finding)

    def _findings(self, reader: RunReader, run: Run) -> list[str]:
        if not run.is_error:
            return [run.status_message] if run.status_message else []
        return [str(finding) for finding in diagnose(run, reader.results(run)).findings]

    # --- What changes something

    def trigger_job_run(  # noqa: PLR0917 - the official signature
        self,
        job_id: Id,
        cause: str,
        account_id: Id | None = None,
        steps_override: Sequence[str] | None = None,
        schema_override: str | None = None,
        retry_from_failure: bool = False,  # noqa: FBT001, FBT002 - as above
        additional_run_config: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Start a run of a job. The POST is sent once; to start one run in all tries of a task, use the operator.

        :param retry_from_failure: resume the job's latest run instead, if that ended in Error.
        :raises DbtConfigError: if a run that is to be resumed has overrides: dbt takes none then.
        :raises DbtAnswerLostError: if the run may or may not have been started.
        """
        overrides = {
            "steps_override": steps_override,
            "schema_override": schema_override,
            **(additional_run_config or {}),
        }
        latest = self._latest_run(job_id, account_id) if retry_from_failure else None
        if latest is None or not latest.is_error:
            return self._ask(account_id, endpoints.trigger_job(job_id, cause=cause, overrides=overrides))
        if given := sorted(name for name, value in overrides.items() if value is not None):
            raise DbtConfigError(f"a run that is resumed takes no {', '.join(given)}: give no retry_from_failure")
        return self._ask(account_id, endpoints.retry_run(latest.id))

    def _latest_run(self, job_id: Id, account_id: Id | None) -> Run | None:
        page = self.client_for(account_id).send(endpoints.list_runs(job_id=job_id, limit=1))
        return next(iter(page), None)

    def retry_failed_job_run(self, job_id: Id, account_id: Id | None = None) -> Answer:
        """Resume the job's latest run if that failed, else start a new one. :meth:`retry_run` resumes a given one.

        :raises DbtAnswerLostError: if the run may or may not have been started.
        """
        return self._ask(account_id, endpoints.rerun_job(job_id))

    def cancel_job_run(self, run_id: Id, account_id: Id | None = None) -> None:
        """Cancel a run."""
        self._ask(account_id, endpoints.cancel_run(run_id))

    # --- Artifacts

    def list_job_run_artifacts(self, run_id: Id, account_id: Id | None = None, step: int | None = None) -> Answer:
        """List the paths of the artifacts of a step, by its 1-based index, or of the last step."""
        return self._ask(account_id, endpoints.list_artifacts(run_id, step=step))

    def get_job_run_artifact(
        self, run_id: Id, path: str, account_id: Id | None = None, step: int | None = None
    ) -> Answer:
        """Fetch one artifact, such as ``manifest.json``, of a step or of the last one."""
        return self._ask(account_id, endpoints.get_artifact(run_id, path, step=step))

    # --- In an event loop

    async def get_job_run_artifacts_concurrently(
        self, run_id: Id, artifacts: Sequence[str], account_id: Id | None = None, step: int | None = None
    ) -> dict[str, Any]:
        """Fetch several JSON artifacts at once, by their paths."""
        async with await self.async_client(account_id) as client:
            asked = (client.send(endpoints.get_json_artifact(run_id, path, step=step)) for path in artifacts)
            return dict(zip(artifacts, await asyncio.gather(*asked), strict=True))

    async def get_job_details(
        self, run_id: Id, account_id: Id | None = None, include_related: Sequence[str] | None = None
    ) -> Any:
        """Read a run, decoded from JSON: the run itself is in ``["data"]``."""
        endpoint = as_answer(endpoints.get_run(run_id, include_related=include_related or ()))
        async with await self.async_client(account_id) as client:
            return (await client.send(endpoint)).json()

    async def get_job_status(
        self, run_id: Id, account_id: Id | None = None, include_related: Sequence[str] | None = None
    ) -> int:
        """Return the status of a run; ``include_related`` is not used."""
        del include_related
        async with await self.async_client(account_id) as client:
            return int((await client.send(endpoints.get_run_state(run_id))).status)
