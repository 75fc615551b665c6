"""A retry policy for other people's operators: diagnose what dbt said, then retry, wait, or fail at once.

Airflow 3.3 asks a task's ``retry_policy`` in the worker, after each failed try::

    DbtCloudRunJobOperator(job_id=48617, retry_from_failure=True, retries=3, retry_policy=DbtRetryPolicy())

It decides within Airflow's own ``retries``, which it cannot extend, and it cannot verify that a retry did the work:
:class:`~airflow_dbt_rerun.DbtCloudJobOperator` does both.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from airflow_dbt_rerun.config.argument_kinds import Signatures
from airflow_dbt_rerun.config.documents import as_policy
from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.models import Run, RunStatus, RunStep
from airflow_dbt_rerun.core.diagnosis.diagnose_run import diagnose
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.observations import NotReadable, Observation, RunSeen
from airflow_dbt_rerun.core.heal.session import RerunSession
from airflow_dbt_rerun.core.policy.action_words import imperative
from airflow_dbt_rerun.core.policy.conditions import RerunState
from airflow_dbt_rerun.core.policy.policy import RerunAction, RerunDecision, RerunPolicy
from airflow_dbt_rerun.core.signatures import Signature
from airflow_dbt_rerun.core.watch.pace import Pace
from airflow_dbt_rerun.exceptions import DbtApiError, DbtConfigError, DbtRunError
from airflow_dbt_rerun.hooks import DbtCloudRerunHook

if TYPE_CHECKING:
    from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
else:
    try:
        from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy
    except ImportError as error:
        raise ImportError(
            "DbtRetryPolicy needs Airflow 3.3 or newer, which asks a task's policy after each failure. Below, "
            "use DbtCloudJobOperator, which decides by the same policy itself"
        ) from error

log = logging.getLogger(__name__)

XCOM_OFFICIAL_RUN_ID = "job_run_id"
"""Where the official operator, and ours, push the id of the dbt run."""

_DEFAULT_CONN = DbtCloudRerunHook.default_conn_name

_OUTPUT = "full_output"
"""The attribute that holds the lines of dbt in the result of astronomer-cosmos."""

_LONGEST_TEXT = 5_000_000
"""Characters of an exception or of an output that are read."""


class DbtRetryPolicy(RetryPolicy):
    """Decide by a :class:`RerunPolicy` whether Airflow retries a failed dbt task, and when.

    The evidence is, in this order: the diagnosis in an error of this package; the dbt Cloud run that the task
    started (its ``run_id``, or the XCom ``job_run_id``); the output of dbt that astronomer-cosmos attached; the
    text of the exception. Where none of them is of dbt, Airflow's own retries apply.

    :param policy: rules, waits and the limit of attempts; by default those of :class:`RerunPolicy`. Any kind of
        rerun means *retry*; what a retry runs is the operator's matter. ``ask`` fails the task, since it needs a
        person. Limits by time do not apply, since the begin of the first try is not known.
    :param dbt_cloud_conn_id: the connection; by default the task's own ``dbt_cloud_conn_id``.
    :param account_id: the account, if it differs from the connection's; by default the task's own.
    :param signatures: your own known errors, tried first.
    :raises DbtConfigError: if an argument is wrong.
    """

    def __init__(
        self,
        policy: RerunPolicy | Mapping[str, Any] | str | None = None,
        *,
        dbt_cloud_conn_id: str | None = None,
        account_id: int | str | None = None,
        signatures: Sequence[Signature | Mapping[str, str]] = (),
    ) -> None:
        try:
            self.policy = as_policy(policy) or RerunPolicy()
            self.signatures: tuple[Signature, ...] = Signatures().check("signatures", list(signatures))
        except (TypeError, ValueError) as error:
            raise DbtConfigError(f"DbtRetryPolicy: {error}") from error
        self.dbt_cloud_conn_id = dbt_cloud_conn_id
        self.account_id = account_id

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,  # noqa: ARG002 - Airflow's signature; it applies its limit itself
        context: Any = None,
    ) -> RetryDecision:
        """Diagnose a failure and decide. Runs in the worker; an error in it leaves the decision to Airflow.

        :param exception: what the task raised.
        :param try_number: the try that failed; the first is 1.
        """
        found = self._evidence(exception, context)
        if found is None:
            return RetryDecision.default()
        run, diagnosis = found
        decision = self.policy.decide(RerunState(run, diagnosis, try_number, 0.0))
        what = diagnosis.headline or diagnosis.summary
        reason = f"{what}: {imperative(decision.action)}, since {decision.reason}"
        log.info("%s", reason)
        _warn_of_whole_retry(decision, context)
        if decision.action in (RerunAction.FAIL, RerunAction.ASK):
            return RetryDecision.fail(reason=reason)
        return RetryDecision.retry(delay=timedelta(seconds=decision.wait_seconds), reason=reason)

    def _evidence(self, exception: BaseException, context: Any) -> tuple[Run, Diagnosis] | None:
        if isinstance(exception, DbtRunError) and exception.run and exception.diagnosis:
            return exception.run, exception.diagnosis
        run_id = self._run_id(context)
        if run_id is not None:
            return self._of_run(run_id, context)
        return next(filter(None, map(self._of_text, _texts(exception))), None)

    def _run_id(self, context: Any) -> int | None:
        """Return the dbt Cloud run that the task started in this try; None if it starts none."""
        if context is None:
            return None
        instance = context["ti"]
        run_id = getattr(instance.task, "run_id", None)
        if not isinstance(run_id, int) and (self.dbt_cloud_conn_id or hasattr(instance.task, "dbt_cloud_conn_id")):
            run_id = instance.xcom_pull(
                task_ids=instance.task_id, key=XCOM_OFFICIAL_RUN_ID, map_indexes=instance.map_index
            )
        text = str(run_id)
        return int(text) if text.isdecimal() else None

    def _of_run(self, run_id: int, context: Any) -> tuple[Run, Diagnosis] | None:
        """Read the run that the task started. Without an answer, or if it has not failed, Airflow decides."""
        from airflow_dbt_rerun.engine.reader import RunReader  # noqa: PLC0415 - brings the HTTP libraries

        task = context["ti"].task
        conn_id = self.dbt_cloud_conn_id or getattr(task, "dbt_cloud_conn_id", None) or _DEFAULT_CONN
        hook = DbtCloudRerunHook(conn_id, self.account_id or getattr(task, "account_id", None))
        seen: Observation
        try:
            # The hook's own retries are patient enough for a decision that may be left to Airflow.
            reader = RunReader(hook.client, pace=Pace(tolerance=0.0), log=log)
            seen = reader.observe(RerunSession(time.time()), run_id)
        except (DbtApiError, DbtConfigError) as error:
            seen = NotReadable(str(error))
        if not isinstance(seen, RunSeen):
            log.warning("Cannot read dbt run %s, so Airflow's own retries apply: %s", run_id, seen)
            return None
        if not (seen.run.is_error or seen.run.is_cancelled):
            return None
        return seen.run, diagnose(seen.run, seen.results, signatures=self.signatures)

    def _of_text(self, text: str) -> tuple[Run, Diagnosis] | None:
        """Diagnose an output of dbt, or a message; None if it is not known."""
        step = RunStep(0, 1, "the dbt command", RunStatus.ERROR, text[-_LONGEST_TEXT:])
        as_output = Run(0, 0, RunStatus.ERROR, steps=(step,))
        as_message = Run(0, 0, RunStatus.ERROR, status_message=text[:_LONGEST_TEXT])
        for run in (as_output, as_message):
            found = diagnose(run, signatures=self.signatures)
            if found.verdict is not Category.UNKNOWN:
                return run, found
        return None

    def serialize(self) -> dict[str, Any]:
        """Return the policy as plain JSON values.

        :raises TypeError: if the policy contains a Python function.
        """
        return {
            "policy": self.policy.to_dict(),
            "dbt_cloud_conn_id": self.dbt_cloud_conn_id,
            "account_id": self.account_id,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """Read what :meth:`serialize` returned."""
        return cls(**data)


def _texts(exception: BaseException) -> Iterator[str]:
    """Yield what may be dbt's words: the output that the exception's own frames still hold, then its text."""
    cause: BaseException | None = exception
    while cause is not None:
        yield from _outputs(cause.__traceback__)
        yield str(cause)
        cause = cause.__cause__


def _outputs(traceback: TracebackType | None) -> Iterator[str]:
    """Yield the output of dbt that astronomer-cosmos logs, but leaves out of its exception."""
    while traceback is not None:
        lines = getattr(traceback.tb_frame.f_locals.get("result"), _OUTPUT, None)
        if isinstance(lines, list):
            yield "\n".join(map(str, lines))
        traceback = traceback.tb_next


def _warn_of_whole_retry(decision: RerunDecision, context: Any) -> None:
    task = getattr(context["ti"], "task", None) if context is not None else None
    resumes = decision.action is RerunAction.RERUN_FROM_FAILURE
    if resumes and getattr(task, "retry_from_failure", None) is False:
        log.warning(
            "The retry will run the whole job: give the task retry_from_failure=True to resume the failed run"
        )
