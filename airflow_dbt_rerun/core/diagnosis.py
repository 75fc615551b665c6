"""Why a run failed: one finding for each failed node or step, and the verdict.

The best evidence wins, in this order: the node results of the step that stopped the run, the error block in that
step's log, the run's status message. Nothing found is a finding too, of category *unknown*: never transient.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.classify import classify, clean, match
from airflow_dbt_rerun.core.models import NodeResult, Run, RunStep, StepResults
from airflow_dbt_rerun.core.signatures import Signature

__all__ = ["Category", "Diagnosis", "Finding", "classify", "diagnose"]

HARDEST_FIRST = (
    Category.CANCELLED,
    Category.ACCESS,
    Category.CODE,
    Category.RESOURCES,
    Category.TEST_FAILED,
    Category.UNKNOWN,
    Category.TIMED_OUT,
    Category.THROTTLED,
    Category.TRANSIENT,
)
"""The verdict is the first of these that was found: what stays when all that can heal has healed."""

TOLD_FINDINGS = 20
"""So many findings cross to the triggerer, to XCom and to the log: thousands would help nobody there."""

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_NUMBERS = re.compile(r"\d+")
_LOG_TAIL = 4000


@dataclass(frozen=True, slots=True)
class Finding:
    """One classified error of a node, or of a step when no node is to blame."""

    subject: str
    resource_type: str
    status: str
    category: Category
    message: str
    signature: str | None = None

    @property
    def name(self) -> str:
        """The subject as dbt prints it: ``orders`` for ``model.shop.orders``; a step keeps its whole name."""
        if self.resource_type in ("step", "run"):
            return self.subject
        return NodeResult(self.subject, self.status).name

    def __str__(self) -> str:
        """Put the finding on one line for people."""
        known = f", {self.signature}" if self.signature else ""
        return f"{self.resource_type} {self.name}: {self.category}{known}: {self.message}"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Everything found out about one run that did not succeed."""

    run_id: int
    findings: tuple[Finding, ...]
    skipped: tuple[str, ...] = ()
    step: str | None = None
    evidence: str = "nothing"

    @property
    def verdict(self) -> Category:
        """The hardest category found (see :data:`HARDEST_FIRST`)."""
        found = {finding.category for finding in self.findings}
        return next((category for category in HARDEST_FIRST if category in found), Category.UNKNOWN)

    @property
    def only_hooks_failed(self) -> bool:
        """Whether all that failed is on-run-start or on-run-end hooks, which ``dbt retry`` leaves alone."""
        return all(finding.resource_type == "operation" for finding in self.findings) and not self.skipped

    @property
    def fingerprint(self) -> str:
        """A short hash of what failed and with which words; numbers in messages do not count."""
        parts = sorted(f"{f.subject}|{f.status}|{_NUMBERS.sub('#', f.message)}" for f in self.findings)
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    @property
    def summary(self) -> str:
        """What failed in a few words: ``2 models (transient), 1 test (test_failed); 7 nodes skipped``."""
        counts = Counter((finding.resource_type, finding.category) for finding in self.findings)
        failed = ", ".join(
            f"{count} {_plural(kind, count)} ({category})" for (kind, category), count in counts.items()
        )
        skipped = f"; {len(self.skipped)} {_plural('node', len(self.skipped))} skipped" if self.skipped else ""
        return failed + skipped

    def to_dict(self) -> dict[str, Any]:
        """Give the diagnosis as plain JSON values; of many findings only the first ones, and their number."""
        return {
            "run_id": self.run_id,
            "verdict": str(self.verdict),
            "step": self.step,
            "evidence": self.evidence,
            "skipped": len(self.skipped),
            "found": len(self.findings),
            "findings": [
                {
                    "subject": finding.subject,
                    "resource_type": finding.resource_type,
                    "status": finding.status,
                    "category": str(finding.category),
                    "signature": finding.signature,
                    "message": finding.message,
                }
                for finding in self.findings[:TOLD_FINDINGS]
            ],
        }


def diagnose(run: Run, results: Sequence[StepResults] = (), *, signatures: Sequence[Signature] = ()) -> Diagnosis:
    """Say why a run did not succeed.

    :param run: a run in Error or Cancelled, with its steps.
    :param results: the artifacts of its failed steps, as far as they could be had.
    :param signatures: the user's own signatures; they are tried before the built-in ones.
    """
    if run.is_cancelled:
        return _diagnose_cancelled(run, signatures)
    step = run.stopping_step
    if step is None:
        return _from_text(run, "run", "the run", run.status_message, "the run's status message", signatures)
    own = [artifact for artifact in results if artifact.step_index == step.index]
    nodes = [node for artifact in own for node in artifact.nodes]
    adapter = next((artifact.adapter for artifact in own if artifact.adapter), None)
    log = error_block(step.logs)
    failed = tuple(_finding(node, log, adapter, signatures) for node in nodes if node.is_failed)
    if failed:
        skipped = tuple(node.unique_id for node in nodes if node.is_skipped)
        return Diagnosis(run.id, failed, skipped, step.name, f"the results of step {step.index}")
    return _from_log(run, step, signatures)


def _finding(node: NodeResult, log: str, adapter: str | None, signatures: Sequence[Signature]) -> Finding:
    text = node.message if says_why(node.message) else log
    category, signature = match(text, adapter=adapter, node_status=node.status, extra=signatures)
    if node.resource_type == "source" and node.message is None:
        category, signature, text = Category.TEST_FAILED, None, "the source's data is older than it may be"
    return Finding(
        subject=node.unique_id,
        resource_type=node.resource_type,
        status=node.status,
        category=category,
        message=clean(text or "") or "(dbt gave no message)",
        signature=signature.name if signature else None,
    )


def says_why(message: str | None) -> bool:
    """Whether a result's message tells the cause. A microbatch model's does not, and it may be null."""
    return bool(message) and not re.fullmatch(r"(PARTIAL SUCCESS \(\d+/\d+\)|ERROR)\s*", message or "")


def _from_log(run: Run, step: RunStep, signatures: Sequence[Signature]) -> Diagnosis:
    block = error_block(step.logs)
    if block:
        return _from_text(run, "step", step.name, block, f"the log of step {step.index}", signatures)
    message = f"{step.name} failed; neither node results nor a log could be had"
    return Diagnosis(run.id, (Finding(step.name, "step", "error", Category.UNKNOWN, message),), step=step.name)


def _diagnose_cancelled(run: Run, signatures: Sequence[Signature]) -> Diagnosis:
    if run.cancelled_by:
        message = f"cancelled by {run.cancelled_by}"
        return Diagnosis(
            run.id,
            (Finding("the run", "run", "cancelled", Category.CANCELLED, message),),
            evidence="the run's audit record",
        )
    return _from_text(run, "run", "the run", run.status_message, "the run's status message", signatures)


def _from_text(  # noqa: PLR0917 - one private place that turns a text into a diagnosis
    run: Run,
    resource_type: str,
    subject: str,
    text: str | None,
    evidence: str,
    signatures: Sequence[Signature],
) -> Diagnosis:
    category, signature = match(text, node_status=run.status_name.lower(), extra=signatures)
    finding = Finding(
        subject=subject,
        resource_type=resource_type,
        status=run.status_name.lower(),
        category=category,
        message=clean(text or "") or "(no message)",
        signature=signature.name if signature else None,
    )
    return Diagnosis(run.id, (finding,), step=subject if resource_type == "step" else None, evidence=evidence)


def error_block(log: str) -> str:
    """Cut the error out of a step's log: what follows "Encountered an error:" or "Completed with".

    Without either mark the end of the log is taken. The closing line "dbt command failed" says nothing and goes.
    """
    text = _ANSI.sub("", log).strip().removesuffix("dbt command failed").strip()
    for mark in ("Encountered an error:", "Completed with"):
        _, found, after = text.rpartition(mark)
        if found:
            return after.strip()[:_LOG_TAIL]
    return text[-_LOG_TAIL:]


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
