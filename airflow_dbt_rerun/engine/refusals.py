"""Why the platform said no to a POST, in words that name the thing and the fix.

Asked only after a no: the good path costs no request. What the platform itself answers in these cases is on no
record, so nothing here reads its words, but for one: *queue*. They are always passed on.
"""

from __future__ import annotations

import re
import time
from copy import copy
from dataclasses import dataclass
from typing import TypeVar

from airflow_dbt_rerun.api.endpoints import Endpoint, get_account, get_job
from airflow_dbt_rerun.core.dbt.models import Account, Job
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
"""How the platform may say no to a POST. Each means that nothing was started."""

_QUEUE = re.compile(r"\bqueue", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why nothing was started.

    :param words: on one line, the platform's own included.
    :param final: whether only a person can change it, so that trying again is of no use.
    """

    refusal: DbtApiError
    words: str
    final: bool = False

    def as_error(self) -> DbtApiError:
        """Make the error to raise where no run is there to blame: the refusal, with these words."""
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
    """Find out why a run of this job was refused: read the job, then the account, as far as the token may."""
    if isinstance(refusal, DbtThrottledError) and not _is_about_the_queue(refusal):
        return Explanation(refusal, str(refusal))  # more requests would only make it last
    job = _ask(client, get_job(job_id))
    if isinstance(job, Job) and job.deactivated:
        return Explanation(refusal, f"{_deactivated(job)} ({_said(refusal)})", final=True)
    missing = isinstance(job, DbtNotFoundError) or (isinstance(job, Job) and job.deleted)
    # One 404 may be a hiccup, or what a missing permission gets; two in a row leave no doubt.
    if missing and isinstance(refusal, DbtNotFoundError):
        return Explanation(refusal, f"{_gone(job_id)} ({_said(refusal)})", final=True)
    account = _ask(client, get_account())
    words = _why_the_account(account, refusal) or (_gone(job_id) if missing else None)
    return Explanation(refusal, f"{words} ({_said(refusal)})" if words else str(refusal))


def _ask(client: Sender, endpoint: Endpoint[T]) -> T | DbtApiError:
    """Ask, but never let a question about a refusal take the refusal's place."""
    try:
        return client.send(endpoint)
    except DbtApiError as error:
        return error


def _deactivated(job: Job) -> str:
    failures = job.run_failure_count
    after = f" after {failures} failed runs in a row" if failures > 1 else ""
    return f"job {job.id} {job.name!r} is deactivated{after}: activate it in dbt, then clear this task"


def _gone(job_id: int) -> str:
    return (
        f"job {job_id} does not exist (any more), or the token may not see it: "
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


def _said(refusal: DbtApiError) -> str:
    words = f": {refusal.user_message}" if refusal.user_message else ""
    return f"{refusal.endpoint}: dbt answered {refusal.status_code}{words}"
