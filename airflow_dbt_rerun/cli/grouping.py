"""Group findings that fail alike: three hundred models with one dropped connection are one row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.diagnosis.diagnosis import HARDEST_FIRST, Finding
from airflow_dbt_rerun.core.messages import listed


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one category, one kind of node and one message."""

    findings: tuple[Finding, ...]

    @property
    def first(self) -> Finding:
        """The first finding; all have its message."""
        return self.findings[0]

    @property
    def category(self) -> Category:
        """Their category."""
        return self.first.category

    def names(self, most: int | None) -> str:
        """Name the nodes: ``model orders``, or ``300 models: orders, customers, payments and 297 more``.

        :param most: how many names at most; None for all.
        """
        kind, count = self.first.resource_type, len(self.findings)
        if count == 1:
            return f"{kind} {self.first.name}" if self.first.is_node else self.first.name
        names = [finding.name for finding in self.findings]
        return f"{count} {kind}s: {listed(names, count if most is None else most)}"


def grouped(findings: Iterable[Finding]) -> dict[Category, list[Group]]:
    """Group findings by category, the hardest first, then by message, the largest group first."""
    alike: dict[tuple[str, ...], list[Finding]] = {}
    for each in findings:
        key = (each.category, each.resource_type, each.signature or "", each.message)
        alike.setdefault(key, []).append(each)
    groups = sorted((Group(tuple(each)) for each in alike.values()), key=lambda group: -len(group.findings))
    found = {category: [group for group in groups if group.category is category] for category in HARDEST_FIRST}
    return {category: those for category, those in found.items() if those}
