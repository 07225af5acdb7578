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

GATHERING_PATIENCE = timedelta(seconds=60)
"""How long a process waits for the others before they gather something for the first time."""


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


def meet(key: str) -> None:
    """Refuse, on every process, where not all of them come here: one that gathers alone would wait for ever."""
    from torch.distributed import distributed_c10d

    if process_count() == 1:
        return
    store = distributed_c10d._get_default_store()
    store.set(f"{key}-{distributed_c10d.get_rank()}", "here")
    others = [f"{key}-0"] if not is_first() else [f"{key}-{rank}" for rank in range(1, process_count())]
    try:
        store.wait(others, GATHERING_PATIENCE)
        if not is_first():
            store.wait([f"{key}-verdict"], 2 * GATHERING_PATIENCE)
        own = "go"
    except Exception:  # torch's own error of an expired wait has had several types
        own = "refused"
    if store.compare_set(f"{key}-verdict", "", own).decode() != "go":
        raise InputError(
            f"the model is sharded over {process_count()} processes and not all of them came within "
            f"{GATHERING_PATIENCE.total_seconds():g} seconds to gather it; call this on all ranks, not within "
            "`if rank == 0` (rank 0 gets what is gathered)"
        )


def compare(what: str, tensors: Iterable[tuple[str, Tensor | None]]) -> bool:
    """Say if processes that should hold the same tensors do not; refuse if they hold other parameters.

    Nothing here waits for another process except the first one, for a while: a loop that calls the monitor on one
    process only must not stop. Whether the others came, as far as this process knows.
    """
    from torch.distributed import distributed_c10d

    names, values = hashlib.sha256(), hashlib.sha256()
    for name, tensor in tensors:
        names.update(name.encode())
        values.update(b"none" if tensor is None else _bytes(tensor))
    own = f"{names.hexdigest()[:16]} {values.hexdigest()[:16]}"
    store, key = distributed_c10d._get_default_store(), f"gradcascade-{what}-{next(_COMPARED)}"
    if not is_first():
        store.set(f"{key}-{distributed_c10d.get_rank()}", own)
        return True
    others = [f"{key}-{rank}" for rank in range(1, process_count())]
    try:
        store.wait(others, PATIENCE)
    except Exception:  # torch's own error of an expired wait has had several types
        _LOG.warning(
            "gradcascade: only this process measures, so its %s were not compared with those of the others; "
            "call it on all ranks",
            what,
        )
        return False
    found = [store.get(other).decode() for other in others]
    if any(other.split()[0] != own.split()[0] for other in found):
        raise InputError(
            "the processes hold different parameters (pipeline parallel?), so that this one has a part of the model; "
            "measure files of the whole model instead"
        )
    if differing := sum(other != own for other in found):
        _LOG.warning(
            "gradcascade: the %s of %d of %d processes are not those of rank 0, which are taken; gradients "
            "that are averaged (DDP, outside of no_sync) and parameters are the same everywhere",
            what,
            differing,
            process_count(),
        )
    return True


def _bytes(tensor: Tensor) -> bytes:
    """Stands for the values: exact sums that do not depend on how the tensor lies in memory."""
    values = tensor.detach()
    values = (values.to_dense() if values.is_sparse else values).double()
    return repr((float(values.sum()), float(values.square().sum()), tuple(values.shape))).encode()
