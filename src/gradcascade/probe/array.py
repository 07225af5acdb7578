"""Any array or tensor a user has, as one flat field."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.graph import MIN_NODES


def as_field(values: Any) -> NDArray[np.floating]:
    """Flatten an array in row-major order, widening half precision exactly; never modifies its input.

    Parameters
    ----------
    values : array
        NumPy array (or what ``numpy.asarray`` takes) or torch tensor, of any shape; float16, bfloat16, float32,
        float64, or integers.

    Returns
    -------
    numpy.ndarray
        float32 or float64, shape (N,), contiguous; a view where that is possible.

    Raises
    ------
    InputError
        If it has fewer than three entries or is not real-valued.
    """
    if hasattr(values, "detach") and hasattr(values, "cpu"):
        values = values.detach().cpu()
        if str(values.dtype) == "torch.bfloat16":  # NumPy has no such type; float32 holds it exactly
            values = values.float()
        values = values.numpy()
    array = np.asarray(values)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    elif array.dtype == np.float16 or array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    check_field(str(array.dtype), array.size)
    return np.ascontiguousarray(array).reshape(-1)


def check_field(kind: str, size: int) -> None:
    """Refuse a field of entries that are no real floating-point numbers, or of too few entries."""
    if kind not in ("float32", "float64"):
        raise InputError(f"a field holds real floating-point numbers, got {kind}; convert it to float32")
    if size < MIN_NODES:
        raise InputError(f"a field needs at least {MIN_NODES} entries, got {size}; pass a whole snapshot")
