"""Engines that work in the host's memory, on NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.probe import threshold
from gradcascade.probe.array import as_field
from gradcascade.probe.engines import cpu, reference
from gradcascade.probe.fixedpoint import Scale, to_units
from gradcascade.probe.graph import Graph
from gradcascade.probe.magnitudes import Magnitudes


@dataclass(frozen=True)
class HostEngine:
    """Reads and relaxes fields in the host's memory; see :class:`gradcascade.probe.engines.Engine`."""

    name: str
    threads: int

    def read(self, values: Any) -> NDArray[np.floating]:
        """Give a field as a flat array, marked as read-only: kernels are compiled for one kind of array."""
        field = as_field(values).view()
        field.flags.writeable = False
        return field

    def survey(self, field: NDArray[np.floating]) -> Magnitudes:
        """Read a field once; refuse what is not finite."""
        return threshold.survey(field, self.threads)

    def quantile(self, field: NDArray[np.floating], q: float, magnitudes: Magnitudes | None = None) -> float:
        """Exact quantile of the magnitudes."""
        return threshold.quantile(field, q, magnitudes, self.threads)

    def subsample(self, field: NDArray[np.floating], seed: int) -> NDArray[np.floating]:
        """Draw the published subsample."""
        return threshold.subsample(field, seed)

    def prepare(self, graph: Graph) -> None:
        """Do nothing: graphs are in the host's memory."""

    def measure(
        self, field: NDArray[np.floating], scale: Scale, graph: Graph, alpha: float, max_steps: int
    ) -> NDArray[np.int64]:
        """Cut a field to units and relax it: its activity."""
        if self.name == "cpu":  # cuts and marks in one go
            return cpu.measure(field, scale, graph, alpha, max_steps, self.threads)
        return reference.relax(to_units(field, scale), graph, scale.threshold, alpha, max_steps)
