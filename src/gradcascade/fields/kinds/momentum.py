"""The optimizer's running mean of gradients: Adam's exp_avg, or the momentum buffer of SGD."""

from __future__ import annotations

from typing import Any

from gradcascade.fields.kinds.base import FieldKind, Optimizer, Parts


def _make(parts: Parts, optimizer: Optimizer) -> Any:
    return parts["exp_avg"] if "exp_avg" in parts else parts["momentum_buffer"]


FIELD_KIND = FieldKind(
    "momentum",
    2,
    "momenta",
    "the optimizer's running mean of gradients",
    (("exp_avg",), ("momentum_buffer",)),
    _make,
)
