"""The processes of a distributed training: which one measures, and whether all have the same gradients."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from gradcascade.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

_LOG = logging.getLogger(__name__)
_COMPARED = count()

PATIENCE = timedelta(seconds=10)
"""How long the first process waits once for the checksums of the others."""


def process_count() -> int:
    """Processes that train together; 1 without torch.distributed."""
    import torch.distributed as dist

    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that measures."""
    import torch.distributed as dist

    return process_count() == 1 or dist.get_rank() == 0


def gathered_keys(keys: frozenset[str]) -> frozenset[str]:
    """What any process has; collective."""
    import torch.distributed as dist

    if process_count() == 1:
        return keys
    found: list[Any] = [None] * process_count()
    dist.all_gather_object(found, sorted(keys))
    return frozenset(key for own in found for key in own)


def compare_gradients(tensors: Iterable[tuple[str, Tensor | None]]) -> None:
    """Say if processes that should hold the same gradients do not; refuse if they hold other parameters.

    Nothing here waits for another process except the first one, for a while: a loop that calls the monitor on one
    process only must not stop.
    """
    from torch.distributed import distributed_c10d

    names, values = hashlib.sha256(), hashlib.sha256()
    for name, tensor in tensors:
        names.update(name.encode())
        values.update(b"none" if tensor is None else _bytes(tensor))
    own = f"{names.hexdigest()[:16]} {values.hexdigest()[:16]}"
    store, key = distributed_c10d._get_default_store(), f"gradcascade-gradients-{next(_COMPARED)}"
    if not is_first():
        store.set(f"{key}-{distributed_c10d.get_rank()}", own)
        return
    others = [f"{key}-{rank}" for rank in range(1, process_count())]
    try:
        store.wait(others, PATIENCE)
    except Exception:  # torch's own error of an expired wait has had several types
        _LOG.warning(
            "gradcascade: only this process measures, so its gradients were not compared with those of the others; "
            "call the monitor on all ranks"
        )
        return
    found = [store.get(other).decode() for other in others]
    if any(other.split()[0] != own.split()[0] for other in found):
        raise InputError(
            "the processes hold different parameters (pipeline parallel?), so that this one has a part of the model; "
            "measure files of the whole model instead"
        )
    if differing := sum(other != own for other in found):
        _LOG.warning(
            "gradcascade: the gradients of %d of %d processes are not those of rank 0, which are measured; gradients "
            "that are averaged (DDP, outside of no_sync) are the same everywhere",
            differing,
            process_count(),
        )


def _bytes(tensor: Tensor) -> bytes:
    """Stands for the values: exact sums that do not depend on how the tensor lies in memory."""
    values = tensor.detach()
    values = (values.to_dense() if values.is_sparse else values).double()
    return repr((float(values.sum()), float(values.square().sum()), tuple(values.shape))).encode()
