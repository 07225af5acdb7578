"""The engines: one rule, written out in :mod:`gradcascade.probe.engines.reference`, and the same bits from each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from gradcascade.errors import InputError
from gradcascade.probe.engines.cuda import device
from gradcascade.probe.engines.host import HostEngine

if TYPE_CHECKING:
    from gradcascade.probe.engines.cuda.engine import CudaEngine

NAMES = ("auto", "reference", "cpu", "cuda")


Engine: TypeAlias = "HostEngine | CudaEngine"
"""What the probe asks: each reads fields as arrays of its own kind, which its other methods take."""


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
