"""Base class of this package's operators: connects Airflow's task life cycle to the rerun loop."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, cast

from airflow.providers.common.compat.sdk import BaseOperator, conf

from airflow_dbt_rerun import testing
from airflow_dbt_rerun.api.retries import NO_RETRIES
from airflow_dbt_rerun.config.arguments import Takes
from airflow_dbt_rerun.config.holding import SHADOW as SHADOW_MODE
from airflow_dbt_rerun.config.holding import policy_mode, why_paused
from airflow_dbt_rerun.config.team_signatures import team_signatures
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.heal.held import SHADOW
from airflow_dbt_rerun.core.heal.live_report import live_report
from airflow_dbt_rerun.core.heal.next_steps import AskPerson, Fail, NextStep, Pause, Rerun, Succeed, WaitForRun
from airflow_dbt_rerun.core.heal.observations import Observation
from airflow_dbt_rerun.core.heal.report import report
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.engine.cancelling import cancel
from airflow_dbt_rerun.engine.driver import Driver
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.exceptions import (
    DbtApiError,
    DbtRunCancelled,
    DbtRunError,
    DbtRunExhausted,
    DbtRunFailed,
    DbtRunTimeout,
    DbtRunUnwatchable,
)
from airflow_dbt_rerun.hooks import DbtCloudRerunHook
from airflow_dbt_rerun.links import LINKS
from airflow_dbt_rerun.operators.arguments import CheckedArguments, check_quickest
from airflow_dbt_rerun.operators.asking import AskingMixin
from airflow_dbt_rerun.operators.deferral import DeferralMixin, is_ours
from airflow_dbt_rerun.operators.lineage import LineageMixin
from airflow_dbt_rerun.operators.publishing import Publisher
from airflow_dbt_rerun.operators.takes import CALLBACKS, HEALING
from airflow_dbt_rerun.operators.wishing import WishingMixin

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

_DEFAULTS = Pace()

DEFAULT_TASK_TIMEOUT = 7 * 24 * 60 * 60
"""Seconds; the default of the official operator."""

ERRORS: dict[str, type[DbtRunError]] = {
    "failed": DbtRunFailed,
    "hollow": DbtRunFailed,
    "exhausted": DbtRunExhausted,
    "cancelled": DbtRunCancelled,
    "timeout": DbtRunTimeout,
    "unwatchable": DbtRunUnwatchable,
}
"""The error to raise for each kind of :class:`Fail`."""

Callback = Callable[[Any], Any]
"""A function that takes the context, or one of Airflow's notifiers."""

Callbacks = Callback | Sequence[Callback]


class HealingOperator(CheckedArguments, WishingMixin, AskingMixin, DeferralMixin, LineageMixin, BaseOperator):
    """Watch a dbt run until it ends, and rerun it by a policy. A base class, not for use by itself.

    :param dbt_cloud_conn_id: a connection of the official dbt Cloud layout.
    :param account_id: the account, if it differs from the connection's.
    :param policy: when to rerun, how, and when to give up; None reruns nothing. Plain data is accepted, too: a
        mapping, or a YAML or JSON text, for example ``"{{ var.value.dbt_rerun_policy }}"`` (see
        ``docs/policies.md``).
    :param policy_mode: ``heal``, or ``shadow`` to decide, log and report what the policy would do, and to end as
        without a policy. None: ``[dbt_rerun] policy_mode`` of Airflow's configuration, by default ``heal``.
    :param signatures: your own known errors, tried before those of the team (Airflow Variable
        ``dbt_rerun_signatures``, configuration ``[dbt_rerun] signatures``) and before the built-in ones.
    :param on_rerun: a function, one of Airflow's notifiers, or a list of them, called after each rerun has started.
        The context passed to it has the key ``dbt_rerun``: what failed, why it is rerun, and the new run. Errors
        that it raises are logged and change nothing. Airflow's ``on_failure_callback`` is called once, at the end.
    :param on_question: the same, when a person is asked; called before the task waits for the answer.
    :param on_healed: the same, when a rerun has done the work.
    :param on_gave_up: the same, when the task fails.
    :param check_interval: longest time between two polls, in seconds.
    :param quickest_check_interval: seconds between polls around the time at which runs of the job usually end,
        estimated from its newest runs. Polls are less frequent the further away that time is. None: always
        ``check_interval``.
    :param poll_tolerance: seconds without a readable answer from dbt after which the run counts as unwatchable.
    :param timeout: seconds for the whole work, all attempts and waits included; then the run is cancelled. A
        shorter ``execution_timeout`` takes precedence, even while the task is deferred.
    :param deferrable: wait in the triggerer instead of on a worker.
    :param cancel_on_kill: cancel the run that this task started when the task is killed or times out.
    :param verify_success: also read the node results of a first run that succeeds, and warn about nodes that failed
        in it. By default a plain success costs no such request; reruns are always verified.
    :param hook_params: further arguments of :class:`DbtCloudRerunHook`.
    """

    takes: ClassVar[Takes] = HEALING
    template_fields: Sequence[str] = ("dbt_cloud_conn_id", "account_id", "policy")
    operator_extra_links = LINKS
    ui_color = "#ff694a"

    def __init__(
        self,
        *,
        dbt_cloud_conn_id: str = DbtCloudRerunHook.default_conn_name,
        account_id: int | str | None = None,
        policy: RerunPolicy | Mapping[str, Any] | str | None = None,
        policy_mode: str | None = None,
        signatures: Sequence[Signature | Mapping[str, str]] | None = None,
        on_rerun: Callbacks | None = None,
        on_question: Callbacks | None = None,
        on_healed: Callbacks | None = None,
        on_gave_up: Callbacks | None = None,
        check_interval: float = _DEFAULTS.check_interval,
        quickest_check_interval: float | None = None,
        poll_tolerance: float = _DEFAULTS.tolerance,
        timeout: float = DEFAULT_TASK_TIMEOUT,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        cancel_on_kill: bool = True,
        verify_success: bool = False,
        hook_params: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dbt_cloud_conn_id = dbt_cloud_conn_id
        self.account_id = account_id
        self.policy = policy
        self.policy_mode = policy_mode
        self.signatures = signatures
        self.on_rerun = on_rerun
        self.on_question = on_question
        self.on_healed = on_healed
        self.on_gave_up = on_gave_up
        self.check_interval = check_interval
        self.quickest_check_interval = quickest_check_interval
        self.poll_tolerance = poll_tolerance
        self.timeout = timeout
        self.deferrable = deferrable
        self.cancel_on_kill = cancel_on_kill
        self.verify_success = verify_success
        self.hook_params = hook_params
        self._in_progress: Work | None = None
        self._check_arguments()

    def _check_arguments(self) -> None:
        super()._check_arguments()
        check_quickest(self.quickest_check_interval, self.check_interval)

    # --- Life cycle

    @abstractmethod
    def work(self, context: Context) -> Work:
        """Return what to run or repair, and how to recognise its runs."""

    def policy_in_force(self) -> RerunPolicy | None:
        """Return the policy that decides about reruns; None reruns nothing."""
        return cast("RerunPolicy | None", self.policy)

    def execute(self, context: Context) -> Any:
        """Run until the work is done; a deferrable task defers whenever there is something to wait for."""
        return self._run_to_end(context, time.time() + self._seconds_allowed())

    def _run_to_end(self, context: Context, deadline: float) -> int:
        driver = self._driver(context, team_signatures(self.log))
        self._limit_requests(deadline - time.time())
        self._give_up_if_wished(context, driver)
        session, seen = driver.begin(deadline=deadline)
        self._in_progress = driver.work
        return self._continue(context, driver, session, seen)

    def _continue(self, context: Context, driver: Driver, session: RerunSession, seen: Observation) -> int:
        session, step = self._advance(driver, session, seen)
        while isinstance(step, Pause):
            if isinstance(step, AskPerson):
                session = self._ask_person(context, driver, session, step)
                seen = driver.observe(session, step.run.id)
            else:
                if self.deferrable:
                    self._defer_until(driver, session, step)
                seen = driver.wait(session, step)
            session, step = self._advance(driver, session, seen)
        self._ended_with = report(session, step, time.time(), **self._about(driver.work))
        self._publisher(context).report(self._ended_with)
        self._publisher(context).announce_end(session, step)
        if isinstance(step, Fail):
            self._give_up(session, step)
        self._in_progress = None
        return step.run_id

    def _advance(
        self, driver: Driver, session: RerunSession, seen: Observation
    ) -> tuple[RerunSession, Pause | Succeed | Fail]:
        """Decide and act; then a kill may cancel what the driver knows to be ours, and nothing else."""
        session, step = driver.advance(session, seen)
        self._in_progress = replace(driver.work, theirs=driver.work.theirs | session.theirs)
        return session, step

    def _give_up(self, session: RerunSession, step: Fail) -> NoReturn:
        unread = step.run is None and session.run_id is not None
        in_progress = unread or (step.run is not None and not step.run.is_terminal)
        if step.kind == "timeout" and in_progress and self.cancel_on_kill and is_ours(session):
            self._cancel(session.run_id)
        self._in_progress = None
        raise ERRORS[step.kind](step.reason, run=step.run, diagnosis=step.diagnosis, attempts=session.attempts)

    def _seconds_allowed(self) -> float:
        """Return ``timeout`` or ``execution_timeout``, if that is shorter: Airflow ignores it during a deferral."""
        limit = self.execution_timeout
        return self.timeout if limit is None else min(self.timeout, limit.total_seconds())

    # --- When the task is killed

    def on_kill(self) -> None:
        """Cancel the run that this task started, including one whose POST is in flight at this moment."""
        work, self._in_progress = self._in_progress, None
        if not self.cancel_on_kill or work is None:
            return
        from airflow_dbt_rerun.api.client import DbtClient  # noqa: PLC0415 - as in the hook

        try:
            # A new session: the signal may have interrupted a request on the hook's own one.
            with DbtClient(self.hook.client.settings, NO_RETRIES) as client:
                Driver(client, work, None, pace=Pace(tolerance=0.0), log=self.log).cancel()
        except DbtApiError as error:
            self.log.warning("Could not cancel the dbt run of this killed task; cancel it in dbt: %s", error)

    def _cancel(self, run_id: int | None) -> None:
        try:
            work = self._in_progress
            job_id, marker = (work.job_id, work.marker) if work else (None, None)
            done = cancel(self.hook.client, run_id or 0, job_id=job_id, marker=marker)
            self.log.info("%s: the time allowed for this task is over", done)
        except DbtApiError as error:
            self.log.warning("Could not cancel dbt run %s; cancel it in dbt: %s", run_id, error)

    # --- Collaborators

    @cached_property
    def hook(self) -> DbtCloudRerunHook:
        """The hook of this task's connection."""
        return DbtCloudRerunHook(self.dbt_cloud_conn_id, self.account_id, **(self.hook_params or {}))

    def _limit_requests(self, seconds: float) -> None:
        self.hook.client.give_up_after(seconds)

    def _driver(self, context: Context, team: Sequence[Signature], usual: float | None = None) -> Driver:
        self._read_arguments()
        policy_mode(self.policy_mode)  # a mode that does not exist is refused before anything is started
        work = self._wished(self.work(context), context)
        # Which reruns of a given run are ours to cancel is known only after its runs have been read.
        self._in_progress = work if work.of_run is None else None
        publisher = self._publisher(context)
        return Driver(
            self.hook.client,
            work,
            testing.policy_in_force(self._policy_by_wish()),
            signatures=(*cast("Sequence[Signature]", self.signatures or ()), *team),
            on_run=publisher.show_run,
            on_rerun=publisher.announce_rerun,
            hold=partial(self._why_held, work.job_id),
            on_progress=partial(self._show_progress, publisher, self._about(work)),
            pace=self._pace(usual),
            verify_success=self.verify_success,
            log=self.log,
        )

    def _why_held(self, job_id: int) -> str | None:
        """Return why no rerun may start now: shadow mode, or a pause that may have begun while this task waited."""
        if policy_mode(self.policy_mode) == SHADOW_MODE:
            return SHADOW
        return why_paused(job_id, self.dbt_cloud_conn_id, self.log)

    def _about(self, work: Work) -> dict[str, Any]:
        """Return what the report says of the work as a whole."""
        policy = self._policy_by_wish()
        return {"job_id": work.job_id, "policy": policy.words() if policy else ["Nothing is rerun."]}

    def _show_progress(
        self, publisher: Publisher, about: dict[str, Any], session: RerunSession, step: NextStep, run: Run | None
    ) -> None:
        if isinstance(step, (WaitForRun, Rerun, AskPerson)):  # the end has a report of its own
            publisher.progress(live_report(session, step, time.time(), run=run, **about))

    def _pace(self, usual: float | None = None) -> Pace:
        return testing.pace_in_force(
            Pace(
                check_interval=self.check_interval,
                quickest_check_interval=self.quickest_check_interval,
                usual=usual,
                tolerance=self.poll_tolerance,
            )
        )

    def _publisher(self, context: Context) -> Publisher:
        callbacks = {name: cast("Sequence[Callback]", getattr(self, name) or ()) for name in CALLBACKS}
        return Publisher(context, callbacks, self.log)
