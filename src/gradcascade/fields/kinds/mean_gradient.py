"""The mean gradient over several batches at the same parameters."""

from __future__ import annotations

from typing import Any

from gradcascade.errors import InputError
from gradcascade.fields.kinds.base import FieldKind, Optimizer, Parts, same_shape


def _make(parts: Parts, optimizer: Optimizer) -> Any:
    import numpy as np

    batches = [np.asarray(batch) for batch in parts["gradients"]]
    if not batches:
        raise InputError("a mean gradient needs the gradient of at least one batch")
    same_shape("mean gradients", *batches)
    total = np.zeros(batches[0].shape)
    for batch in batches:
        total += batch
    return (total / len(batches)).astype(np.result_type(*batches))


FIELD_KIND = FieldKind(
    "mean-gradient",
    4,
    "mean gradients",
    "mean gradient over several batches at the same parameters",
    (("gradients",),),
    _make,
)
