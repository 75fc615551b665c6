"""The progress of an attempt over the previous one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of the nodes that the previous attempt had left undone are done now."""

    owed: int
    """Nodes that the previous attempt had left failed or skipped."""
    left: int
    """Nodes that are failed or skipped now."""

    @property
    def healed(self) -> int:
        """How many fewer nodes are undone now."""
        return max(self.owed - self.left, 0)

    def __str__(self) -> str:
        """Return the progress in words for a log."""
        if not self.healed:
            return f"healed none of the {self.owed} nodes that were left undone"
        return f"healed {self.healed} of the {self.owed} nodes that were left undone; {self.left} are left"
