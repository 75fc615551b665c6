"""Explain why the platform refused a POST, naming the cause and the fix.

Requests are sent only after a refusal, so the normal path costs none. No answers of the platform to these cases
are on record, so its words are passed on but not interpreted, except for one: *queue*.
"""

from __future__ import annotations

import re
import time
from copy import copy
from dataclasses import dataclass
from typing import TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint, get_account, get_job
from airflow_dbt_rerun.core.dbt.jobs import Account, Job
from airflow_dbt_rerun.engine.reader import Sender
from airflow_dbt_rerun.exceptions import (
    DbtApiError,
    DbtForbiddenError,
    DbtJobUnusableError,
    DbtNotFoundError,
    DbtRefusedError,
    DbtThrottledError,
)

T = TypeVar("T")

REFUSALS = (DbtRefusedError, DbtForbiddenError, DbtNotFoundError, DbtThrottledError)
"""The errors by which the platform refuses a POST. Each means that nothing was started."""

_QUEUE = re.compile(r"\bqueue", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why nothing was started.

    :param words: one line that includes the platform's own words.
    :param final: whether only a person can fix it, so that trying again is useless.
    """

    refusal: DbtApiError
    words: str
    final: bool = False

    def as_error(self) -> DbtApiError:
        """Return the error to raise if there is no run to report it on: the refusal, with these words."""
        if self.final:
            return DbtJobUnusableError(
                self.words,
                endpoint=self.refusal.endpoint,
                status_code=self.refusal.status_code,
                user_message=self.refusal.user_message,
            )
        error = copy(self.refusal)
        error.args = (self.words,)
        return error


def explain(client: Sender, job_id: int, refusal: DbtApiError) -> Explanation:
    """Find out why a run of this job was refused: read the job, then the account, as far as the token permits."""
    if isinstance(refusal, DbtThrottledError) and not _is_about_the_queue(refusal):
        return Explanation(refusal, str(refusal))  # more requests would only prolong it
    job = _ask(client, get_job(job_id))
    if isinstance(job, Job) and job.deactivated:
        return Explanation(refusal, f"{_deactivated(job)} ({_answer_of(refusal)})", final=True)
    missing = isinstance(job, DbtNotFoundError) or (isinstance(job, Job) and job.deleted)
    # One 404 may be a glitch or a missing permission; two in a row leave no doubt.
    if missing and isinstance(refusal, DbtNotFoundError):
        return Explanation(refusal, f"{_missing(job_id)} ({_answer_of(refusal)})", final=True)
    account = _ask(client, get_account())
    words = _why_the_account(account, refusal) or (_missing(job_id) if missing else None)
    return Explanation(refusal, f"{words} ({_answer_of(refusal)})" if words else str(refusal))


def _ask(client: Sender, endpoint: Endpoint[T]) -> T | DbtApiError:
    """Send a request and return its error instead of raising it, so that it does not replace the refusal."""
    try:
        return client.send(endpoint)
    except DbtApiError as error:
        return error


def _deactivated(job: Job) -> str:
    failures = job.run_failure_count
    after = f" after {failures} failed runs in a row" if failures > 1 else ""
    return f"job {job.id} {job.name!r} is deactivated{after}: activate it in dbt, then clear this task"


def _missing(job_id: int) -> str:
    return (
        f"job {job_id} does not exist, or the token may not see it: "
        "correct job_id, or give the token access to its project, then clear this task"
    )


def _why_the_account(account: Account | DbtApiError, refusal: DbtApiError) -> str | None:
    if isinstance(account, Account) and account.is_locked(time.time()):
        return f"{_locked(account)}: no run starts until it is unlocked in dbt's account settings"
    if _is_about_the_queue(refusal):
        return f"{_full(account)}: let queued runs end or cancel some, then retry or clear this task"
    return None


def _locked(account: Account) -> str:
    why = "; ".join(part for part in (account.lock_reason, account.lock_cause) if part)
    until = f" until {account.run_locked_until}" if account.run_locked_until else ""
    return f"account {account.id} is locked{until}{f' ({why})' if why else ''}"


def _full(account: Account | DbtApiError) -> str:
    if isinstance(account, Account) and account.queue_limit is not None:
        return f"the queue of account {account.id} is full (queue_limit {account.queue_limit})"
    return "the account's queue is full"


def _is_about_the_queue(refusal: DbtApiError) -> bool:
    return bool(_QUEUE.search(refusal.user_message or ""))


def _answer_of(refusal: DbtApiError) -> str:
    words = f": {refusal.user_message}" if refusal.user_message else ""
    return f"{refusal.endpoint}: dbt answered {refusal.status_code}{words}"
