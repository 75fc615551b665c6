"""The routes of runs, their steps and their artifacts."""

from __future__ import annotations

import mimetypes

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_dbt_rerun.local.account import ACTOR_HEADER, USER_NAME
from airflow_dbt_rerun.local.faults.incidents import check_may_start
from airflow_dbt_rerun.local.platform import Platform
from airflow_dbt_rerun.local.runs.create_runs import NotRetryableError, retry
from airflow_dbt_rerun.local.runs.lifecycle import RunLifecycle
from airflow_dbt_rerun.local.runs.records import RunRecord
from airflow_dbt_rerun.local.runs.retry_rules import DOCS, find_failed_step
from airflow_dbt_rerun.local.server.envelope import Refusal, not_found, success
from airflow_dbt_rerun.local.server.queries import (
    RUN_FILTERS,
    RUN_ORDERS,
    RUN_STATES,
    read_included,
    read_list_query,
    read_number,
)
from airflow_dbt_rerun.local.server.response_bodies import ON_POST, run_json, step_json

_IN_LIST = frozenset({"trigger", "job", "audit", "debug_logs"})
"""The related objects that a list can include; steps are not among them, as on dbt's platform."""


class RunRoutes:
    """The routes below ``runs/`` and ``steps/``."""

    def __init__(self, platform: Platform, lifecycle: RunLifecycle) -> None:
        self._platform = platform
        self._lifecycle = lifecycle

    def below(self, account: str) -> list[Route]:
        """Return the routes below an account's path."""
        run = account + "/runs/{run_id:int}"
        return [
            Route(run, self.get, methods=["GET"]),
            Route(account + "/runs", self.list, methods=["GET"]),
            Route(run + "/retry", self.retry_details, methods=["GET"]),
            Route(run + "/retry", self.retry, methods=["POST"]),
            Route(run + "/cancel", self.cancel, methods=["POST"]),
            Route(run + "/artifacts", self.artifacts, methods=["GET"]),
            Route(run + "/artifacts/{path:path}", self.artifact, methods=["GET"]),
            Route(account + "/steps/{step_id:int}", self.step, methods=["GET"]),
        ]

    async def get(self, request: Request) -> Response:
        """Answer with one run."""
        return success(run_json(self._platform, self._run(request), read_included(request.query_params)))

    async def list(self, request: Request) -> Response:
        """Answer with a page of runs."""
        filters = dict(RUN_FILTERS)
        if not self._platform.behaviour.pk_in_understood:
            del filters["pk__in"]
        query = read_list_query(
            request.query_params,
            self._platform.account.id,
            filters=filters,
            states=RUN_STATES,
            orders=RUN_ORDERS,
        )
        runs, total = self._platform.store.runs(query.row_filter)
        include = read_included(request.query_params) & _IN_LIST
        return success(
            [run_json(self._platform, run, include) for run in runs], extra=query.as_extra(len(runs), total)
        )

    async def retry_details(self, request: Request) -> Response:
        """Answer with the commands that a retry would run."""
        run = self._run(request)
        failed = find_failed_step(self._platform.store, run)
        if failed is None:
            raise Refusal(self._platform.behaviour.refused_retry_status, "This run has no failed step.")
        named = self._platform.behaviour.retry_details == "names"
        command = failed.step.command
        skipped = [*failed.skipped, *([DOCS] if run.docs else [])]
        return success(
            {
                "failed_step": failed.step.name if named or command is None else command,
                "skipped_steps": [f"Invoke dbt with `{text}`" if named else text for text in skipped],
            }
        )

    async def retry(self, request: Request) -> Response:
        """Resume a failed run."""
        failed = self._run(request)
        check_may_start(self._platform, self._platform.store.job(failed.job_id))
        try:
            run = retry(self._platform, failed)
        except NotRetryableError as error:
            raise Refusal(self._platform.behaviour.refused_retry_status, str(error)) from error
        self._lifecycle.submit(run)
        return success(run_json(self._platform, run, ON_POST))

    async def cancel(self, request: Request) -> Response:
        """Cancel a run; no effect on a complete run."""
        run = self._run(request)
        self._lifecycle.cancel(run, request.headers.get(ACTOR_HEADER, USER_NAME))
        return success(run_json(self._platform, self._platform.store.run(run.id), ON_POST))

    async def artifacts(self, request: Request) -> Response:
        """Answer with the paths of the last step's artifacts, or null if it has none."""
        run = self._run(request)
        steps = self._platform.store.steps(run.id)
        paths = self._platform.step_files(run.id, steps[-1].index).paths() if steps else []
        return success(paths or None)

    async def artifact(self, request: Request) -> Response:
        """Answer with one artifact of the requested step, else of the last step."""
        run = self._run(request)
        step = request.query_params.get("step")
        path = request.path_params["path"]
        content = find_artifact(self._platform, run, path, read_number("step", step) if step else None)
        if content is None:
            raise not_found()
        return send_artifact(path, content)

    async def step(self, request: Request) -> Response:
        """Answer with one step."""
        try:
            step = self._platform.store.step(request.path_params["step_id"])
        except KeyError as error:
            raise not_found() from error
        return success(step_json(self._platform, step, read_included(request.query_params)))

    def _run(self, request: Request) -> RunRecord:
        try:
            return self._platform.store.run(request.path_params["run_id"])
        except KeyError as error:
            raise not_found() from error


def find_artifact(platform: Platform, run: RunRecord, path: str, step: int | None = None) -> bytes | None:
    """Return the content of an artifact of a step, given by its index, else of the last step."""
    if step is None:
        steps = platform.store.steps(run.id)
        step = steps[-1].index if steps else 0
    return platform.step_files(run.id, step).artifact(path)


def send_artifact(path: str, content: bytes) -> Response:
    """Answer with the content of an artifact."""
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Response(content, media_type=kind)
