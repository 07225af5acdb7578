"""The engines that relax a field: one rule, one signature, the same bits.

An engine is a function ``relax(units, graph, threshold, alpha, max_steps, threads) -> activity``; its meaning is
written out in :mod:`gradcascade.probe.engines.reference`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.engines import cpu, reference
from gradcascade.probe.fixedpoint import Scale, reference_units
from gradcascade.probe.graph import Graph

NAMES = ("auto", "reference", "cpu")

_RELAX: dict[str, Callable] = {"cpu": cpu.relax, "reference": reference.relax}


def check_name(name: str) -> None:
    """Refuse an engine that does not exist."""
    if name not in NAMES:
        raise InputError(f"engine {name!r} is unknown; choose one of {', '.join(NAMES)}")


def resolve(name: str) -> str:
    """Say which engine a name stands for."""
    return "cpu" if name == "auto" else name


def choose(name: str) -> Callable:
    """Give the ``relax`` function of an engine."""
    return _RELAX[name]


def measure(
    name: str,
    field: NDArray[np.floating],
    scale: Scale,
    graph: Graph,
    alpha: float,
    max_steps: int,
    threads: int,
) -> NDArray[np.int64]:
    """Cut a field to units and relax it with an engine: its activity."""
    if name == "cpu":  # cuts and marks in one go
        return cpu.measure(field, scale, graph, alpha, max_steps, threads)
    return _RELAX[name](reference_units(field, scale), graph, scale.threshold, alpha, max_steps, threads)
