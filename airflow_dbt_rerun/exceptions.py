"""The exceptions of this package.

::

    AirflowException
    └── DbtRerunError
        ├── DbtConfigError (and AirflowFailException, ValueError)   a wrong argument or connection: nothing was sent
        ├── DbtApiError                       a request to the dbt API failed
        │   ├── DbtUnauthorizedError          401: token unknown here
        │   ├── DbtForbiddenError             403: token known, account or permission missing
        │   ├── DbtNotFoundError              404
        │   ├── DbtRefusedError               another 4xx to a POST: the platform refused, with a reason
        │   │   └── DbtJobUnusableError (and AirflowFailException)  its job is deactivated or deleted
        │   ├── DbtThrottledError             429, even after the retries
        │   ├── DbtServerError                5xx to a GET, even after the retries
        │   ├── DbtUnreachableError           no connection or no answer; a POST was certainly not sent
        │   ├── DbtAnswerLostError            a POST may have been carried out: search before posting again
        │   └── DbtBadAnswerError             HTML, malformed JSON, missing fields
        └── DbtRunError                       a dbt run did not end in success
            ├── DbtRunFailed (and AirflowFailException)     final: Airflow must not retry
            ├── DbtRunExhausted               the reruns are used up: Airflow may retry, and attempts count
            ├── DbtRunCancelled (and AirflowFailException)  stopped by a person or the platform
            ├── DbtRunTimeout                 not over within the time allowed
            │   └── DbtRunSensorTimeout (and AirflowSensorTimeout)  a sensor's time is up: Airflow does not retry
            └── DbtRunUnwatchable             its status could not be read; the run may have succeeded

Errors carry objects (``.status_code``, ``.run``, ``.diagnosis``) besides the message, and can be pickled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSensorTimeout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_dbt_rerun.core.dbt.models import Run
    from airflow_dbt_rerun.core.diagnosis.diagnose_run import Diagnosis


class DbtRerunError(AirflowException):
    """The base class of all errors of this package."""


class DbtConfigError(DbtRerunError, AirflowFailException, ValueError):
    """An argument or a connection is wrong. Nothing was sent to dbt, and Airflow does not retry the task."""


class DbtApiError(DbtRerunError):
    """A request to the dbt API failed.

    :param message: one line that says what failed and why.
    :param endpoint: method and path, for example ``GET runs/123/``.
    :param status_code: the HTTP status, or None if no answer came.
    :param user_message: the platform's own words (``status.user_message``).
    """

    def __init__(
        self,
        message: str,
        *,
        endpoint: str | None = None,
        status_code: int | None = None,
        user_message: str | None = None,
    ) -> None:
        super().__init__(message)
        self.endpoint = endpoint
        # Airflow's base class has a constant of this name for its own REST API; here it is dbt's answer.
        self.status_code: int | None = status_code  # type: ignore[assignment]
        self.user_message = user_message


class DbtUnauthorizedError(DbtApiError):
    """The host does not know the token (401). A host of the wrong region or cell answers the same."""


class DbtForbiddenError(DbtApiError):
    """The token is known but may not do this (403): a wrong account id, or a missing permission."""


class DbtNotFoundError(DbtApiError):
    """The object does not exist, or the token may not see it (404)."""


class DbtRefusedError(DbtApiError):
    """The platform read the request and refused it (4xx to a POST): nothing was started."""


class DbtJobUnusableError(DbtRefusedError, AirflowFailException):
    """The job is deactivated, deleted or hidden from the token: a person has to act, so Airflow does not retry."""


class DbtThrottledError(DbtApiError):
    """Too many requests (429), even after the retries. The request was not carried out.

    :param retry_after: seconds the platform asks to wait, or None if it does not say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class DbtServerError(DbtApiError):
    """The platform failed (5xx) on a GET, even after the retries."""


class DbtUnreachableError(DbtApiError):
    """No connection to the host, or no answer to a GET. If the request was a POST, it was certainly not sent."""


class DbtAnswerLostError(DbtApiError):
    """A POST was sent, but its answer is missing or unreadable. It may have been carried out: search first."""


class DbtBadAnswerError(DbtApiError):
    """The answer is not what the API documents: an HTML page, malformed JSON or a missing field."""


class DbtRunError(DbtRerunError):
    """A dbt run did not end in success, or its end is unknown.

    :param message: one line that says what happened and why.
    :param run: the last run, as last read.
    :param diagnosis: why that run failed, if it was diagnosed.
    :param attempts: all attempts of this work, oldest first.
    """

    def __init__(
        self,
        message: str,
        *,
        run: Run | None = None,
        diagnosis: Diagnosis | None = None,
        attempts: Sequence[Any] = (),
    ) -> None:
        super().__init__(message)
        self.run = run
        self.diagnosis = diagnosis
        self.attempts = tuple(attempts)


class DbtRunFailed(DbtRunError, AirflowFailException):  # noqa: N818 - says what happened, in dbt's terms
    """The run failed for good: a rerun cannot help, so Airflow does not retry the task."""


class DbtRunExhausted(DbtRunError):  # noqa: N818 - as above
    """The run failed and the policy's reruns are used up. An Airflow retry continues from here; attempts count."""


class DbtRunCancelled(DbtRunError, AirflowFailException):  # noqa: N818 - as above
    """The run was cancelled and must not be rerun; Airflow does not retry the task."""


class DbtRunTimeout(DbtRunError):  # noqa: N818 - as above
    """The run did not end within the time that the task allows."""


class DbtRunSensorTimeout(DbtRunTimeout, AirflowSensorTimeout):
    """The run that a sensor waits for did not start, or did not end, within the sensor's ``timeout``."""


class DbtRunUnwatchable(DbtRunError):  # noqa: N818 - as above
    """The run's status could not be read for too long. The run itself may have succeeded or failed."""


BEARABLE = (
    DbtThrottledError,
    DbtServerError,
    DbtUnreachableError,
    DbtBadAnswerError,
    DbtNotFoundError,  # about one run in a hundred answers 404 just after it was triggered
)
"""API errors that may pass by themselves while a run is watched."""


def is_bearable(error: Exception) -> bool:
    """Return whether an API error may pass by itself while a run is watched."""
    return isinstance(error, BEARABLE)
