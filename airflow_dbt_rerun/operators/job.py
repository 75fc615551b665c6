"""Run a dbt Cloud job and heal it when it fails; rerun one failed run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_dbt_rerun.api.endpoints import number
from airflow_dbt_rerun.config.team_signatures import team_signatures
from airflow_dbt_rerun.core.heal.lineage import Marker
from airflow_dbt_rerun.core.heal.modes import action_of, first_in_mode
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.engine.reader import RunReader
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import DbtConfigError
from airflow_dbt_rerun.operators.arguments import check_ids, is_template, read_policy_argument
from airflow_dbt_rerun.operators.base import HealingOperator
from airflow_dbt_rerun.operators.job_base import OneJobOperator

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

REATTACH = ("retry", "always")

XCOM_PLAN = "dbt_rerun_plan"


class DbtCloudJobOperator(OneJobOperator):
    """Runs a dbt Cloud job, watches it, and reruns it by a policy when it ends in Error.

    The task is green if and only if the work is done: by the first run, or by reruns of what had failed. Before
    anything is posted, a run that an earlier try of this task left behind is looked for and taken up again.

    What it does not do: it never edits the job, never reruns what a person cancelled, and never starts a full
    rebuild unless the policy names ``rerun_from_start``.

    Besides these, it has the parameters of :class:`~airflow_dbt_rerun.operators.base.HealingOperator`: ``policy``,
    ``signatures``, ``on_rerun``, ``deferrable``, ``timeout``, ...

    :param job_id: the job to run; or else give all three names.
    :param project_name: the name of its project.
    :param environment_name: the name of its environment.
    :param job_name: the name of the job.
    :param trigger_reason: shown by dbt as the cause of the run; what exceeds 255 characters with our marker is cut.
    :param steps_override: dbt commands to run instead of the job's.
    :param schema_override: schema to build into instead of the target's.
    :param additional_run_config: further fields of dbt's trigger request, for example ``threads_override``.
    :param policy: when to rerun, how, and when to give up; the default policy if not given, None reruns nothing.
    :param reattach: which runs a new try of the task takes up. ``retry``: those of this life, so that a cleared
        task starts afresh and what its earlier life left going is cancelled. ``always``: after a clear, too, a
        run that is going or has failed is taken up; only after a success a cleared task starts afresh.
    :return: the id of the run that finished the work.
    :raises DbtRunFailed: if a rerun cannot heal it; Airflow does not retry this.
    :raises DbtRunExhausted: if it might heal, but the policy's limits are reached. Airflow may retry this: the new
        try resumes the failed run, as often as the policy allows once more.
    :raises DbtRunCancelled: if the run was cancelled and is not to be rerun; Airflow does not retry this.
    :raises DbtRunTimeout: if the work was not over in time.
    :raises DbtRunUnwatchable: if the run could not be read for too long.
    :raises DbtJobUnusableError: if the job is deactivated or gone; Airflow does not retry this.
    :raises DbtApiError: if the API refuses us, for example with a wrong token, a locked account or a full queue.
    """

    template_fields: Sequence[str] = (
        *OneJobOperator.template_fields,
        "trigger_reason",
        "steps_override",
        "schema_override",
        "additional_run_config",
    )

    def __init__(
        self,
        *,
        trigger_reason: str | None = None,
        steps_override: list[str] | None = None,
        schema_override: str | None = None,
        additional_run_config: dict[str, Any] | None = None,
        policy: RerunPolicy | Mapping[str, Any] | str | None = RerunPolicy(),  # noqa: B008 - an immutable value
        reattach: str = "retry",
        **kwargs: Any,
    ) -> None:
        self.trigger_reason = trigger_reason
        self.steps_override = steps_override
        self.schema_override = schema_override
        self.additional_run_config = additional_run_config
        self.reattach = reattach
        super().__init__(policy=policy, **kwargs)

    def _check_arguments(self) -> None:
        super()._check_arguments()
        if self.reattach not in REATTACH:
            raise DbtConfigError(f"reattach is one of {', '.join(REATTACH)}, not {self.reattach!r}")

    def work(self, context: Context) -> Work:
        """Run the job, as this life of this task instance."""
        instance: Any = context["ti"]
        reason = self.trigger_reason or (
            f"Triggered via Apache Airflow by task '{self.task_id}' in the {instance.dag_id} DAG."
        )
        overrides = {
            **(self.additional_run_config or {}),
            "steps_override": self.steps_override,
            "schema_override": self.schema_override,
        }
        given = {name: value for name, value in overrides.items() if value is not None}
        marker, *earlier = markers(instance, retries=self.retries)
        return Work(
            self._job_id(), marker, reason, given, earlier=tuple(earlier), reattach=self.reattach == "always"
        )


class DbtCloudRerunOperator(HealingOperator):
    """Reruns one failed dbt run, whoever started it, and watches the rerun to its end.

    Before anything is started the plan is logged and pushed as XCom ``dbt_rerun_plan``: the failed and the skipped
    steps, the nodes that will run, and why this kind of rerun. A run that is still going is waited for; one that
    succeeded needs nothing. A rerun that exists already, by an earlier try or by a person, is taken up.

    Besides these, it has the parameters of :class:`~airflow_dbt_rerun.operators.base.HealingOperator`.

    :param run_id: the run to rerun.
    :param job_id: instead of ``run_id``: the job whose latest run is to be rerun.
    :param mode: ``from_failure``, ``from_step``, ``from_start`` or ``rebuild_tested``. Where it is impossible, the
        policy's ``fallback`` is taken, and the plan says why.
    :param policy: what to do when the rerun fails, too: rerun it by these rules; nothing if None.
    :param dry_run: make the plan, and start nothing.
    :return: the id of the run that finished the work; in a dry run, the plan.
    :raises DbtConfigError: if the job has no run.
    :raises DbtRunFailed: and the other errors of :class:`DbtCloudJobOperator`.
    """

    template_fields: Sequence[str] = (*HealingOperator.template_fields, "run_id", "job_id", "mode")

    def __init__(
        self,
        *,
        run_id: int | str | None = None,
        job_id: int | str | None = None,
        mode: str = "from_failure",
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        self.run_id = run_id
        self.job_id = job_id
        self.mode = mode
        self.plan_only = dry_run
        super().__init__(**kwargs)

    def _check_arguments(self) -> None:
        super()._check_arguments()
        if (self.run_id is None) == (self.job_id is None):
            raise DbtConfigError("DbtCloudRerunOperator needs run_id or job_id, and not both")
        check_ids(self, "run_id", "job_id")
        if not is_template(self.mode):
            self._checked_mode()

    def _checked_mode(self) -> str:
        try:
            action_of(self.mode)
        except ValueError as error:
            raise DbtConfigError(str(error)) from error
        return self.mode

    def policy_in_force(self) -> RerunPolicy:
        """Rerun the given run in this mode; what comes after it is for the policy to decide."""
        return first_in_mode(self._checked_mode(), read_policy_argument(self.policy))

    def work(self, context: Context) -> Work:
        """Repair the given run, as this life of this task instance."""
        instance: Any = context["ti"]
        run_id = number("run_id", self.run_id) if self.run_id is not None else self._latest_run()
        run = self.hook.get_run(run_id, include_related=())
        reason = f"Rerun via Apache Airflow by task '{self.task_id}' in the {instance.dag_id} DAG."
        return Work(run.job_id, next(markers(instance, retries=self.retries)), reason, of_run=run_id)

    def execute(self, context: Context) -> Any:
        """Plan, then rerun and watch."""
        driver = self._driver(context, team_signatures(self.log))
        plan = driver.plan()
        for line in plan.lines():
            self.log.info("%s", line)
        told = plan.to_dict()
        context["ti"].xcom_push(key=XCOM_PLAN, value=told)
        return told if self.plan_only else super().execute(context)

    def _latest_run(self) -> int:
        """Find the job's latest run, or, if that is a rerun, the run that it repairs."""
        job_id = number("job_id", self.job_id or 0)
        root = RunReader(self.hook.client, pace=self._pace(), log=self.log).root_of_latest(job_id)
        if root is None:
            raise DbtConfigError(f"job {job_id} has no run that could be rerun")
        return root


def markers(instance: Any, *, retries: int | None) -> Iterator[Marker]:
    """Mark the work of one life of one task instance; then that of each earlier life, the newest first.

    An Airflow retry goes on with the same life; a clear begins a new one. Airflow raises ``max_tries`` on a clear
    only, so what exceeds the task's own ``retries`` tells the life.
    """
    life = int(getattr(instance, "max_tries", 0) or 0) - int(retries or 0)
    who = (instance.dag_id, instance.run_id, instance.task_id, instance.map_index)
    yield Marker.of(*who, life)
    yield from (Marker.of(*who, earlier) for earlier in range(life - 1, -1, -1))
