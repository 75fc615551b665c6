"""Whether a green rerun really did the work: the nodes that were owed must now be done.

``dbt retry`` can be green and do nothing (stale results, an interrupted run, a failed hook). So after a rerun from
failure, the node results of the whole chain of runs are merged, and what had failed or been skipped must be done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_dbt_rerun.core.merging import merged, undone
from airflow_dbt_rerun.core.models import StepResults


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of the nodes that a rerun owed.

    ``checked`` is False when the node results of one side could not be had: then dbt's own word counts.
    """

    checked: bool
    healed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    nodes_run: int = 0
    nodes_saved: int = 0

    @property
    def is_hollow(self) -> bool:
        """Whether dbt said success while some of the owed work was not done."""
        return self.checked and bool(self.missing)

    @property
    def summary(self) -> str:
        """What was verified, in words for a log."""
        if not self.checked:
            return "not verified: the node results could not be had, so dbt's own status counts"
        if self.missing:
            shown = ", ".join(self.missing[:5]) + (", ..." if len(self.missing) > 5 else "")  # noqa: PLR2004
            return f"hollow: dbt says success, but {len(self.missing)} owed nodes were not done: {shown}"
        return f"verified: all {len(self.healed)} nodes that had failed or been skipped are done now"


def verify(before: Sequence[StepResults], after: Sequence[StepResults]) -> Verification:
    """Compare what the earlier runs of a chain left undone with what the green rerun did.

    :param before: node results of the failed steps of the earlier runs, oldest first.
    :param after: node results of the green rerun.
    """
    owed, done = undone(before), merged(after)
    if not merged(before) or not after:
        return Verification(checked=False)
    healed = tuple(unique_id for unique_id in owed if unique_id in done and done[unique_id].is_ok)
    missing = tuple(sorted(set(owed) - set(healed)))
    run = {unique_id for unique_id, node in done.items() if not node.is_skipped}
    saved = {unique_id for unique_id, node in merged(before).items() if node.is_ok} - run
    return Verification(True, healed, missing, nodes_run=len(run), nodes_saved=len(saved))
