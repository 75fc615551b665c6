"""The routes of jobs."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_dbt_rerun.local.faults.incidents import check_may_start
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.create_runs import NotRetryableError, rerun, trigger
from airflow_dbt_rerun.local.runs.lifecycle import RunLifecycle
from airflow_dbt_rerun.local.runs.records import JobRecord, RunRecord
from airflow_dbt_rerun.local.runs.store import ACTIVE, DELETED
from airflow_dbt_rerun.local.server.envelope import Refusal, not_found, success
from airflow_dbt_rerun.local.server.queries import (
    JOB_FILTERS,
    JOB_ORDERS,
    JOB_STATES,
    read_included,
    read_list_query,
)
from airflow_dbt_rerun.local.server.request_bodies import read_job, read_trigger
from airflow_dbt_rerun.local.server.response_bodies import ON_POST, job_json, run_json
from airflow_dbt_rerun.local.server.run_routes import find_artifact, send_artifact


class JobRoutes:
    """The routes below ``jobs/``."""

    def __init__(self, platform: Platform, lifecycle: RunLifecycle) -> None:
        self._platform = platform
        self._lifecycle = lifecycle

    def below(self, account: str) -> list[Route]:
        """Return the routes below an account's path."""
        job = account + "/jobs/{job_id:int}"
        return [
            Route(account + "/jobs", self.list, methods=["GET"]),
            Route(account + "/jobs", self.create, methods=["POST"]),
            Route(job, self.get, methods=["GET"]),
            Route(job, self.update, methods=["POST"]),
            Route(job, self.delete, methods=["DELETE"]),
            Route(job + "/run", self.run, methods=["POST"]),
            Route(job + "/rerun", self.rerun, methods=["POST"]),
            Route(job + "/artifacts/{path:path}", self.artifact, methods=["GET"]),
        ]

    async def list(self, request: Request) -> Response:
        """Answer with a page of jobs."""
        query = read_list_query(
            request.query_params,
            self._platform.account.id,
            filters=JOB_FILTERS,
            states=JOB_STATES,
            orders=JOB_ORDERS,
        )
        jobs, total = self._platform.store.jobs(query.row_filter)
        include = read_included(request.query_params)
        return success(
            [job_json(self._platform, job, include) for job in jobs], extra=query.as_extra(len(jobs), total)
        )

    async def get(self, request: Request) -> Response:
        """Answer with one job."""
        shows_deleted = self._platform.behaviour.deleted_job_status == 200  # noqa: PLR2004 - HTTP status
        return self._answer(self._job(request, deleted=shows_deleted), request)

    async def create(self, request: Request) -> Response:
        """Create a job."""
        definition = await read_job(request)
        if not definition.get("name"):
            raise Refusal(400, "name: This field is required.")
        return self._answer(self._platform.store.add_job(definition["name"], definition), request)

    async def update(self, request: Request) -> Response:
        """Change the given settings of a job; the others stay."""
        job = self._job(request)
        definition = await read_job(request)
        state = definition.get("state", ACTIVE)
        return self._answer(self._platform.store.update_job(job.id, definition, state=state), request)

    async def delete(self, request: Request) -> Response:
        """Delete a job; its runs remain."""
        self._platform.store.update_job(self._job(request).id, {}, state=DELETED)
        return Response(status_code=204)

    async def run(self, request: Request) -> Response:
        """Run a job."""
        job = self._job(request)
        cause, overrides = await read_trigger(request)
        check_may_start(self._platform, job)
        return self._submit(trigger(self._platform, job, cause, overrides))

    async def rerun(self, request: Request) -> Response:
        """Resume the job's newest run if it failed, else run the job."""
        job = self._job(request)
        check_may_start(self._platform, job)
        try:
            run = rerun(self._platform, job)
        except NotRetryableError as error:
            raise Refusal(self._platform.behaviour.refused_retry_status, str(error)) from error
        return self._submit(run)

    async def artifact(self, request: Request) -> Response:
        """Answer with an artifact of the latest successful run that has it."""
        path = request.path_params["path"]
        for run in self._platform.store.successful_runs(self._job(request).id):
            content = find_artifact(self._platform, run, path)
            if content is not None:
                return send_artifact(path, content)
        raise not_found()

    def _submit(self, run: RunRecord) -> Response:
        self._lifecycle.submit(run)
        return success(run_json(self._platform, run, ON_POST))

    def _answer(self, job: JobRecord, request: Request) -> Response:
        return success(job_json(self._platform, job, read_included(request.query_params)))

    def _job(self, request: Request, *, deleted: bool = False) -> JobRecord:
        try:
            job = self._platform.store.job(request.path_params["job_id"])
        except KeyError as error:
            raise not_found() from error
        if job.state == DELETED and not deleted:
            raise not_found()
        return job
