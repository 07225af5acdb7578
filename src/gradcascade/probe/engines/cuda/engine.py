"""Measures fields on one device; of a field, only counts come back: two to four histograms, two numbers a step."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gradcascade.probe.engines.cuda import counting, relaxing
from gradcascade.probe.engines.cuda.arrays import read_field, resident
from gradcascade.probe.engines.cuda.device import working_on
from gradcascade.probe.fixedpoint import Scale
from gradcascade.probe.graph import Graph
from gradcascade.probe.magnitudes import Magnitudes


@dataclass(frozen=True)
class CudaEngine:
    """Reads and relaxes fields on one device; see :class:`gradcascade.probe.engines.Engine`."""

    device: torch.device
    name: str = "cuda"

    def read(self, values: Any) -> Any:
        """Give a field as a tensor on the device."""
        with working_on(self.device):
            return read_field(values, self.device)

    def survey(self, field: Tensor) -> Magnitudes:
        """Read a field once; refuse what is not finite."""
        with working_on(self.device):
            return counting.survey(field)

    def quantile(self, field: Tensor, q: float, magnitudes: Magnitudes | None = None) -> float:
        """Exact quantile of the magnitudes."""
        with working_on(self.device):
            return counting.quantile(field, q, magnitudes)

    def subsample(self, field: Tensor, seed: int) -> Any:
        """Draw the published subsample."""
        with working_on(self.device):
            return counting.subsample(field, seed)

    def prepare(self, graph: Graph) -> None:
        """Bring a graph to the device."""
        with working_on(self.device):
            resident(graph, self.device)

    def measure(self, field: Tensor, scale: Scale, graph: Graph, alpha: float, max_steps: int) -> NDArray[np.int64]:
        """Cut a field to units and relax it: its activity."""
        with working_on(self.device):
            rows = resident(graph, self.device)
            return relaxing.relax(counting.to_units(field, scale), *rows, scale.threshold, alpha, max_steps)
