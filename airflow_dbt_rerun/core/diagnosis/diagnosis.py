"""A diagnosis as values: one finding for each failed node or step, and their verdict."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.results import short_name
from airflow_dbt_rerun.core.messages import and_more, listed

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
"""The verdict is the first of these that was found: what remains when everything that can heal has healed."""

REPORTED_FINDINGS = 20
"""How many findings are passed to the triggerer, to XCom and to the log, where thousands would not help."""

_NAMED = 10
"""How many failures a single line names."""

_SHOWN_GROUPS = 10
"""Kinds of failures that a summary names; the kinds of nodes are dbt's own words, so more are unlikely."""

_CHANGING = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{9,}\b | \b0x[0-9a-f]+\b | \b(?=[a-z]*\d)[0-9a-z_]{16,}\b | \d+",
    re.VERBOSE | re.IGNORECASE,
)
"""Ids of queries, sessions and processes, addresses and times, which differ in each attempt."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One classified error of a node, or of a step if no node failed."""

    subject: str
    """dbt's unique id, for example ``model.shop.orders``; the bare name where only a log names it; or the step."""
    resource_type: str
    """``model``, ``test``, ``seed``, ``operation`` (a hook), ...; ``step`` or ``run`` if no node failed."""
    status: str
    category: Category
    message: str
    """The error on one line, without SQL and values."""
    signature: str | None = None
    """The name of the known error that was recognised."""
    signature_id: str | None = None
    """Its id, for example ``postgres/deadlock``; a team's own signature may have none."""
    path: str | None = None
    """The node's file, if the error or the manifest names it."""
    tags: tuple[str, ...] = ()
    """The node's tags; known only with a manifest."""

    @property
    def is_node(self) -> bool:
        """Whether the finding is about a node."""
        return self.resource_type not in ("step", "run")

    @property
    def name(self) -> str:
        """The subject as dbt prints it: ``orders`` for ``model.shop.orders``; a step keeps its whole name."""
        is_unique_id = self.is_node and self.subject.startswith(f"{self.resource_type}.")
        return short_name(self.subject) if is_unique_id else self.subject

    @property
    def label(self) -> str:
        """What failed, without why: ``model orders``."""
        return f"{self.resource_type} {self.name}"

    def __str__(self) -> str:
        """Return the finding on one line for people: what failed and why, then what kind of error that is."""
        kind = f"{self.category}, {self.signature}" if self.signature else str(self.category)
        where = f"; {self.path}" if self.path else ""
        return f"{self.label}: {self.message} ({kind}{where})"

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON values."""
        return {
            "subject": self.subject,
            "resource_type": self.resource_type,
            "status": self.status,
            "category": str(self.category),
            "signature": self.signature,
            "signature_id": self.signature_id,
            "message": self.message,
            "path": self.path,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Read a finding from its plain form, which leaves out the tags."""
        names = ("subject", "resource_type", "status", "message", "signature", "signature_id", "path")
        known: dict[str, Any] = {name: data.get(name) for name in names}
        return cls(**known, category=Category(data["category"]))


@dataclass(frozen=True, slots=True, repr=False)
class Diagnosis:
    """All findings about one run that did not succeed.

    The verdict, the counts and a policy's conditions consider every finding, however many there are. Whatever is
    shown or passed on lists the first :data:`REPORTED_FINDINGS` and says how many more there are.
    """

    run_id: int
    findings: tuple[Finding, ...]
    skipped: tuple[str, ...] = ()
    """The nodes that did not run because of the findings."""
    step: str | None = None
    """The step that stopped the run, if known."""
    evidence: str = "nothing"
    """The source of the findings."""
    interrupted: bool = False
    """Whether dbt was stopped by a signal, so that its unfinished nodes are not recorded."""
    unrecorded: bool = False
    """Whether the node results do not hold everything that the command left undone (dbt v2)."""
    recorded: int | None = None
    """The nodes that are recorded as not done, although what failed lies outside them (dbt v2)."""
    keeps: tuple[str, ...] | None = None
    """The command's options that ``dbt retry`` knows from the node results; None if it knows them all."""

    @property
    def verdict(self) -> Category:
        """The hardest category found (see :data:`HARDEST_FIRST`)."""
        found = {finding.category for finding in self.findings}
        return next((category for category in HARDEST_FIRST if category in found), Category.UNKNOWN)

    @property
    def only_hooks_failed(self) -> bool:
        """Whether only on-run-start or on-run-end hooks failed, which ``dbt retry`` does not rerun."""
        return all(finding.resource_type == "operation" for finding in self.findings) and not self.skipped

    @property
    def start_hook_failed(self) -> bool:
        """Whether an on-run-start hook failed."""
        return any(f.resource_type == "operation" and "on-run-start" in f.subject for f in self.findings)

    @property
    def names_nodes(self) -> bool:
        """Whether the findings are about nodes, and not about a step or a run as a whole."""
        return all(finding.is_node for finding in self.findings)

    @property
    def undone(self) -> int | None:
        """The number of failed and skipped nodes; None if a step failed or stopped as a whole, so it is unknown."""
        if self.interrupted or self.unrecorded:
            return None
        if not self.names_nodes:
            return self.recorded
        return len(self.findings) + len(self.skipped)

    @property
    def fingerprint(self) -> str:
        """A short hash of what failed with which messages; numbers and ids in the messages do not count."""
        parts = sorted(map(_unchanging, self.findings))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]

    @property
    def failures(self) -> frozenset[str]:
        """What failed with which message, one by one; numbers and ids in the messages do not count."""
        return frozenset(map(_unchanging, self.findings))

    @property
    def summary(self) -> str:
        """What failed in a few words: ``2 models (transient), 1 test (test_failed); 7 nodes skipped``."""
        counts = Counter((finding.resource_type, finding.category) for finding in self.findings)
        groups = [f"{count} {_plural(kind, count)} ({category})" for (kind, category), count in counts.items()]
        failed = listed(groups, _SHOWN_GROUPS)
        skipped = f"; {len(self.skipped)} {_plural('node', len(self.skipped))} skipped" if self.skipped else ""
        return failed + skipped

    @property
    def headline(self) -> str | None:
        """The finding that decides the verdict, and what else failed; None without findings."""
        first = next((finding for finding in self.findings if finding.category is self.verdict), None)
        if first is None:
            return None
        others = [finding.label for finding in self.findings if finding is not first]
        return f"{first}; also failed: {listed(others, _NAMED)}" if others else str(first)

    @property
    def names(self) -> str:
        """What failed, by its names: ``model orders, test unique_orders_id and 3 more``."""
        return listed([finding.label for finding in self.findings], _NAMED)

    def __repr__(self) -> str:
        """Return the diagnosis with the first findings only."""
        findings, skipped = _cut(self.findings), _cut(self.skipped)
        return f"Diagnosis({self.run_id}, findings=({findings}), skipped=({skipped}), step={self.step!r})"

    def to_dict(self, *, told: int | None = REPORTED_FINDINGS) -> dict[str, Any]:
        """Return the diagnosis as plain JSON values.

        :param told: the most findings to include; None includes all. ``found`` counts all in any case.
        """
        return {
            "run_id": self.run_id,
            "verdict": str(self.verdict),
            "step": self.step,
            "evidence": self.evidence,
            "fingerprint": self.fingerprint,
            "skipped": len(self.skipped),
            "undone": self.undone,
            "keeps": None if self.keeps is None else list(self.keeps),
            "found": len(self.findings),
            "findings": [finding.to_dict() for finding in self.findings[:told]],
        }


def unchanging_words(message: str) -> str:
    """Return a message with ``#`` for numbers and ids, so that two of the same trouble are equal."""
    return _CHANGING.sub("#", message)


def _unchanging(finding: Finding) -> str:
    return f"{finding.subject}|{finding.status}|{unchanging_words(finding.message)}"


def _cut(values: Sequence[object]) -> str:
    shown = [repr(value) for value in values[:REPORTED_FINDINGS]]
    left = len(values) - len(shown)
    return ", ".join([*shown, *([and_more(left)] if left else [])])


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"
