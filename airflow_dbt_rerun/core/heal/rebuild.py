"""Rebuild the nodes that a failed test checks: ``dbt retry`` runs the test again, but never the model it tests.

So a resume cannot heal a failed data test: the same data fails the same test. A build of the tested nodes, the
failed tests and the nodes skipped because of them can, if the source data has changed meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass

from airflow_dbt_rerun.core.dbt.commands import build_instead
from airflow_dbt_rerun.core.dbt.manifest import ManifestFacts
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis

LONGEST_COMMAND = 30_000
"""Characters: below the known limits of shells and web servers."""

_BUILT = frozenset({"model", "seed", "snapshot"})
"""Resource types that dbt can build again; a source is loaded outside dbt."""


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The rebuild command, or why there is none."""

    command: str | None = None
    why_not: str | None = None
    hopeless: bool = False
    """Whether no other kind of rerun could change what the tests check either."""


def rebuild(command: str, diagnosis: Diagnosis, facts: ManifestFacts | None) -> Rebuild:
    """Return the command that rebuilds what the failed tests of ``command`` check.

    :param command: the failed command; its vars, target, exclusions and full refresh are kept.
    :param facts: of the failed run's own manifest; None if it could not be read.
    """
    if facts is None:
        return Rebuild(why_not="manifest.json could not be read, so the tested nodes are unknown")
    failed = [finding.subject for finding in diagnosis.findings if finding.is_node]
    tested = {name for test in failed for name in facts.tested.get(test, ()) if name.split(".", 1)[0] in _BUILT}
    others = [name for name in failed if not name.startswith(("test.", "unit_test."))]
    if not tested and not others:
        return Rebuild(why_not="the failed tests check nothing that dbt builds", hopeless=True)
    wanted = dict.fromkeys([*sorted(tested), *failed, *diagnosis.skipped])
    unknown = [name for name in wanted if name not in facts.fqns]
    if unknown:
        return Rebuild(why_not=f"manifest.json does not contain {unknown[0]}")
    text = build_instead(command, (f"fqn:{facts.fqns[name]}" for name in wanted))
    if len(text) > LONGEST_COMMAND:
        return Rebuild(why_not=f"its {len(wanted)} nodes are too many for one command")
    return Rebuild(text)
