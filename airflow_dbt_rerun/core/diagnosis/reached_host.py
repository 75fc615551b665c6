"""Judge a host name that could not be resolved by whether the same command has reached its warehouse.

"Name or service not known" is what the resolver answers for a misspelt host, and also what a resolver that has
trouble answers for an hour. The text does not tell them apart, so it is *unknown*. Where other nodes of the same
command did their work, the host exists: the trouble passes. ("Temporary failure in name resolution" is transient in
any case.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.results import NodeResult
from airflow_dbt_rerun.core.diagnosis.diagnosis import Finding

_NOT_FOUND = "host not found"
"""The name of the signatures of such errors, in every table."""

_DONE_IN_LOG = re.compile(r"^\S{0,30} {1,4}\d+ of \d+ (?:OK|PASS) ", re.MULTILINE)


def nodes_reached_it(nodes: Iterable[NodeResult]) -> bool:
    """Return whether some node did its work in the warehouse."""
    return any(node.is_ok for node in nodes)


def log_reached_it(log: str) -> bool:
    """Return the same from a log."""
    return _DONE_IN_LOG.search(log) is not None


def judged(findings: Iterable[Finding], *, reached: bool) -> tuple[Finding, ...]:
    """Return the findings, those of an unknown host as transient if it was reached."""
    return tuple(
        _passing(finding) if reached and finding.signature == _NOT_FOUND else finding for finding in findings
    )


def _passing(finding: Finding) -> Finding:
    return replace(finding, category=Category.TRANSIENT) if finding.category is Category.UNKNOWN else finding
