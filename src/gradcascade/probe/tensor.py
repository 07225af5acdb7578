"""One array or tensor: read flat, or refused by name with what to do."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.probe.graphs import MIN_NODES


def flat(values: Any) -> NDArray[Any]:
    """One array or tensor, in row-major order; numbers that no field has keep their type."""
    if is_tensor(values):
        values = _tensor(values)
    if isinstance(values, np.ma.MaskedArray):
        raise InputError("a masked array cannot be measured; pass its filled() or compressed() values")
    try:
        array = np.asarray(values)
    except ValueError as error:  # rows of different lengths
        raise InputError(f"a field must be an array of numbers, but this cannot be read as one: {error}") from None
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype.kind in "iu":
        array = array.astype(np.float64)
    elif array.dtype == np.float16 or array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    return np.ascontiguousarray(array).reshape(-1)


def is_tensor(values: Any) -> bool:
    """Whether this is a tensor of torch, which need not be imported to tell."""
    return hasattr(values, "detach") and hasattr(values, "cpu")


def is_something_else(values: Any) -> bool:
    """Whether this is taken for a field by mistake, and must not be read piece by piece."""
    return _what_else(values) is not None


def _what_else(values: Any) -> str | None:
    """What else than a field a user may pass, and what to pass in its place."""
    if isinstance(values, (str, bytes, PathLike)):
        return "text; of a file, pass what is in it, or run `gradcascade probe FILE`"
    if hasattr(values, "named_parameters"):
        return "a model; pass {name: p.grad for name, p in model.named_parameters()}"
    if hasattr(values, "toarray") and hasattr(values, "nnz"):
        return "a sparse matrix; pass its toarray()"
    return None


def kind_of(tensor: Any) -> np.dtype[Any]:
    """NumPy's type for the entries of an array or tensor; float32 for those of less than 32 bits that it lacks."""
    name = str(tensor.dtype).removeprefix("torch.")
    if name == "bfloat16" or name.startswith("float8"):
        return np.dtype("float32")
    try:
        return np.dtype(name)
    except TypeError:  # quantised
        raise InputError(f"a {name} tensor cannot be read as a field; pass its dequantize()") from None


def refuse_part(name: str, tensor: Any) -> None:
    """Refuse a tensor of which this process holds only a part: measured, it would be taken for the whole."""
    advice = "call gc.full_gradients(model) or gc.full_parameters(model) on all ranks, and measure on rank 0"
    if type(tensor).__name__ == "DTensor" or hasattr(tensor, "full_tensor"):
        how = "sharded over processes (a DTensor, FSDP2 or tensor parallel)"
    elif any(hasattr(tensor, mark) for mark in ("_is_flat_param", "_fsdp_flattened", "_shard_param_infos")):
        how = "sharded by FSDP"
    elif hasattr(tensor, "ds_id"):
        how = "partitioned by DeepSpeed ZeRO-3"
    elif getattr(tensor, "tensor_model_parallel", False):
        how = "split by Megatron's tensor parallelism"
    else:
        return
    raise InputError(f"{name} is {how}: this process holds a part of it; {advice}")


def refuse_unreadable(name: str, tensor: Any) -> None:
    """Refuse what is no tensor, has no values of its own, or is a part of one; say which and what to do."""
    if tensor is None:
        raise InputError(f"{name} is None, as where backward() did not reach it; leave it out, or pass zeros")
    if wrong := _what_else(tensor):
        raise InputError(f"{name} is {wrong}")
    kind = str(getattr(tensor, "dtype", "")).removeprefix("torch.")
    if kind == "bool":
        raise InputError(f"{name} is a mask (bool), whose entries are all at the threshold or 0; pass what it masks")
    if not is_tensor(tensor):
        return
    refuse_part(name, tensor)
    if getattr(tensor, "is_nested", False):
        raise InputError(f"{name} is a nested {kind} tensor; pass its unbind(), a list of tensors")
    if getattr(tensor, "is_quantized", False):
        raise InputError(f"{name} is a {kind} tensor; pass its dequantize()")
    layout = str(getattr(tensor, "layout", "torch.strided")).removeprefix("torch.")
    if layout != "strided":
        raise InputError(f"{name} is a {kind} tensor of this layout: {layout}; pass its to_dense()")
    if getattr(tensor, "is_meta", False):
        raise InputError(f"{name} is a {kind} tensor of this layout: meta, without values; pass one that has them")


def _tensor(values: Any) -> NDArray[Any]:
    """Give a torch tensor as an array."""
    kind = str(values.dtype).removeprefix("torch.")
    try:
        values = values.detach().cpu()
        if kind == "bfloat16" or kind.startswith("float8"):  # NumPy has no such types; float32 holds them exactly
            values = values.float()
        return values.numpy(force=True)
    except (TypeError, RuntimeError) as error:  # quantised, without memory of its own
        reason = str(error).partition("\n")[0]
        raise InputError(f"a {kind} tensor of this layout cannot be read as a field: {reason}") from None


def check_field(kind: str, size: int) -> None:
    """Refuse a field that is not made of real floating-point numbers, or has too few entries."""
    if kind.startswith("complex"):
        raise InputError(
            f"a field holds real floating-point numbers, got {kind}; pass its real part, or real and imaginary parts "
            "as two entries"
        )
    if kind == "object":
        raise InputError("a field holds real floating-point numbers, got an array of objects; pass numbers")
    if kind not in ("float32", "float64"):
        raise InputError(f"a field holds real floating-point numbers, got {kind}; convert it to float32")
    if size < MIN_NODES:
        raise InputError(f"a field needs at least {MIN_NODES} entries, got {size}; pass a whole snapshot")
