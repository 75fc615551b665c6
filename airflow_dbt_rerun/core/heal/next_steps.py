"""The output of the loop: the next step. Values only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis
from airflow_dbt_rerun.core.heal.planned import OpenQuestion
from airflow_dbt_rerun.core.policy.policy import RerunAction


@dataclass(frozen=True, slots=True)
class StartRun:
    """Start the first run."""


@dataclass(frozen=True, slots=True)
class WaitForRun:
    """Wait for the run to end or, with ``until``, for a moment (epoch seconds); then read the run again."""

    run_id: int
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Rerun:
    """Start a rerun of ``of_run``: check whether it already exists, then POST once."""

    action: RerunAction
    of_run: int
    reason: str
    overrides: Mapping[str, Any] = field(default_factory=dict)
    why_not_wanted: str | None = None
    """Why this is not the kind of rerun that the policy asked for; None if it is."""


@dataclass(frozen=True, slots=True)
class AskPerson:
    """Ask a person what to do about ``run``; :meth:`RerunSession.answered` takes the answer."""

    run: Run
    question: OpenQuestion
    diagnosis: Diagnosis


@dataclass(frozen=True, slots=True)
class Succeed:
    """The work is done."""

    run_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The work is not done, and nothing more will be tried.

    ``retryable``: whether Airflow's own ``retries`` may try again. ``kind`` names the error to raise. ``why``: the
    reason without what failed, for a page that shows the findings elsewhere.
    """

    reason: str
    kind: str = "failed"
    retryable: bool = False
    run: Run | None = None
    diagnosis: Diagnosis | None = None
    why: str | None = None


Pause = WaitForRun | AskPerson
"""Something to wait for."""

NextStep = StartRun | Pause | Rerun | Succeed | Fail
