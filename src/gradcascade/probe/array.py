"""Any array or tensor a user has, as one flat field."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.graphs import MIN_NODES


def as_field(values: Any) -> NDArray[np.floating]:
    """Flatten an array in row-major order, widening half precision exactly; never modifies its input.

    Parameters
    ----------
    values : array
        NumPy array (or what ``numpy.asarray`` takes) or torch tensor, of any shape; float8, float16, bfloat16,
        float32, float64, or integers.

    Returns
    -------
    numpy.ndarray
        float32 or float64, shape (N,), contiguous; a view where that is possible.

    Raises
    ------
    InputError
        If it has fewer than three entries, is not real-valued, is masked, or is a tensor that is not dense.
    """
    if hasattr(values, "detach") and hasattr(values, "cpu"):
        values = _tensor(values)
    if isinstance(values, np.ma.MaskedArray):
        raise InputError("a masked array is no field; give its filled() or its compressed() values")
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"a field is an array of numbers, and this is none: {error}") from None
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    elif array.dtype == np.float16 or array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    check_field(str(array.dtype), array.size)
    return np.ascontiguousarray(array).reshape(-1)


def _tensor(values: Any) -> NDArray[Any]:
    """Give a torch tensor as an array."""
    kind = str(values.dtype).removeprefix("torch.")
    try:
        values = values.detach().cpu()
        if kind == "bfloat16" or kind.startswith("float8"):  # NumPy has no such types; float32 holds them exactly
            values = values.float()
        return values.numpy(force=True)
    except (TypeError, RuntimeError) as error:  # sparse, quantised, without memory of its own
        reason = str(error).partition("\n")[0]
        raise InputError(f"a {kind} tensor of this layout cannot be read as a field: {reason}") from None


def check_field(kind: str, size: int) -> None:
    """Refuse a field of entries that are no real floating-point numbers, or of too few entries."""
    if kind not in ("float32", "float64"):
        raise InputError(f"a field holds real floating-point numbers, got {kind}; convert it to float32")
    if size < MIN_NODES:
        raise InputError(f"a field needs at least {MIN_NODES} entries, got {size}; pass a whole snapshot")
