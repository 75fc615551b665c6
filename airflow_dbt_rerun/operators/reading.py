"""Operators that only read, by the official names and arguments: list jobs and runs, and fetch an artifact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_dbt_rerun.api.answers import as_listings
from airflow_dbt_rerun.api.endpoints import get_artifact, list_jobs, list_runs
from airflow_dbt_rerun.config.arguments import Takes
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from airflow_dbt_rerun.operators.arguments import CheckedArguments, required_id
from airflow_dbt_rerun.operators.takes import ARTIFACT, LIST_JOBS, LIST_RUNS

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class ReadingOperator(CheckedArguments, BaseOperator):
    """Read from dbt. A base class, not for use by itself.

    :param dbt_cloud_conn_id: a connection of the official dbt Cloud layout.
    :param account_id: the account, if it differs from the connection's.
    :param hook_params: further arguments of :class:`~airflow_dbt_rerun.hooks.DbtCloudRerunHook`.
    """

    template_fields: Sequence[str] = ("dbt_cloud_conn_id", "account_id")
    ui_color = "#ff694a"

    def __init__(
        self,
        *,
        dbt_cloud_conn_id: str = DbtCloudRerunHook.default_conn_name,
        account_id: int | str | None = None,
        hook_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dbt_cloud_conn_id = dbt_cloud_conn_id
        self.account_id = account_id
        self.hook_params = hook_params
        self._check_arguments()

    @cached_property
    def hook(self) -> DbtCloudRerunHook:
        """The hook of this task's connection."""
        return DbtCloudRerunHook(self.dbt_cloud_conn_id, self.account_id, **(self.hook_params or {}))


class DbtCloudListJobsOperator(ReadingOperator):
    """List the jobs of an account, or of one of its projects.

    It also has the parameters of :class:`ReadingOperator`.

    :param project_id: list only the jobs of this project.
    :param order_by: the field to order by, with ``-`` in front for descending order.
    :return: the ids of the jobs.
    """

    takes: ClassVar[Takes] = LIST_JOBS
    template_fields: Sequence[str] = (*ReadingOperator.template_fields, "project_id")

    def __init__(self, *, project_id: int | str | None = None, order_by: str | None = None, **kwargs: Any) -> None:
        self.project_id = project_id
        self.order_by = order_by
        super().__init__(**kwargs)

    def execute(self, context: Context) -> list[int]:  # noqa: ARG002 - Airflow's signature
        """List the jobs."""
        self._read_arguments()
        found = self.hook.client.collect(list_jobs(project_id=self.project_id, order_by=self.order_by))
        jobs = [job.id for job in found]
        self.log.info("Found %d jobs: %s", len(jobs), ", ".join(map(str, jobs)))
        return jobs


class DbtCloudListJobRunsOperator(ReadingOperator):
    """List the runs of an account, or of one job: as dbt describes them, so mind the size of the XCom.

    The statuses are filtered by dbt, and ``latest_only`` reads one run only.

    It also has the parameters of :class:`ReadingOperator`.

    :param job_id: list only the runs of this job.
    :param order_by: the field to order by, with ``-`` in front for descending order. Defaults to ``id`` or, with
        ``latest_only``, to ``-created_at``.
    :param include_related: what to include of each run: ``trigger``, ``job``, ``environment``, ...
    :param latest_only: return the first run only, or None if there is none.
    :param status_filter: one status or several, as numbers: 1, 2 and 3 until it ends, then 10 (success), 20 (error)
        or 30 (cancelled).
    :return: the runs, each a dict.
    """

    takes: ClassVar[Takes] = LIST_RUNS
    template_fields: Sequence[str] = (*ReadingOperator.template_fields, "job_id", "order_by", "include_related")

    def __init__(
        self,
        *,
        job_id: int | str | None = None,
        order_by: str | None = None,
        include_related: Sequence[str] | None = None,
        latest_only: bool = False,
        status_filter: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        self.job_id = job_id
        self.order_by = order_by
        self.include_related = include_related
        self.latest_only = latest_only
        self.status_filter = status_filter
        super().__init__(**kwargs)

    def execute(self, context: Context) -> list[dict[str, Any]] | dict[str, Any] | None:  # noqa: ARG002 - as above
        """List the runs."""
        self._read_arguments()
        wanted: Mapping[str, Any] = {
            "job_id": self.job_id,
            "status_in": self.status_filter,
            "include_related": self.include_related or (),
            "order_by": self.order_by or ("-created_at" if self.latest_only else "id"),
        }
        client = self.hook.client
        if self.latest_only:
            page = client.send(as_listings(list_runs(**wanted, limit=1)))
            latest = next(iter(page), None)
            self.log.info("The latest run: %s", latest.id if latest else "there is none")
            return dict(latest.data) if latest else None
        runs = [dict(run.data) for run in client.collect(as_listings(list_runs(**wanted)))]
        self.log.info("Found %d runs", len(runs))
        return runs


class DbtCloudGetJobRunArtifactOperator(ReadingOperator):
    """Download one artifact of a run into a file, on the worker that runs this task.

    It also has the parameters of :class:`ReadingOperator`.

    :param run_id: the run.
    :param path: the artifact below ``target/``, for example ``run_results.json`` or ``manifest.json``.
    :param step: the 1-based index of the step; by default the last one.
    :param output_file_name: the file to write; its folders are made. Defaults to run id and path, for example
        ``728368_run_results.json``.
    :return: the name of the file.
    :raises DbtNotFoundError: if the run has no such artifact.
    """

    takes: ClassVar[Takes] = ARTIFACT
    template_fields: Sequence[str] = (*ReadingOperator.template_fields, "run_id", "path", "output_file_name")

    def __init__(
        self,
        *,
        run_id: int | str,
        path: str,
        step: int | None = None,
        output_file_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.run_id = run_id
        self.path = path
        self.step = step
        self.output_file_name = output_file_name
        super().__init__(**kwargs)

    def execute(self, context: Context) -> str:  # noqa: ARG002 - as above
        """Fetch the artifact and write the file."""
        self._read_arguments()
        run_id = required_id("run_id", self.run_id)
        content = self.hook.send(get_artifact(run_id, self.path, step=self.step))
        name = self.output_file_name or f"{run_id}_{self.path}".replace("/", "-")
        file = Path(name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.log.info("Wrote %s of dbt run %s to %s", self.path, run_id, name)
        return name
