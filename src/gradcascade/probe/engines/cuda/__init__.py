"""The CUDA engine: PyTorch tensors in, Triton kernels; the same bits as the other engines.

Of the field, only counts come back: two histograms (float32; four for float64), and two numbers a step. Importing
this package imports neither PyTorch nor Triton.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.probe.engines.cuda.device import check, device_of, working_on
from gradcascade.probe.fixedpoint import Scale
from gradcascade.probe.graph import Graph
from gradcascade.probe.magnitudes import Magnitudes

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class CudaEngine:
    """Reads and relaxes fields on one device; see :class:`gradcascade.probe.engines.Engine`."""

    device: torch.device
    name: str = "cuda"

    @classmethod
    def for_field(cls, values: Any) -> CudaEngine:
        """Engine on the device where a field lives, if that is a GPU."""
        check()
        return cls(device_of(values))

    def read(self, values: Any) -> Tensor:
        """Give a field as a tensor on the device."""
        from gradcascade.probe.engines.cuda.arrays import read_field

        with working_on(self.device):
            return read_field(values, self.device)

    def survey(self, field: Tensor) -> Magnitudes:
        """Read a field once; refuse what is not finite."""
        from gradcascade.probe.engines.cuda import counting

        with working_on(self.device):
            return counting.survey(field)

    def quantile(self, field: Tensor, q: float, magnitudes: Magnitudes | None = None) -> float:
        """Exact quantile of the magnitudes."""
        from gradcascade.probe.engines.cuda import counting

        with working_on(self.device):
            return counting.quantile(field, q, magnitudes)

    def subsample(self, field: Tensor, seed: int) -> Tensor:
        """Draw the published subsample."""
        from gradcascade.probe.engines.cuda import counting

        with working_on(self.device):
            return counting.subsample(field, seed)

    def prepare(self, graph: Graph) -> None:
        """Bring a graph to the device."""
        from gradcascade.probe.engines.cuda.arrays import resident

        with working_on(self.device):
            resident(graph, self.device)

    def measure(self, field: Tensor, scale: Scale, graph: Graph, alpha: float, max_steps: int) -> NDArray[np.int64]:
        """Cut a field to units and relax it: its activity."""
        from gradcascade.probe.engines.cuda.arrays import resident
        from gradcascade.probe.engines.cuda.counting import to_units
        from gradcascade.probe.engines.cuda.relaxing import relax

        with working_on(self.device):
            rows = resident(graph, self.device)
            return relax(to_units(field, scale), *rows, scale.threshold, alpha, max_steps)
