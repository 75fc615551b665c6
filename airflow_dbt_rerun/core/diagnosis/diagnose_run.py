"""Find out why a run failed: from the best available evidence to one finding for each failed node or step.

The best evidence wins, in this order: the node results of the step that stopped the run, the error block in that
step's log, the run's status message. If none is found, that is a finding of category *unknown*, never transient.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.merging import merged
from airflow_dbt_rerun.core.dbt.models import Run, RunStep
from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults
from airflow_dbt_rerun.core.diagnosis.classify_message import classify, clean, match
from airflow_dbt_rerun.core.diagnosis.diagnosis import HARDEST_FIRST, Diagnosis, Finding
from airflow_dbt_rerun.core.diagnosis.logs import (
    LoggedError,
    batch_errors,
    error_block,
    logged_errors,
    was_interrupted,
)
from airflow_dbt_rerun.core.signatures import Signature

__all__ = ["Category", "Diagnosis", "Finding", "classify", "diagnose", "says_why"]

_SAYS_NOTHING = re.compile(r"(?:PARTIAL SUCCESS \(\d+/\d+\)|ERROR)\s*")
_PATH_IN_FRAME = re.compile(r"\bError in \w+(?: \w+)? \S+ \(([^)\n]+)\)")


def diagnose(
    run: Run,
    results: Sequence[StepResults] = (),
    *,
    signatures: Sequence[Signature] = (),
    facts: ManifestFacts | None = None,
) -> Diagnosis:
    """Find out why a run failed, or why it was cancelled.

    :param run: the run with its steps.
    :param results: the node results of its steps that could be read. If a step has several artifacts, later results
        win.
    :param signatures: the user's own error signatures, tried first.
    :param facts: what the project's manifest adds, if it was read.
    """
    return _Diagnoser(signatures, facts or ManifestFacts()).diagnose(run, results)


def says_why(message: str | None) -> bool:
    """Return whether a result's message states the cause. A microbatch model's does not, and it may be null."""
    return bool(message and message.strip()) and not _SAYS_NOTHING.fullmatch(message or "")


class _Diagnoser:
    """Holds the signatures and the manifest while one run is diagnosed."""

    def __init__(self, signatures: Sequence[Signature], facts: ManifestFacts) -> None:
        self._signatures = signatures
        self._facts = facts

    def diagnose(self, run: Run, results: Sequence[StepResults]) -> Diagnosis:
        if run.is_cancelled and run.cancelled_by:
            return _cancelled_by_person(run, run.cancelled_by)
        step = run.stopping_step
        if step is None or run.is_cancelled:
            return self._of_text(run, "run", "the run", run.status_message, "the run's status message")
        own = [artifact for artifact in results if artifact.step_index == step.index]
        found = self._of_results(run, step, own) or self._of_log(run, step)
        return replace(found, interrupted=was_interrupted(step.logs))

    def _of_results(self, run: Run, step: RunStep, own: Sequence[StepResults]) -> Diagnosis | None:
        adapter = next((artifact.adapter for artifact in own if artifact.adapter), self._facts.adapter)
        nodes = merged(own).values()
        failed = tuple(self._finding(node, step.logs, adapter) for node in nodes if node.is_failed)
        if not failed:
            return None
        skipped = tuple(node.unique_id for node in nodes if node.is_skipped)
        return Diagnosis(run.id, failed, skipped, step.name, f"the results of step {step.index}")

    def _finding(self, node: NodeResult, log: str, adapter: str | None) -> Finding:
        if node.resource_type == "source" and node.message is None:
            category, known, text = (
                Category.TEST_FAILED,
                None,
                "the source's data is older than the limit",
            )
        else:
            category, known, text = self._hardest(_texts(node, log), adapter, node.status)
        return Finding(
            subject=node.unique_id,
            resource_type=node.resource_type,
            status=node.status,
            category=category,
            message=clean(text) or "(dbt gave no message)",
            signature=known,
            path=self._facts.paths.get(node.unique_id) or _path_in(text),
            tags=self._facts.tags.get(node.unique_id, ()),
        )

    def _hardest(self, texts: Sequence[str], adapter: str | None, status: str) -> tuple[Category, str | None, str]:
        """Judge a node by the hardest of its errors: a microbatch model can have one for each batch."""
        found = []
        for text in texts:
            category, signature = match(text, adapter=adapter, node_status=status, extra=self._signatures)
            found.append((category, signature.name if signature else None, text))
        return min(found, key=lambda each: HARDEST_FIRST.index(each[0]))

    def _of_log(self, run: Run, step: RunStep) -> Diagnosis:
        evidence = f"the log of step {step.index}"
        named = tuple(error for error in logged_errors(step.logs) if error.name)
        if named:
            return Diagnosis(run.id, tuple(map(self._logged, named)), step=step.name, evidence=evidence)
        block = error_block(step.logs)
        if block:
            return self._of_text(run, "step", step.name, block, evidence)
        message = f"{step.name} failed; neither node results nor a log could be read"
        return Diagnosis(run.id, (Finding(step.name, "step", "error", Category.UNKNOWN, message),), step=step.name)

    def _logged(self, error: LoggedError) -> Finding:
        category, known, text = self._hardest([error.text], self._facts.adapter, "error")
        kind, name = error.resource_type or "node", error.name or "?"
        return Finding(name, kind, "error", category, clean(text) or "(no message)", known, error.path)

    def _of_text(self, run: Run, resource_type: str, subject: str, text: str | None, evidence: str) -> Diagnosis:
        status = run.status_name.lower()
        category, known, text = self._hardest([text or ""], self._facts.adapter, status)
        finding = Finding(subject, resource_type, status, category, clean(text) or "(no message)", known)
        step = subject if resource_type == "step" else None
        return Diagnosis(run.id, (finding,), step=step, evidence=evidence)


def _cancelled_by_person(run: Run, name: str) -> Diagnosis:
    finding = Finding("the run", "run", "cancelled", Category.CANCELLED, f"cancelled by {name}")
    return Diagnosis(run.id, (finding,), evidence="the run's audit record")


def _texts(node: NodeResult, log: str) -> Sequence[str]:
    """Return the error messages of a failed node: from its result, or else from the log."""
    if node.message and says_why(node.message):
        return (node.message,)
    if batches := batch_errors(log, node.name):
        return batches
    errors = logged_errors(log)
    own = [error.text for error in errors if error.name == node.name and says_why(clean(error.text))]
    unnamed = [error.text for error in errors if error.name is None]
    return own or unnamed or ("",)


def _path_in(text: str) -> str | None:
    found = _PATH_IN_FRAME.search(text[:500])
    return found[1] if found else None
