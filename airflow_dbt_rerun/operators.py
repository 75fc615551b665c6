"""Run a dbt Cloud job, and heal it when it fails."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_dbt_rerun.api.endpoints import cancel_run, number
from airflow_dbt_rerun.api.names import find_job_id
from airflow_dbt_rerun.core.lineage import Marker
from airflow_dbt_rerun.core.models import Run
from airflow_dbt_rerun.core.policy import RerunPolicy
from airflow_dbt_rerun.core.polling import Unwatchable
from airflow_dbt_rerun.core.report import report
from airflow_dbt_rerun.core.session import Fail, Observation, RerunSession, Wait
from airflow_dbt_rerun.core.signatures import Signature, own
from airflow_dbt_rerun.drive import DEFAULT_CHECK_INTERVAL, DEFAULT_TOLERANCE, Driver
from airflow_dbt_rerun.exceptions import (
    DbtApiError,
    DbtConfigError,
    DbtRunCancelled,
    DbtRunError,
    DbtRunExhausted,
    DbtRunFailed,
    DbtRunTimeout,
    DbtRunUnwatchable,
)
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from airflow_dbt_rerun.links import XCOM_REPORT, XCOM_RUN_ID, XCOM_RUN_URL, DbtCloudRunLink
from airflow_dbt_rerun.own_signatures import team_signatures
from airflow_dbt_rerun.posts import Work
from airflow_dbt_rerun.texts import as_policy
from airflow_dbt_rerun.triggers import OUTCOMES, DbtCloudRunTrigger

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

DEFAULT_TIMEOUT = 7 * 24 * 60 * 60
"""Seconds: the official operator's default."""

ERRORS: dict[str, type[DbtRunError]] = {
    "failed": DbtRunFailed,
    "hollow": DbtRunFailed,
    "exhausted": DbtRunExhausted,
    "cancelled": DbtRunCancelled,
    "timeout": DbtRunTimeout,
    "unwatchable": DbtRunUnwatchable,
}
"""The error to raise for each way in which the loop can give up."""


class DbtCloudJobOperator(BaseOperator):
    """Runs a dbt Cloud job, watches it, and reruns it by a policy when it ends in Error.

    The task is green if and only if the work is done: by the first run, or by reruns of what had failed. Before
    anything is posted, a run that an earlier try of this task left behind is looked for and taken up again.

    What it does not do: it never edits the job, never reruns a cancelled run, and never starts a full rebuild
    unless the policy names ``rerun_from_start``.

    :param dbt_cloud_conn_id: a connection of the official dbt Cloud layout.
    :param job_id: the job to run; or else give all three names.
    :param project_name: the name of its project.
    :param environment_name: the name of its environment.
    :param job_name: the name of the job.
    :param account_id: the account, where it is not the connection's.
    :param trigger_reason: shown by dbt as the cause of the run; what exceeds 255 characters with our marker is cut.
    :param steps_override: dbt commands to run instead of the job's.
    :param schema_override: schema to build into instead of the target's.
    :param additional_run_config: further fields of dbt's trigger request, for example ``threads_override``.
    :param policy: when to rerun, how, and when to give up; None reruns nothing. Also as plain data: a mapping, or
        a YAML or JSON text, for example ``"{{ var.value.dbt_rerun_policy }}"`` (see ``docs/policies.md``).
    :param signatures: known errors of your own, tried before the team's (Airflow Variable
        ``dbt_rerun_signatures``, configuration ``[dbt_rerun] signatures``) and before the built-in ones.
    :param check_interval: seconds between polls.
    :param poll_tolerance: seconds for which dbt may give no readable answer before the run counts as unwatchable.
    :param timeout: seconds for the whole work, all attempts and waits together. Then the run is cancelled.
    :param deferrable: wait in the triggerer instead of a worker.
    :param cancel_on_kill: cancel our run when the task is killed or times out. Airflow before 3.3 tells nobody when
        a *deferred* task is killed: there the run goes on.
    :param hook_params: further arguments of :class:`DbtCloudRerunHook`.
    :return: the id of the run that finished the work.
    :raises DbtRunFailed: if a rerun cannot heal it; Airflow does not retry this.
    :raises DbtRunExhausted: if it might heal, but the policy's limits are reached. Airflow may retry this: the new
        try takes the failed run up, and the attempts so far count.
    :raises DbtRunCancelled: if somebody cancelled the run; Airflow does not retry this.
    :raises DbtRunTimeout: if the work was not over in time.
    :raises DbtRunUnwatchable: if the run could not be read for too long.
    :raises DbtApiError: if the API refuses us, for example with a wrong token.
    """

    template_fields: Sequence[str] = (
        "dbt_cloud_conn_id",
        "job_id",
        "project_name",
        "environment_name",
        "job_name",
        "account_id",
        "trigger_reason",
        "steps_override",
        "schema_override",
        "additional_run_config",
        "policy",
    )
    operator_extra_links = (DbtCloudRunLink(),)
    ui_color = "#ff694a"

    def __init__(
        self,
        *,
        job_id: int | str | None = None,
        project_name: str | None = None,
        environment_name: str | None = None,
        job_name: str | None = None,
        dbt_cloud_conn_id: str = DbtCloudRerunHook.default_conn_name,
        account_id: int | str | None = None,
        trigger_reason: str | None = None,
        steps_override: list[str] | None = None,
        schema_override: str | None = None,
        additional_run_config: dict[str, Any] | None = None,
        policy: RerunPolicy | Mapping[str, Any] | str | None = RerunPolicy(),  # noqa: B008 - an immutable value
        signatures: Sequence[Signature | Mapping[str, str]] | None = None,
        check_interval: float = DEFAULT_CHECK_INTERVAL,
        poll_tolerance: float = DEFAULT_TOLERANCE,
        timeout: float = DEFAULT_TIMEOUT,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        cancel_on_kill: bool = True,
        hook_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.job_id = job_id
        self.project_name = project_name
        self.environment_name = environment_name
        self.job_name = job_name
        self.dbt_cloud_conn_id = dbt_cloud_conn_id
        self.account_id = account_id
        self.trigger_reason = trigger_reason
        self.steps_override = steps_override
        self.schema_override = schema_override
        self.additional_run_config = additional_run_config
        self.policy = policy
        self.signatures = signatures
        self.check_interval = check_interval
        self.poll_tolerance = poll_tolerance
        self.timeout = timeout
        self.deferrable = deferrable
        self.cancel_on_kill = cancel_on_kill
        self.hook_params = hook_params
        self._running: int | None = None
        self._check_arguments()

    def _check_arguments(self) -> None:
        """Refuse what is wrong while the DAG is parsed; templates are checked when they are rendered."""
        names = (self.project_name, self.environment_name, self.job_name)
        if self.job_id is None and not all(names):
            raise DbtConfigError(
                "DbtCloudJobOperator needs job_id, or all of project_name, environment_name and job_name"
            )
        for parameter in ("job_id", "account_id"):
            value = getattr(self, parameter)
            if isinstance(value, int) or (isinstance(value, str) and "{{" not in value):
                number(parameter, value)
        if not (isinstance(self.policy, str) and "{{" in self.policy):
            self.policy = self._read_policy()
        self.signatures = self._checked_signatures()
        for parameter in ("check_interval", "poll_tolerance", "timeout"):
            value = getattr(self, parameter)
            if not isinstance(value, (int, float)) or isinstance(value, bool) or value <= 0:
                raise DbtConfigError(f"{parameter} takes a number of seconds above zero, not {value!r}")

    def _read_policy(self) -> RerunPolicy | None:
        try:
            return as_policy(self.policy, "policy")
        except (TypeError, ValueError) as error:
            raise DbtConfigError(str(error)) from error

    def _checked_signatures(self) -> tuple[Signature, ...]:
        try:
            return own.check(self.signatures, "signatures")
        except (TypeError, ValueError) as error:
            raise DbtConfigError(str(error)) from error

    # --- The task

    def execute(self, context: Context) -> int:
        """Run the job to its end, blocking, or until there is something to wait for in the triggerer."""
        driver = self._driver(context, team_signatures(self.log))
        session, seen = driver.begin(deadline=time.time() + self.timeout)
        return self._go_on(context, driver, session, seen)

    def execute_complete(self, context: Context, event: dict[str, Any] | None = None) -> int:
        """Go on where the triggerer's wait ended: read the run afresh, then decide."""
        if not event or event.get("outcome") not in OUTCOMES:
            raise DbtRunUnwatchable(
                f"the triggerer sent {event!r}, which says nothing about the run: nothing is rerun"
            )
        # A heal under way must not die of a Variable that somebody edited: what is wrong there is left out.
        driver = self._driver(context, team_signatures(self.log, strict=False))
        session = RerunSession.from_dict(event["session"])
        self._running = session.run_id
        return self._go_on(context, driver, session, self._seen(driver, session, event))

    def _seen(self, driver: Driver, session: RerunSession, event: Mapping[str, Any]) -> Observation:
        if event["outcome"] == "unwatchable":
            return driver.observe(session, Unwatchable(event["run_id"], event["reason"]))
        return driver.look(session, int(event["run_id"]))

    def _go_on(self, context: Context, driver: Driver, session: RerunSession, seen: Observation) -> int:
        session, step = driver.advance(session, seen)
        while isinstance(step, Wait):
            if self.deferrable:
                self._defer_until(session, step)
            session, step = driver.advance(session, driver.wait(session, step))
        context["ti"].xcom_push(key=XCOM_REPORT, value=report(session, step, time.time()))
        if isinstance(step, Fail):
            self._give_up(session, step)
        self._running = None
        return step.run_id

    def _defer_until(self, session: RerunSession, step: Wait) -> NoReturn:
        self.defer(
            trigger=DbtCloudRunTrigger(
                dbt_cloud_conn_id=self.dbt_cloud_conn_id,
                account_id=self.account_id,
                run_id=step.run_id,
                session=session.to_dict(),
                until=step.until,
                check_interval=self.check_interval,
                tolerance=self.poll_tolerance,
                deadline=session.deadline,
                cancel_on_kill=self.cancel_on_kill and _is_ours(session),
                hook_params=self.hook_params,
            ),
            method_name=self.execute_complete.__name__,
        )

    def _give_up(self, session: RerunSession, step: Fail) -> NoReturn:
        if step.kind == "timeout" and self.cancel_on_kill and _is_ours(session):
            self._cancel(session.run_id)
        self._running = None
        kind = DbtRunExhausted if step.kind == "cancelled" and step.retryable else ERRORS[step.kind]
        raise kind(step.reason, run=step.run, diagnosis=step.diagnosis, attempts=session.attempts)

    def on_kill(self) -> None:
        """Cancel our run when the worker is told to stop."""
        if self.cancel_on_kill:
            self._cancel(self._running)

    def _cancel(self, run_id: int | None) -> None:
        if run_id is None:
            return
        try:
            self.hook.send(cancel_run(run_id))
            self.log.info("Cancelled dbt run %s", run_id)
        except DbtApiError as error:
            self.log.warning("Could not cancel dbt run %s: %s", run_id, error)

    # --- What the task works with

    @cached_property
    def hook(self) -> DbtCloudRerunHook:
        """The hook of this task's connection."""
        return DbtCloudRerunHook(self.dbt_cloud_conn_id, self.account_id, **(self.hook_params or {}))

    def _driver(self, context: Context, team: Sequence[Signature]) -> Driver:
        instance = context["ti"]

        def on_run(run: Run) -> None:
            self._running = run.id
            instance.xcom_push(key=XCOM_RUN_ID, value=run.id)
            instance.xcom_push(key=XCOM_RUN_URL, value=run.href)
            _show_link(instance, run)

        return Driver(
            self.hook.client,
            self._work(instance),
            self._read_policy(),
            signatures=(*self._checked_signatures(), *team),
            on_run=on_run,
            check_interval=self.check_interval,
            tolerance=self.poll_tolerance,
            log=self.log,
        )

    def _work(self, instance: Any) -> Work:
        reason = self.trigger_reason or (
            f"Triggered via Apache Airflow by task '{self.task_id}' in the {instance.dag_id} DAG."
        )
        overrides = {
            **(self.additional_run_config or {}),
            "steps_override": self.steps_override,
            "schema_override": self.schema_override,
        }
        given = {name: value for name, value in overrides.items() if value is not None}
        return Work(self._job_id(), _marker(instance, retries=self.retries), reason, given)

    def _job_id(self) -> int:
        if self.job_id is not None:
            return number("job_id", self.job_id)
        return find_job_id(
            self.hook.client,
            project_name=str(self.project_name),
            environment_name=str(self.environment_name),
            job_name=str(self.job_name),
        )


def _marker(instance: Any, *, retries: int | None) -> Marker:
    """Mark the work of one life of one task instance.

    An Airflow retry goes on with the same life; a clear begins a new one. Airflow raises ``max_tries`` on a clear
    only, so what exceeds the task's own ``retries`` tells the life.
    """
    life = int(getattr(instance, "max_tries", 0) or 0) - int(retries or 0)
    return Marker.of(instance.dag_id, instance.run_id, instance.task_id, instance.map_index, life)


def _is_ours(session: RerunSession) -> bool:
    return session.current is not None and session.current.ours


def _show_link(instance: Any, run: Run) -> None:
    """Let Airflow 3 show the link while the task still runs; it stores links itself only at a task's end."""
    key = getattr(DbtCloudRunLink(), "xcom_key", None)
    if key:
        instance.xcom_push(key=key, value=run.href)
