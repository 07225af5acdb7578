"""Engines that work in the host's memory, on NumPy arrays."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.probe import threshold
from gradcascade.probe.array import as_field
from gradcascade.probe.engines import cpu, reference
from gradcascade.probe.fixedpoint import Scale, moved, to_units
from gradcascade.probe.graph import Graph
from gradcascade.probe.magnitudes import Magnitudes
from gradcascade.probe.parts import Parts, in_parts
from gradcascade.probe.threshold import Field


@dataclass(frozen=True)
class HostEngine:
    """Reads and relaxes fields in the host's memory; see :class:`gradcascade.probe.engines.Engine`."""

    name: str
    threads: int

    def read(self, values: Any) -> Any:
        """Give a field as its parts or a flat array, read-only since kernels are compiled for one kind of array."""
        if isinstance(values := in_parts(values), Parts):
            return values
        field = as_field(values).view()
        field.flags.writeable = False
        return field

    def survey(self, field: Field) -> Magnitudes:
        """Read a field once; refuse what is not finite."""
        return threshold.survey(field, self.threads)

    def quantile(self, field: Field, q: float, magnitudes: Magnitudes | None = None) -> float:
        """Exact quantile of the magnitudes."""
        return threshold.quantile(field, q, magnitudes, self.threads)

    def subsample(self, field: Field, seed: int) -> Any:
        """Draw the published subsample."""
        return threshold.subsample(field, seed)

    def prepare(self, graph: Graph) -> None:
        """Do nothing: graphs are in the host's memory."""

    def measure(self, field: Field, scale: Scale, graph: Graph, alpha: float, max_steps: int) -> NDArray[np.int64]:
        """Cut a field to units and relax it: its activity."""
        if self.name == "cpu":  # cuts and marks in one go
            return cpu.measure(field, scale, graph, alpha, max_steps, self.threads)
        whole = field.whole() if isinstance(field, Parts) else field
        return reference.relax(to_units(whole, scale), graph, scale.threshold, alpha, max_steps)

    def relax(
        self, field: Field, scale: Scale, graph: Graph, alpha: float, max_steps: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Activity of a field, and the field that it relaxes to."""
        whole = field.whole() if isinstance(field, Parts) else field
        before = to_units(whole, scale)
        after = before.copy()
        if self.name == "reference":
            activity = reference.relax(after, graph, scale.threshold, alpha, max_steps)
        else:
            steps = cpu.steps(after, graph, scale.threshold, alpha, max_steps, self.threads)
            activity = np.array([len(active) for active in steps], np.int64)
        return activity, moved(whole, after - before, scale)
