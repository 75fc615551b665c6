"""How a task obeys a person who pressed a button of our page: see :mod:`airflow_dbt_rerun.operators.wishes`."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn, cast

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_dbt_rerun.core.heal.next_steps import Fail
from airflow_dbt_rerun.core.heal.report import report
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.policy import RerunPolicy
from airflow_dbt_rerun.engine.driver import Driver
from airflow_dbt_rerun.engine.starter import Work
from airflow_dbt_rerun.operators.lives import markers
from airflow_dbt_rerun.operators.new_request import is_new_request
from airflow_dbt_rerun.operators.publishing import Publisher
from airflow_dbt_rerun.operators.wishes import Wish, wish_in

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context


class WishingMixin(BaseOperator):
    """Reruns the run that a person saw, as that person wants, or gives up."""

    _has_deferred = False
    _wish: Wish | None = None

    @abstractmethod
    def policy_in_force(self) -> RerunPolicy | None:
        """Return the policy that decides about reruns; None reruns nothing."""

    @abstractmethod
    def _publisher(self, context: Context) -> Publisher:
        """Return what tells of the progress of this task."""

    @abstractmethod
    def _about(self, work: Work) -> dict[str, Any]:
        """Return what the report says of the work as a whole."""

    @abstractmethod
    def _give_up(self, session: RerunSession, step: Fail) -> NoReturn:
        """Fail as the last step says."""

    def _wished(self, work: Work, context: Context) -> Work:
        """Return the work as a person wants it who cleared this task by a button."""
        facts = cast("Mapping[str, Any]", context)
        self._wish = wish_in(facts, retries=self.retries)
        if self._wish is None:
            return work
        self.log.info("%s", self._wish.words)
        is_new = not self._has_deferred and is_new_request(facts, retries=self.retries)
        return self._wish.applied_to(work, is_new_request=is_new)

    def _policy_by_wish(self) -> RerunPolicy | None:
        policy = self.policy_in_force()
        return policy if self._wish is None else self._wish.applied_to_policy(policy)

    def _give_up_if_wished(self, context: Context, driver: Driver) -> None:
        """End the work without another run, if a person wants that."""
        if self._wish is None or not self._wish.gives_up:
            return
        words = self._wish.words
        session, run = driver.abandon(tuple(markers(context["ti"])), words)
        step = Fail(words, kind="cancelled", run=run)
        publisher = self._publisher(context)
        publisher.report(report(session, step, time.time(), **self._about(driver.work)))
        publisher.announce_end(session, step)
        self._give_up(session, step)
