"""The engines: one rule, written out in :mod:`gradcascade.probe.engines.reference`, and the same bits from each."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.engines.cuda import device
from gradcascade.probe.engines.host import HostEngine
from gradcascade.probe.fixedpoint import Scale
from gradcascade.probe.graph import Graph
from gradcascade.probe.magnitudes import Magnitudes

NAMES = ("auto", "reference", "cpu", "cuda")


class Engine(Protocol):
    """What the probe asks of an engine. A field is an array of the engine's own kind, as :meth:`read` gives it."""

    @property
    def name(self) -> str:
        """Name of the engine, one of :data:`NAMES` but ``"auto"``."""
        ...

    def read(self, values: Any) -> Any:
        """Give a user's array or tensor as a flat field, as :func:`gradcascade.probe.array.as_field` describes."""
        ...

    def survey(self, field: Any) -> Magnitudes:
        """Read a field once, as :func:`gradcascade.probe.threshold.survey`."""
        ...

    def quantile(self, field: Any, q: float, magnitudes: Magnitudes | None = None) -> float:
        """Exact quantile of the magnitudes, as :func:`gradcascade.probe.threshold.quantile`."""
        ...

    def subsample(self, field: Any, seed: int) -> Any:
        """Draw the published subsample, as :func:`gradcascade.probe.threshold.subsample`."""
        ...

    def prepare(self, graph: Graph) -> None:
        """Bring a graph to where fields are measured, which the first measurement does otherwise."""
        ...

    def measure(self, field: Any, scale: Scale, graph: Graph, alpha: float, max_steps: int) -> NDArray[np.int64]:
        """Cut a field to units and relax it: the number of active nodes at each step."""
        ...


def check(name: str) -> None:
    """Refuse an engine that does not exist, or that cannot work on this machine."""
    if name not in NAMES:
        raise InputError(f"engine {name!r} is unknown; choose one of {', '.join(NAMES)}")
    if name == "cuda":
        device.check()


def resolve(name: str, values: Any) -> str:
    """Say which engine a name stands for: ``"auto"`` is cuda for a field that lives on a GPU, else cpu."""
    if name != "auto":
        return name
    return "cuda" if device.on_gpu(values) and device.installed() else "cpu"


def choose(name: str, values: Any, threads: int) -> Engine:
    """Give the engine of a name for a field."""
    name = resolve(name, values)
    if name != "cuda":
        return HostEngine(name, threads)
    device.check()
    from gradcascade.probe.engines.cuda.engine import CudaEngine

    return CudaEngine(device.device_of(values))
