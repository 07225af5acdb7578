"""The direction of Adam: the bias-corrected running mean over the root of the bias-corrected running square.

A step moves the parameters by minus the learning rate times it, besides weight decay (Kingma and Ba, arXiv:1412.6980;
epsilon is added to the root, as PyTorch does). With AMSGrad the largest running square is used.
"""

from __future__ import annotations

from typing import Any

from gradcascade.errors import InputError
from gradcascade.fields.kinds.base import FieldKind, Optimizer, Parts, same_shape


def _make(parts: Parts, optimizer: Optimizer) -> Any:
    import numpy as np

    mean = np.asarray(parts["exp_avg"])
    square = np.asarray(parts["max_exp_avg_sq"] if "max_exp_avg_sq" in parts else parts["exp_avg_sq"])
    step = float(np.asarray(parts["step"]).reshape(()))
    same_shape("directions", mean, square)
    if not step >= 1:
        raise InputError(f"a direction needs an optimizer that has made a step, but this one is at step {step:g}")
    if square.size and square.min() < 0:
        raise InputError(f"a running mean of squares cannot be negative, but exp_avg_sq has {square.min():g}")
    # Bias corrections are small differences, so they are taken in double precision.
    root = np.sqrt(square.astype(np.float64) / (1 - optimizer.beta2**step)) + optimizer.eps
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # the probe says where it is not finite
        return (mean.astype(np.float64) / (1 - optimizer.beta1**step) / root).astype(mean.dtype)


FIELD_KIND = FieldKind(
    "direction",
    3,
    "directions",
    "what the optimizer applies: running mean over root of running square",
    (("exp_avg", "exp_avg_sq", "step"),),
    _make,
)
