"""Verify that a green rerun did the work: every owed node must now be done.

``dbt retry`` can succeed and do nothing (stale results, an interrupted run, a failed hook). So after a rerun the
node results of the whole chain of runs are merged, and every node that had failed or been skipped must be done.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from airflow_dbt_rerun.core.categories import Category
from airflow_dbt_rerun.core.dbt.merging import done_for, merged, undone
from airflow_dbt_rerun.core.dbt.models import Run
from airflow_dbt_rerun.core.dbt.results import StepResults
from airflow_dbt_rerun.core.diagnosis.diagnosis import Diagnosis, Finding
from airflow_dbt_rerun.core.messages import counted, listed

MORE_WAS_OWED = "the run that it resumed had left more undone than is recorded"

_SHOWN = 5


class Proof(StrEnum):
    """Whether dbt's record shows that a rerun did what was owed."""

    VERIFIED = "verified"
    NOT_VERIFIABLE = "not verifiable"
    """The record does not say; dbt's own status counts, and the report does not claim more."""
    HOLLOW = "hollow"
    """dbt reported success, but the record shows that owed work was not done."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What became of the nodes that a rerun owed."""

    checked: bool
    """False if the node results of one side could not be read: then dbt's own status counts."""
    healed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    """Owed, and not done."""
    gone: tuple[str, ...] = ()
    """Owed, but no longer in the project when a command ran as a whole: renamed, deleted or disabled meanwhile."""
    left_out: tuple[str, ...] = ()
    """Those of ``missing`` that are still in the project, but not selected by the commands that ran as a whole."""
    unproven: tuple[str, ...] = ()
    """Owed, not done by a command that ran as a whole, and not known to be gone: the manifest could not be read."""
    again: tuple[str, ...] = ()
    """Already done, and run again."""
    warned_only: tuple[str, ...] = ()
    """Those of ``missing`` that only warned, if the failed command counts warnings as errors."""
    nodes_run: int = 0
    nodes_saved: int = 0
    whole_commands: bool = False
    """Whether commands ran as a whole, so that nothing can have been left out silently."""
    uncounted: bool = False
    """Whether more was owed than is recorded, and it was not run as a whole."""

    @property
    def proof(self) -> Proof:
        """The result of the verification, in one word."""
        if self.is_hollow:
            return Proof.HOLLOW
        proven = self.checked and not self.owes_nothing and not self.unproven
        return Proof.VERIFIED if proven else Proof.NOT_VERIFIABLE

    @property
    def owes_nothing(self) -> bool:
        """Whether no node result names what the failed command owed: then nobody knows what that was."""
        return not (self.whole_commands or self.healed or self.missing or self.gone)

    @property
    def is_hollow(self) -> bool:
        """Whether dbt reported success although owed work was not done, or nothing at all was done."""
        did_nothing = not (self.whole_commands or self.healed or self.nodes_run)
        return self.checked and (bool(self.missing) or did_nothing or self.uncounted)

    @property
    def summary(self) -> str:
        """The result of the verification, in words for a log."""
        if not self.checked:
            return "not verifiable: the node results could not be read, so dbt's own status counts"
        if self.is_hollow:
            return f"hollow: dbt reports success, but {self._undone}"
        if self.unproven:
            nodes = listed(self.unproven, _SHOWN)
            return f"not verifiable: the commands ran as a whole without {nodes}, and manifest.json cannot be read"
        if self.owes_nothing:
            return "not verifiable: no node result names what the command left undone, so dbt's own status counts"
        if self.whole_commands and not (self.healed or self.gone):
            return "verified: the commands ran as a whole"
        done = f"all {len(self.healed)} nodes that had failed or been skipped are"
        if len(self.healed) == 1:
            done = "the one node that had failed or been skipped is"
        return f"verified: {done} done now, by the node results{self._besides}"

    @property
    def _undone(self) -> str:
        if not self.missing:
            return MORE_WAS_OWED if self.nodes_run else "no node ran"
        are = "is" if len(self.missing) == 1 else "are"
        what = f"that had failed or been skipped {are} still not done"
        if self.warned_only:
            what = "only warned, and warnings count as errors"
        if self.left_out:
            what = (
                f"{are} still in the project, but the commands no longer select {'it' if are == 'is' else 'them'}"
            )
        return f"{counted(len(self.missing), 'node')} {what}: {listed(self.missing, _SHOWN)}"

    @property
    def _besides(self) -> str:
        gone = f"; {len(self.gone)} are no longer in the project: {listed(self.gone, _SHOWN)}" if self.gone else ""
        return gone + (f"; {len(self.again)} that were already done ran again" if self.again else "")


def verify(
    before: Sequence[StepResults],
    after: Sequence[StepResults],
    *,
    whole_commands: bool = False,
    warnings_fail: bool = False,
    out_of_reach: Collection[int] = (),
    uncounted: bool = False,
    still_there: Collection[str] | None = (),
    others: Collection[tuple[str, ...]] = (),
) -> Verification:
    """Compare what the earlier runs of a chain left undone with what the green rerun did.

    :param before: node results of the failed steps of the earlier runs, oldest first.
    :param after: node results of the green rerun.
    :param whole_commands: whether the rerun ran its commands as a whole: an owed node missing from it is gone.
    :param warnings_fail: whether the failed command counts warnings as errors.
    :param out_of_reach: runs whose failed command the rerun did not run: what they owed does not count as gone.
    :param uncounted: whether more was owed than the node results name.
    :param still_there: the owed nodes without a result that are still in the project; None if that is not known.
    :param others: the words of the work's commands that the rerun runs besides the resumed one.
    """
    owed, earlier = undone(before), merged(before)
    done = done_for(before, after, others)
    if not after or not (before or whole_commands):
        return Verification(checked=False)
    # Dictionaries: there can be thousands of nodes, and the order of their first appearance is kept.
    warned = dict.fromkeys(n for n in owed if warnings_fail and n in done and done[n].status == "warn")
    healed = tuple(n for n in owed if n in done and done[n].is_ok and n not in warned)
    known_in = {node.unique_id: artifact.run_id for artifact in before for node in artifact.nodes}
    absent = tuple(n for n in owed if whole_commands and n not in done and known_in[n] not in out_of_reach)
    left_out = tuple(n for n in absent if still_there is not None and n in still_there)
    gone = tuple(n for n in absent if n not in left_out)
    run = {name for name, node in done.items() if not node.is_skipped}
    finished = {name for name, node in earlier.items() if node.is_ok}
    return Verification(
        checked=True,
        healed=healed,
        missing=tuple(sorted(set(owed) - set(healed) - set(gone))),
        gone=() if still_there is None else gone,
        left_out=left_out,
        unproven=gone if still_there is None else (),
        again=() if whole_commands else tuple(sorted(finished & run)),
        warned_only=tuple(warned),
        nodes_run=len(run),
        nodes_saved=len(finished - run),
        whole_commands=whole_commands,
        uncounted=uncounted,
    )


def hollow_diagnosis(run: Run, checked: Verification) -> Diagnosis:
    """Return a diagnosis of what a green run left undone."""
    words = "dbt reported success, but this node was not done"
    left = tuple(Finding(n, n.split(".", 1)[0], "hollow", Category.UNKNOWN, words) for n in checked.missing)
    nothing = f"dbt reported success, but {MORE_WAS_OWED if checked.nodes_run else 'no node ran'}"
    whole = Finding("the run", "run", "hollow", Category.UNKNOWN, nothing)
    return Diagnosis(run.id, left or (whole,), evidence="the results of all runs of this work")
