"""Any array or tensor a user has, as one flat field."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.graphs import MIN_NODES


def as_field(values: Any) -> NDArray[np.floating]:
    """Any array or tensor as flat float32 or float64, row-major, a view where possible; half precision exactly."""
    if hasattr(values, "detach") and hasattr(values, "cpu"):
        values = _tensor(values)
    if isinstance(values, np.ma.MaskedArray):
        raise InputError("a masked array cannot be measured; pass its filled() or compressed() values")
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"a field must be an array of numbers, but this cannot be read as one: {error}") from None
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
    """Refuse a field that is not made of real floating-point numbers, or has too few entries."""
    if kind not in ("float32", "float64"):
        raise InputError(f"a field holds real floating-point numbers, got {kind}; convert it to float32")
    if size < MIN_NODES:
        raise InputError(f"a field needs at least {MIN_NODES} entries, got {size}; pass a whole snapshot")
