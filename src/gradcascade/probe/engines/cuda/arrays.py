"""Fields and graphs on the device; the graphs measured last stay there."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.memory import on_release
from gradcascade.probe.array import as_field
from gradcascade.probe.engines.cuda.kernels import SPLIT
from gradcascade.probe.graph import Graph, GraphSpec
from gradcascade.probe.parts import Parts, in_parts
from gradcascade.probe.tensor import check_field, flat, is_tensor, refuse_unreadable

if TYPE_CHECKING:
    from torch import Tensor

CHUNK = 1 << 24
"""Entries that are copied to the device at once: a graph may be mapped from disk and larger than free memory."""

RESIDENT = 2
"""Graphs that stay on their devices; 20 bytes a node each (m = 2)."""


class DeviceGraph(NamedTuple):
    """The rows of a graph on a device; offsets of 32 bits are unsigned numbers behind a signed type."""

    offsets: Tensor
    neighbours: Tensor


_resident: OrderedDict[tuple[GraphSpec | int, torch.device], tuple[DeviceGraph, Graph | None]] = OrderedDict()


def upload(array: NDArray, device: torch.device) -> Tensor:
    """Copy an array, piece by piece; unsigned numbers keep their bits and get a signed type."""
    array = array.view(np.int32) if array.dtype == np.uint32 else array
    result = torch.empty(len(array), dtype=torch.from_numpy(array[:0].copy()).dtype, device=device)
    for start in range(0, len(array), CHUNK):
        piece = np.array(array[start : start + CHUNK])  # torch does not share memory that is read-only
        result[start : start + len(piece)] = torch.from_numpy(piece)
    return result


def read_field(values: Any, device: torch.device) -> Tensor:
    """Flatten a field as :func:`gradcascade.probe.array.as_field` does; one that lives on the device stays there.

    The tensors of a field in parts are copied one after another into one on the device.
    """
    if isinstance(values := in_parts(values), Parts):
        field = torch.empty(len(values), dtype=getattr(torch, values.kind), device=device)
        start = 0
        for tensor, size in zip(values.tensors, values.sizes, strict=True):
            piece = tensor.detach().reshape(-1) if is_tensor(tensor) else torch.from_numpy(flat(tensor).copy())
            field[start : start + size] = piece
            start += size
        return field
    if isinstance(values, torch.Tensor) and values.is_cuda and values.device == device:
        refuse_unreadable("the field", values)
        return flatten(values)
    return upload(as_field(values), device)


def flatten(tensor: Tensor) -> Tensor:
    """Flatten a tensor in row-major order where it lives, as :func:`gradcascade.probe.array.as_field` does."""
    field = tensor.detach().resolve_neg()
    if field.dtype in (torch.float16, torch.bfloat16):
        field = field.float()
    elif not field.is_floating_point() and not field.is_complex():
        field = field.double()
    check_field(str(field.dtype).removeprefix("torch."), field.numel())
    return field.reshape(-1).contiguous()


def resident(graph: Graph, device: torch.device) -> DeviceGraph:
    """Rows of a graph on a device: those that are there, or a new copy, which stays in place of the oldest."""
    key = (graph.spec or id(graph), device)
    if key not in _resident:
        offsets, neighbours = graph.rows()
        if len(neighbours) >> SPLIT:
            raise InputError(
                f"engine cuda takes graphs of less than 2**{SPLIT} neighbours, got {len(neighbours):,}; "
                "use --engine cpu"
            )
        while len(_resident) >= RESIDENT:
            _resident.popitem(last=False)
        rows = DeviceGraph(upload(offsets, device), upload(neighbours, device))
        # A graph of one's own is kept as well: as long as it lives, no other has its id.
        _resident[key] = rows, None if graph.spec else graph
    _resident.move_to_end(key)
    return _resident[key][0]


@on_release
def release() -> None:
    """Let go of all graphs on devices, and of the memory that PyTorch keeps for later."""
    _resident.clear()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
