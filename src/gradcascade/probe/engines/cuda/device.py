"""Where the CUDA engine works: a GPU, or the processor where Triton interprets the kernels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gradcascade.errors import InputError

if TYPE_CHECKING:
    import torch


def installed() -> bool:
    """Whether PyTorch and Triton are there."""
    return not _missing()


def _missing() -> list[str]:
    return [name for name, module in (("PyTorch", "torch"), ("Triton", "triton")) if find_spec(module) is None]


def check() -> None:
    """Refuse a machine on which the engine cannot work."""
    if missing := _missing():
        raise InputError(
            f"engine cuda needs {' and '.join(missing)}, not installed here; "
            "install gradcascade[cuda] (on Linux), or use --engine cpu"
        )
    import torch

    _refuse_after_fork()
    if not interpreted() and not torch.cuda.is_available():
        raise InputError("engine cuda finds no CUDA device on this machine; use --engine cpu")


def _refuse_after_fork() -> None:
    """Refuse a forked process whose parent has used CUDA: it cannot use it itself."""
    import torch

    if getattr(torch.cuda, "_is_in_bad_fork", bool)():
        raise InputError(
            "engine cuda cannot work in a forked process whose parent has used CUDA; start workers with "
            'multiprocessing.get_context("spawn"), or use the engine cpu'
        )


def interpreted() -> bool:
    """Whether Triton runs the kernels in Python (``TRITON_INTERPRET=1``), for tests without a GPU."""
    from triton.runtime.interpreter import InterpretedFunction  # pyright: ignore[reportMissingImports]

    from gradcascade.probe.engines.cuda import kernels

    return isinstance(kernels.settle, InterpretedFunction)


def device_of(values: Any) -> torch.device:
    """Device on which a field is measured: its own, if that is a GPU."""
    import torch

    if on_gpu(values):
        return values.device
    _refuse_after_fork()
    return torch.device("cpu") if interpreted() else torch.device("cuda", torch.cuda.current_device())


def on_gpu(values: Any) -> bool:
    """Whether a field is a tensor on a CUDA device."""
    return bool(getattr(values, "is_cuda", False))


@contextmanager
def working_on(device: torch.device) -> Iterator[None]:
    """Launch on this device; say so in one sentence if its memory is too small."""
    import torch

    try:
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            yield
    except torch.cuda.OutOfMemoryError:
        raise InputError(
            f"the memory of {device} is too small for this field and its graph; free some, or use --engine cpu"
        ) from None
