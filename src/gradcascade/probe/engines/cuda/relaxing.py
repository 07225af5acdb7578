"""Relaxation on the device: two launches a step, and one number that comes back to the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import triton  # pyright: ignore[reportMissingImports]
from numpy.typing import NDArray

from gradcascade.probe.engines.cuda import kernels
from gradcascade.probe.engines.cuda.kernels import launch

if TYPE_CHECKING:
    from torch import Tensor

BLOCK = 512
"""Nodes that one program looks at."""

SPAN = 512
"""Contributions that one program makes."""


@dataclass(frozen=True)
class _Active:
    """The active nodes of a step, in any order, after they handed on; arrays may be longer than ``count``."""

    count: int
    contributions: int
    nodes: Tensor
    shifts: Tensor
    """From the number of a contribution to its place among the neighbours."""
    shares: Tensor
    ends: Tensor
    """Number at which the contributions of each node end, ascending."""


@dataclass(frozen=True)
class _Candidates:
    """Who may be active next: ``known`` nodes, then as many more as ``lifted`` says, at most ``most`` together."""

    nodes: Tensor
    lifted: Tensor
    known: int
    most: int


class _Relaxation:
    """A field on its graph, and the two halves of a step."""

    def __init__(self, units: Tensor, offsets: Tensor, neighbours: Tensor, threshold: int, alpha: float) -> None:
        self.units = units
        self.offsets = offsets
        self.neighbours = neighbours
        self.threshold = threshold
        self.alpha = torch.full((1,), alpha, dtype=torch.float64, device=units.device)  # a number goes as 32 bits
        self.marks = self._empty((len(units) >> 5) + 1, torch.int32).zero_()
        self.first = self._empty(triton.cdiv(len(neighbours), SPAN) + 1, torch.int32)

    def _empty(self, size: int, dtype: torch.dtype) -> Tensor:
        return torch.empty(size, dtype=dtype, device=self.units.device)

    def begin(self) -> _Active:
        """Find the active nodes among all nodes; they are counted first, so that no more memory is taken."""
        n = len(self.units)
        count = self._empty(1, torch.int64).zero_()
        launch(kernels.count_active, triton.cdiv(n, BLOCK), self.units, n, self.threshold, count, BLOCK=BLOCK)
        return self._settle(_Candidates(self.units, count, n, n), int(count), everyone=True)

    def settle(self, candidates: _Candidates) -> _Active:
        """Find the active nodes among the candidates, and let them hand on."""
        return self._settle(candidates, min(candidates.most, len(self.units)), everyone=False)

    def _settle(self, candidates: _Candidates, most: int, everyone: bool) -> _Active:
        nodes = self._empty(most, torch.int32)
        shifts, shares, ends = (self._empty(most, torch.int64) for _ in range(3))
        tally = self._empty(1, torch.int64).zero_()
        launch(
            kernels.settle, triton.cdiv(candidates.most, BLOCK),
            self.units, self.offsets, candidates.nodes, candidates.lifted, self.marks,
            nodes, shifts, shares, ends, self.first, tally, self.alpha, self.threshold, candidates.known,
            ALL=everyone, NARROW=self.offsets.dtype == torch.int32, BLOCK=BLOCK, SPAN=SPAN,
        )  # fmt: skip
        count, contributions = divmod(int(tally) % 2**64, 1 << kernels.SPLIT)
        return _Active(count, contributions, nodes, shifts, shares, ends)

    def spread(self, active: _Active) -> _Candidates:
        """Hand every share to the neighbours."""
        most = active.count + active.contributions
        nodes = self._empty(most, torch.int32)
        nodes[: active.count] = active.nodes[: active.count]
        lifted = self._empty(1, torch.int64).zero_()
        launch(
            kernels.distribute, triton.cdiv(active.contributions, SPAN),
            self.units, self.neighbours, nodes, lifted, self.marks,
            active.nodes, active.shifts, active.shares, active.ends, self.first,
            self.threshold, active.count, active.contributions, SPAN=SPAN,
        )  # fmt: skip
        return _Candidates(nodes, lifted, active.count, most)


def relax(
    units: Tensor, offsets: Tensor, neighbours: Tensor, threshold: int, alpha: float, max_steps: int
) -> NDArray[np.int64]:
    """Relax a field; the rule is that of :func:`gradcascade.probe.engines.reference.relax`."""
    relaxation = _Relaxation(units, offsets, neighbours, threshold, alpha)
    active = relaxation.begin()
    activity = []
    while active.count:
        activity.append(active.count)
        candidates = relaxation.spread(active)
        if len(activity) == max_steps:
            break
        active = relaxation.settle(candidates)
    return np.array(activity, np.int64)
