"""Whether an attempt came further than the one before it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Progress:
    """What became of the nodes that the attempt before had left undone."""

    owed: int
    """Nodes that the attempt before had left failed or skipped."""
    left: int
    """Nodes that are failed or skipped now."""

    @property
    def healed(self) -> int:
        """How many fewer nodes are undone now."""
        return max(self.owed - self.left, 0)

    def __str__(self) -> str:
        """Tell it in words for a log."""
        if not self.healed:
            return f"healed none of the {self.owed} nodes it owed"
        return f"healed {self.healed} of the {self.owed} nodes it owed; {self.left} are left"
