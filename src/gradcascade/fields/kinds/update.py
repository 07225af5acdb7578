"""The change of the parameters over a number of optimizer steps."""

from __future__ import annotations

from typing import Any

from gradcascade.fields.kinds.base import FieldKind, Optimizer, Parts, same_shape


def _make(parts: Parts, optimizer: Optimizer) -> Any:
    import numpy as np

    before, after = np.asarray(parts["before"]), np.asarray(parts["after"])
    same_shape("updates", before, after)
    with np.errstate(over="ignore", invalid="ignore"):  # the probe says where an entry is not finite
        return after - before


FIELD_KIND = FieldKind(
    "update",
    1,
    "updates",
    "change of the parameters over the span's optimizer steps",
    (("before", "after"),),
    _make,
    span=True,
)
