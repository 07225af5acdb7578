"""The engines that relax a field: one rule, one signature, the same bits.

An engine is a function ``relax(units, graph, threshold, alpha, max_steps, threads) -> activity``; its meaning is
written out in :mod:`gradcascade.probe.engines.reference`.
"""

from __future__ import annotations

from collections.abc import Callable

from gradcascade.errors import InputError
from gradcascade.probe.engines import cpu, reference

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
