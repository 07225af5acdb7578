"""The result of one relaxation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Cascade:
    """How one field relaxed (arXiv:2605.02968)."""

    n: int
    """Number of entries of the field, N."""
    tau: float
    """Threshold, in the field's own units."""
    activity: NDArray[np.int64]
    """int64, shape (duration,): number of active nodes at each step."""
    ceiling: bool
    """Whether it lasted the largest number of steps, so that its true duration is unknown."""
    max_over_tau: float
    """Largest magnitude over the threshold; infinite if tau is zero and the field is not."""
    zero_share: float
    """Share of entries that are exactly zero."""

    @property
    def size(self) -> int:
        """Active update events, s: a node counts every time it is active."""
        return int(self.activity.sum())

    @property
    def duration(self) -> int:
        """Steps until nothing was active, n_steps."""
        return len(self.activity)

    @property
    def v_abs(self) -> float:
        """Absolute transport: size / duration, in events per step; 0 for a field in which nothing is active."""
        return self.size / self.duration if self.duration else 0.0

    @property
    def v_rel(self) -> float:
        """Intensive transport efficiency: size / (N duration)."""
        return self.v_abs / self.n


@dataclass(frozen=True, eq=False)
class Relaxed:
    """A field after its relaxation, and the cascade that led there."""

    cascade: Cascade
    field: NDArray[np.float64]
    """float64, shape (N,), in the field's own units and in the order in which the probe read its entries."""
