"""Find out why a run failed: from the best available evidence to one finding for each failed node or step.

The best evidence wins, in this order: the node results of the step that stopped the run, the error block in that
step's log, the run's status message. If none is found, that is a finding of category *unknown*, never transient.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.fields import printable
from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.dbt.merging import merged, undone
from airflow_dbt_rerun.core.dbt.models import Run, RunStep
from airflow_dbt_rerun.core.dbt.results import NodeResult, StepResults
from airflow_dbt_rerun.core.diagnosis import reached_host
from airflow_dbt_rerun.core.diagnosis.classify_message import classify, match
from airflow_dbt_rerun.core.diagnosis.diagnosis import HARDEST_FIRST, Diagnosis, Finding
from airflow_dbt_rerun.core.diagnosis.json_log import log_text
from airflow_dbt_rerun.core.diagnosis.logs import LoggedError, error_block, says_why, was_interrupted
from airflow_dbt_rerun.core.diagnosis.one_line import clean
from airflow_dbt_rerun.core.diagnosis.step_log import StepLog
from airflow_dbt_rerun.core.diagnosis.v2_failures import TEST_FAILED, failures
from airflow_dbt_rerun.core.diagnosis.v2_report import V2Report, is_placeholder
from airflow_dbt_rerun.core.messages import counted
from airflow_dbt_rerun.core.signatures import Signature

__all__ = ["Category", "Diagnosis", "Finding", "classify", "diagnose", "says_why"]

Judgement = tuple[Category, Signature | None, str]
"""A category, the signature that matched, and the text that was judged."""

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


class _Diagnoser:
    """Holds the signatures and the manifest while one run is diagnosed."""

    def __init__(self, signatures: Sequence[Signature], facts: ManifestFacts) -> None:
        self._signatures = signatures
        self._facts = facts
        self._by_log: dict[tuple[str, str], Judgement] = {}

    def diagnose(self, run: Run, results: Sequence[StepResults]) -> Diagnosis:
        if run.is_cancelled and run.cancelled_by:
            return _cancelled_by_person(run, run.cancelled_by)
        step = run.stopping_step
        if step is None or run.is_cancelled:
            return self._of_text(run, "run", "the run", run.status_message, "the run's status message")
        step = replace(step, logs=printable(log_text(step.logs)))
        own, log = [artifact for artifact in results if artifact.step_index == step.index], StepLog(step.logs)
        found = (
            self._of_v2(run, step, own, V2Report(step.logs))
            or self._of_results(run, step, own, log)
            or self._of_log(run, step, log)
        )
        kept = next((artifact.kept_options for artifact in own if artifact.kept_options is not None), None)
        return replace(found, interrupted=found.interrupted or was_interrupted(step.logs), keeps=kept)

    def _of_v2(self, run: Run, step: RunStep, own: Sequence[StepResults], report: V2Report) -> Diagnosis | None:
        """Read results and log of dbt v2 together; None if they are not of its shape, or name no failure."""
        nodes = merged(own)
        if not report.is_present and not any(node.is_failed and is_placeholder(node) for node in nodes.values()):
            return None
        found = failures(nodes.values(), report)
        told = StepLog("")
        findings = (
            *(self._finding(node, told, self._adapter(own)) for node in found.nodes),
            *map(self._logged, (*found.unrecorded, *found.hooks)),
            *(self._unnamed(run, step.title, "step", error.text) for error in found.others),
        )
        if not findings and not found.not_done:
            return None
        skipped = tuple(name for name, node in nodes.items() if node.is_skipped)
        return Diagnosis(
            run.id,
            findings or (Finding(step.title, "step", "error", Category.UNKNOWN, "(dbt gave no message)"),),
            (*skipped, *found.not_done),
            step.title,
            f"the results and the log of step {step.index}" if own else f"the log of step {step.index}",
            interrupted=found.interrupted,
            unrecorded=not found.covered or bool(found.unrecorded),
            recorded=len(undone(own)) if own and found.others and found.covered else None,
        )

    def _adapter(self, own: Sequence[StepResults]) -> str | None:
        return next((artifact.adapter for artifact in own if artifact.adapter), self._facts.adapter)

    def _of_results(self, run: Run, step: RunStep, own: Sequence[StepResults], log: StepLog) -> Diagnosis | None:
        nodes, adapter = merged(own).values(), self._adapter(own)
        failed = tuple(self._finding(node, log, adapter) for node in nodes if node.is_failed)
        if not failed:
            return None
        failed = reached_host.judged(failed, reached=reached_host.nodes_reached_it(nodes))
        skipped = tuple(node.unique_id for node in nodes if node.is_skipped)
        return Diagnosis(run.id, failed, skipped, step.title, f"the results of step {step.index}")

    def _finding(self, node: NodeResult, log: StepLog, adapter: str | None) -> Finding:
        category, known, text = self._without_message(node) or self._judged(node, log, adapter)
        name, identity = _known(known)
        return Finding(
            subject=node.unique_id,
            resource_type=node.resource_type,
            status=node.status,
            category=category,
            message=clean(text, known) or "(dbt gave no message)",
            signature=name,
            signature_id=identity,
            path=self._facts.paths.get(node.unique_id) or _path_in(text),
            tags=self._facts.tags.get(node.unique_id, ()),
        )

    @staticmethod
    def _without_message(node: NodeResult) -> Judgement | None:
        """Judge a node that has no message but a meaning: stale source data, or a test that counts its failures."""
        if node.message is not None:
            return None
        if node.resource_type == "source":
            return Category.TEST_FAILED, None, "the source's data is older than the limit"
        if node.resource_type in ("test", "unit_test") and node.failures:
            return Category.TEST_FAILED, None, f"{counted(node.failures, 'row')} failed the test"
        return None

    def _judged(self, node: NodeResult, log: StepLog, adapter: str | None) -> Judgement:
        """Judge a node by the message in its result, or else by the log, once for all nodes of a name."""
        if node.message and says_why(node.message):
            return self._hardest((node.message,), adapter, node.status)
        key = (node.name, node.status)
        if key not in self._by_log:
            self._by_log[key] = self._hardest(log.texts_of(node.name), adapter, node.status)
        return self._by_log[key]

    def _hardest(self, texts: Sequence[str], adapter: str | None, status: str) -> Judgement:
        """Judge a node by the hardest of its errors: a microbatch model can have one for each batch."""
        found = []
        for text in texts:
            category, signature = match(text, adapter=adapter, node_status=status, extra=self._signatures)
            found.append((category, signature, text))
        return min(found, key=lambda each: HARDEST_FIRST.index(each[0]))

    def _of_log(self, run: Run, step: RunStep, log: StepLog) -> Diagnosis:
        evidence = f"the log of step {step.index}"
        named = tuple(error for error in log.errors if error.name)
        if named:
            reached = reached_host.log_reached_it(log.text)
            findings = reached_host.judged(map(self._logged, named), reached=reached)
            return Diagnosis(run.id, findings, step=step.title, evidence=evidence)
        block = error_block(step.logs)
        if block:
            return self._of_text(run, "step", step.title, block, evidence)
        message = f"{step.title} failed; neither node results nor a log could be read"
        return Diagnosis(
            run.id, (Finding(step.title, "step", "error", Category.UNKNOWN, message),), step=step.title
        )

    def _logged(self, error: LoggedError) -> Finding:
        status = "fail" if error.text == TEST_FAILED else "error"
        category, known, text = self._hardest([error.text], self._facts.adapter, status)
        kind, name = error.resource_type or "node", error.name or "?"
        return Finding(
            name, kind, "error", category, clean(text, known) or "(no message)", *_known(known), error.path
        )

    def _of_text(self, run: Run, resource_type: str, subject: str, text: str | None, evidence: str) -> Diagnosis:
        step = subject if resource_type == "step" else None
        finding = self._unnamed(run, subject, resource_type, text or "")
        return Diagnosis(run.id, (finding,), step=step, evidence=evidence)

    def _unnamed(self, run: Run, subject: str, resource_type: str, text: str) -> Finding:
        """Judge an error outside any node."""
        status = run.status_name.lower()
        category, known, text = self._hardest([text], self._facts.adapter, status)
        return Finding(
            subject, resource_type, status, category, clean(text, known) or "(no message)", *_known(known)
        )


def _known(signature: Signature | None) -> tuple[str | None, str | None]:
    """Return the name and the id of the signature that matched."""
    return (signature.name, signature.id or None) if signature else (None, None)


def _cancelled_by_person(run: Run, name: str) -> Diagnosis:
    finding = Finding("the run", "run", "cancelled", Category.CANCELLED, f"cancelled by {name}")
    return Diagnosis(run.id, (finding,), evidence="the run's audit record")


def _path_in(text: str) -> str | None:
    found = _PATH_IN_FRAME.search(text[:500])
    return found[1] if found else None
