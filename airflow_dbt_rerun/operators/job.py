"""Operators that run and heal a dbt Cloud job, or rerun one failed run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_dbt_rerun.config.arguments import Takes
from airflow_dbt_rerun.config.team_signatures import team_signatures
from airflow_dbt_rerun.core.dbt.fields import one_line
from airflow_dbt_rerun.core.heal.modes import first_in_mode
from airflow_dbt_rerun.core.heal.next_steps import Fail
from airflow_dbt_rerun.core.heal.observations import RunSeen
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.engine.reader import RunReader
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import DbtConfigError
from airflow_dbt_rerun.operators.arguments import required_id
from airflow_dbt_rerun.operators.base import HealingOperator
from airflow_dbt_rerun.operators.job_base import OneJobOperator
from airflow_dbt_rerun.operators.lives import began, markers
from airflow_dbt_rerun.operators.new_request import is_new_request
from airflow_dbt_rerun.operators.run_request import RunRequest, run_request
from airflow_dbt_rerun.operators.takes import JOB, RERUN

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

XCOM_PLAN = "dbt_rerun_plan"


class DbtCloudJobOperator(OneJobOperator):
    """Run a dbt Cloud job, watch it, and rerun it by a policy if it ends in Error.

    The task succeeds if and only if the work is done, by the first run or by reruns of what had failed. Before it
    posts anything, it searches for a run that an earlier try of this task started, and continues with that run.

    It never edits the job, never reruns a run that a person cancelled, and never starts a full rebuild unless the
    policy names ``rerun_from_start``.

    It also has the parameters of :class:`~airflow_dbt_rerun.operators.base.HealingOperator`: ``policy``,
    ``signatures``, ``on_rerun``, ``deferrable``, ``timeout``, ...

    :param job_id: the job to run. Alternatively, pass all three names.
    :param project_name: the name of its project.
    :param environment_name: the name of its environment.
    :param job_name: the name of the job.
    :param trigger_reason: shown by dbt as the cause of the run. Together with our marker it is cut to 255
        characters.
    :param steps_override: dbt commands to run instead of the job's.
    :param schema_override: schema to build into instead of the target's.
    :param additional_run_config: further fields of dbt's trigger request, for example ``threads_override``. A field
        that is an argument, too, may be given in either place; ``cause`` is added to ``trigger_reason``.
    :param policy: when to rerun, how, and when to give up. Defaults to the default policy; None reruns nothing.
    :param reattach: which earlier runs a new try of the task continues. ``retry``: those since the last clear, so
        that a cleared task starts afresh and cancels the run that it left in progress. ``always``: runs from before
        a clear, too, if they are in progress or have failed; after a success, a cleared task starts afresh.
    :param wait_for_termination: False only starts the run, once, and returns its id: the task neither watches nor
        heals it, so ``policy`` and ``timeout`` have no effect. Leave that to a
        :class:`~airflow_dbt_rerun.sensors.run.DbtCloudRunSensor`.
    :param retry_from_failure: the official name for what a policy does, for DAGs that come from there: True needs a
        policy, False needs ``policy=None``.
    :param reuse_existing_run: the official operator's; only False is taken.
    :param openlineage_inject_parent_job_info: the official operator's; only False is taken.
    :return: the id of the run that finished the work.
    :raises DbtRunFailed: if a rerun cannot heal the run; Airflow does not retry this.
    :raises DbtRunExhausted: if a rerun might heal the run, but the policy's limits are reached. Airflow may retry
        this: the new try resumes the failed run, with the policy's limits counted afresh.
    :raises DbtRunCancelled: if the run was cancelled and must not be rerun; Airflow does not retry this.
    :raises DbtRunTimeout: if the work did not end in time.
    :raises DbtRunUnwatchable: if the run could not be read for ``poll_tolerance`` seconds.
    :raises DbtJobUnusableError: if the job is deactivated or deleted; Airflow does not retry this.
    :raises DbtApiError: if the API refuses a request, for example for a wrong token, a locked account or a full
        queue.
    """

    takes: ClassVar[Takes] = JOB
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
        wait_for_termination: bool = True,
        retry_from_failure: bool | None = None,
        reuse_existing_run: bool | None = None,
        openlineage_inject_parent_job_info: bool | None = None,
        **kwargs: Any,
    ) -> None:
        self.trigger_reason = trigger_reason
        self.steps_override = steps_override
        self.schema_override = schema_override
        self.additional_run_config = additional_run_config
        self.reattach = reattach
        self.wait_for_termination = wait_for_termination
        self.retry_from_failure = retry_from_failure
        self.reuse_existing_run = reuse_existing_run
        self.openlineage_inject_parent_job_info = openlineage_inject_parent_job_info
        super().__init__(policy=policy, **kwargs)

    def _check_arguments(self) -> None:
        super()._check_arguments()
        self._request()
        self._check_retry_from_failure()

    def _check_retry_from_failure(self) -> None:
        if self.retry_from_failure and not self.wait_for_termination:
            raise DbtConfigError(
                "retry_from_failure=True needs a task that waits: with wait_for_termination=False, "
                "give policy=RerunPolicy() to the DbtCloudRunSensor"
            )
        if self.retry_from_failure is (self.policy is None):
            fix = "RerunPolicy(), or leave it out" if self.retry_from_failure else "None, which reruns nothing"
            raise DbtConfigError(
                f"retry_from_failure={self.retry_from_failure} contradicts policy: give policy={fix}"
            )

    def policy_in_force(self) -> RerunPolicy | None:
        """Return the policy that decides about reruns; a task that does not wait reruns nothing."""
        return super().policy_in_force() if self.wait_for_termination else None

    def execute(self, context: Context) -> Any:
        """Run until the work is done or, without waiting, until the run has been started."""
        return super().execute(context) if self.wait_for_termination else self._start(context)

    def _show_progress(self, *facts: Any) -> None:
        """Show nothing of a run that this task does not wait for: its end would never be shown."""
        if self.wait_for_termination:
            super()._show_progress(*facts)

    def _start(self, context: Context) -> int:
        """Start the run, unless an earlier try has started it."""
        driver = self._driver(context, ())
        session, seen = driver.begin(deadline=None)
        self._in_progress = driver.work
        if isinstance(seen, RunSeen):
            run_id: int | None = seen.run.id
        else:
            session, step = driver.advance(session, seen)
            if isinstance(step, Fail) and step.kind == "unwatchable":
                self._give_up(session, step)
            run_id = session.run_id
        self._in_progress = None
        assert run_id is not None
        return run_id

    def work(self, context: Context) -> Work:
        """Return the job to run, marked for this life of the task instance."""
        instance: Any = context["ti"]
        reason = self.trigger_reason or (
            f"Triggered via Apache Airflow by task '{self.task_id}' in the {instance.dag_id} DAG."
        )
        request = self._request()
        marker, *earlier = markers(instance)
        return Work(
            self._job_id(),
            marker,
            f"{reason} {request.cause}" if request.cause else reason,
            request.overrides,
            earlier=tuple(earlier),
            since=began(context),
            may_have_runs=int(getattr(instance, "try_number", 0) or 0) > 1,
            reattach=self.reattach == "always",
        )

    def _request(self) -> RunRequest:
        return run_request(self.steps_override, self.schema_override, self.additional_run_config)


class DbtCloudRerunOperator(HealingOperator):
    """Rerun one failed dbt run, whatever started it, and watch the rerun until it ends.

    Before it starts anything, the task logs its plan and pushes it as XCom ``dbt_rerun_plan``: the failed and the
    skipped steps, the nodes that will run, and the reason for this kind of rerun. It waits for a run that is still
    in progress, and does nothing for a run that succeeded. If a rerun exists already, started by an earlier try or
    by a person, it continues with that one. A rerun that had failed before a DAG run or a clear asked for this task
    is rerun itself: only Airflow's own retries go on with what an earlier try used up.

    It also has the parameters of :class:`~airflow_dbt_rerun.operators.base.HealingOperator`.

    :param run_id: the run to rerun.
    :param job_id: instead of ``run_id``: the job whose latest run to rerun.
    :param mode: ``from_failure``, ``from_step``, ``from_start`` or ``rebuild_tested``. If the run does not allow
        it, the policy's ``fallback`` is used, and the plan says why.
    :param policy: the rules for a rerun that fails, too; None reruns it no further.
    :param dry_run: make the plan and start nothing. A template has to render to ``True`` or ``False``.
    :return: the id of the run that finished the work; in a dry run, the plan.
    :raises DbtConfigError: if the job has no run.
    :raises DbtRunError: the subclasses that :class:`DbtCloudJobOperator` lists.
    """

    takes: ClassVar[Takes] = RERUN
    stored_as: ClassVar[Mapping[str, str]] = {"dry_run": "plan_only"}
    template_fields: Sequence[str] = (*HealingOperator.template_fields, "run_id", "job_id", "mode", "plan_only")

    def __init__(
        self,
        *,
        run_id: int | str | None = None,
        job_id: int | str | None = None,
        mode: str = "from_failure",
        dry_run: bool | str = False,
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

    def policy_in_force(self) -> RerunPolicy:
        """Return a policy that reruns the given run in ``mode`` and leaves later failures to ``policy``."""
        return first_in_mode(self.mode, super().policy_in_force())

    def work(self, context: Context) -> Work:
        """Return the run to repair, marked for this life of the task instance."""
        instance: Any = context["ti"]
        run_id = self._latest_run() if self.run_id is None and self.job_id is not None else self._given_run()
        run = self.hook.get_run(run_id, include_related=())
        reason = f"Rerun via Apache Airflow by task '{self.task_id}' in the {instance.dag_id} DAG."
        return Work(
            run.job_id,
            next(markers(instance)),
            reason,
            of_run=run_id,
            is_new_request=not self._has_deferred and is_new_request(context, retries=self.retries),
        )

    def execute(self, context: Context) -> Any:
        """Publish the plan; unless this is a dry run, rerun and watch."""
        driver = self._driver(context, team_signatures(self.log))
        plan = driver.plan()
        for line in plan.lines():
            self.log.info("%s", one_line(line))
        document = plan.to_dict()
        context["ti"].xcom_push(key=XCOM_PLAN, value=document)
        return document if self.plan_only else super().execute(context)

    def _given_run(self) -> int:
        return required_id("run_id", self.run_id)

    def _latest_run(self) -> int:
        """Return the job's latest run or, if that is a rerun, the run that it repairs."""
        job_id = required_id("job_id", self.job_id)
        # A wrong host, account or token is said at once.
        at_once = replace(self._pace(), tolerance=0.0)
        root = RunReader(self.hook.client, pace=at_once, log=self.log).root_of_latest(job_id)
        if root is None:
            raise DbtConfigError(f"job {job_id} has no run to rerun: check job_id, or give run_id")
        return root
