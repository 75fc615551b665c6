"""Base class of tasks about one job, which is named by its id or by three names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from airflow_dbt_rerun.api.job_lookup import find_job_id
from airflow_dbt_rerun.config.arguments import Takes
from airflow_dbt_rerun.exceptions import DbtConfigError
from airflow_dbt_rerun.operators.arguments import required_id
from airflow_dbt_rerun.operators.base import HealingOperator
from airflow_dbt_rerun.operators.takes import ONE_JOB


class OneJobOperator(HealingOperator):
    """Resolve the one job that a task is about. A base class, not for use by itself.

    :param job_id: the job. Alternatively, pass all three names.
    :param project_name: the name of its project.
    :param environment_name: the name of its environment.
    :param job_name: the name of the job.
    """

    takes: ClassVar[Takes] = ONE_JOB
    template_fields: Sequence[str] = (
        *HealingOperator.template_fields,
        "job_id",
        "project_name",
        "environment_name",
        "job_name",
    )

    def __init__(
        self,
        *,
        job_id: int | str | None = None,
        project_name: str | None = None,
        environment_name: str | None = None,
        job_name: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.job_id = job_id
        self.project_name = project_name
        self.environment_name = environment_name
        self.job_name = job_name
        super().__init__(**kwargs)

    def _check_arguments(self) -> None:
        super()._check_arguments()
        if self.job_id is not None and self.job_name:
            raise DbtConfigError(f"{type(self).__name__} takes job_id or job_name, not both: job_id decides alone")
        if self.job_id is None and not all((self.project_name, self.environment_name, self.job_name)):
            raise DbtConfigError(
                f"{type(self).__name__} needs job_id, or all of project_name, environment_name and job_name"
            )

    def _job_id(self) -> int:
        names = (self.project_name, self.environment_name, self.job_name)
        if self.job_id is not None or None in names:
            return required_id("job_id", self.job_id)
        return find_job_id(
            self.hook.client,
            project_name=str(self.project_name),
            environment_name=str(self.environment_name),
            job_name=str(self.job_name),
        )
