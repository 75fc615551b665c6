"""Everything this package raises on purpose.

::

    AirflowException
    └── DbtRerunError
        ├── DbtConfigError (and AirflowFailException, ValueError)   a wrong argument or connection: nothing was sent
        ├── DbtApiError                       one request to the dbt API did not get what it asked for
        │   ├── DbtUnauthorizedError          401: token unknown here
        │   ├── DbtForbiddenError             403: token known, account or permission missing
        │   ├── DbtNotFoundError              404
        │   ├── DbtRefusedError               another 4xx to a POST: the platform said no, with its reason
        │   │   └── DbtJobUnusableError (and AirflowFailException)  its job is deactivated or gone
        │   ├── DbtThrottledError             429, still there after the retries
        │   ├── DbtServerError                5xx to a GET, still there after the retries
        │   ├── DbtUnreachableError           no connection or no answer; a POST was certainly not sent
        │   ├── DbtAnswerLostError            a POST may have been carried out: look before you post again
        │   └── DbtBadAnswerError             HTML, malformed JSON, missing fields
        └── DbtRunError                       a dbt run did not end as the task needs it
            ├── DbtRunFailed (and AirflowFailException)     final: Airflow must not retry
            ├── DbtRunExhausted               our reruns are used up: Airflow may retry, and attempts count
            ├── DbtRunCancelled (and AirflowFailException)  stopped by a person or the platform
            ├── DbtRunTimeout                 not over within the time allowed
            │   └── DbtRunSensorTimeout (and AirflowSensorTimeout)  a sensor's time is up: Airflow does not retry it
            └── DbtRunUnwatchable             its status could not be read: it may well have succeeded

Errors carry objects (``.status_code``, ``.run``, ``.diagnosis``), not only text, and survive ``pickle``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSensorTimeout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_dbt_rerun.core.dbt.models import Run
    from airflow_dbt_rerun.core.diagnosis.diagnose_run import Diagnosis


class DbtRerunError(AirflowException):
    """Base of every error of this package."""


class DbtConfigError(DbtRerunError, AirflowFailException, ValueError):
    """An argument or a connection is wrong. Nothing was sent to dbt, and Airflow must not retry it."""


class DbtApiError(DbtRerunError):
    """One request to the dbt API did not get what it asked for.

    :param message: the whole story on one line.
    :param endpoint: method and path, for example ``GET runs/123/``.
    :param status_code: the HTTP status, or None where no answer came.
    :param user_message: what the platform itself said (``status.user_message``).
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
        # Airflow's base has a constant of this name for its own REST API; here it is dbt's answer.
        self.status_code: int | None = status_code  # type: ignore[assignment]
        self.user_message = user_message


class DbtUnauthorizedError(DbtApiError):
    """The host does not know the token (401). A host of another region or cell answers just the same."""


class DbtForbiddenError(DbtApiError):
    """The token is known but may not do this (403): a wrong account id, or a missing permission."""


class DbtNotFoundError(DbtApiError):
    """No such thing, or no permission to see it (404)."""


class DbtRefusedError(DbtApiError):
    """The platform read the request and said no (4xx to a POST): nothing was started."""


class DbtJobUnusableError(DbtRefusedError, AirflowFailException):
    """The job is deactivated, deleted or out of sight: a person has to act first, and Airflow must not retry."""


class DbtThrottledError(DbtApiError):
    """Too many requests (429), still so after the retries. The request was not carried out.

    :param retry_after: seconds the platform asks to wait, or None where it did not say.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_after = retry_after


class DbtServerError(DbtApiError):
    """The platform failed (5xx), still so after the retries. Only ever about a GET."""


class DbtUnreachableError(DbtApiError):
    """No connection to the host, or no answer to a GET. A POST that ends so was certainly not sent."""


class DbtAnswerLostError(DbtApiError):
    """A POST left, and its answer is missing or unreadable: it may have been carried out. Look first."""


class DbtBadAnswerError(DbtApiError):
    """The answer is not what the API documents: an HTML page, malformed JSON, a missing field."""


class DbtRunError(DbtRerunError):
    """A dbt run did not end as the task needs it.

    :param message: the whole story on one line.
    :param run: the last run, as last seen.
    :param diagnosis: why that run failed, where it was diagnosed.
    :param attempts: every attempt made for this work, oldest first.
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


class DbtRunFailed(DbtRunError, AirflowFailException):  # noqa: N818 - says what happened, in dbt's word
    """The run failed for good: trying again cannot help, so Airflow is told not to."""


class DbtRunExhausted(DbtRunError):  # noqa: N818 - as above
    """The run failed and the policy's reruns are used up. An Airflow retry goes on from here; attempts count."""


class DbtRunCancelled(DbtRunError, AirflowFailException):  # noqa: N818 - as above
    """Somebody stopped the run, and meant it."""


class DbtRunTimeout(DbtRunError):  # noqa: N818 - as above
    """The run was not over within the time the task allows."""


class DbtRunSensorTimeout(DbtRunTimeout, AirflowSensorTimeout):
    """The run that a sensor waits for did not come, or was not over, within the sensor's ``timeout``."""


class DbtRunUnwatchable(DbtRunError):  # noqa: N818 - as above
    """The run's status could not be read for too long. That says nothing about the run itself."""


BEARABLE = (
    DbtThrottledError,
    DbtServerError,
    DbtUnreachableError,
    DbtBadAnswerError,
    DbtNotFoundError,  # about one run in a hundred answers 404 just after it was triggered
)
"""API trouble that may pass by itself while a run is watched."""


def is_bearable(error: Exception) -> bool:
    """Whether an API error may pass by itself while a run is watched."""
    return isinstance(error, BEARABLE)
