"""Draws a null of a field (arXiv:2605.02968); the nulls themselves are in :mod:`gradcascade.fields.nulls`."""

from __future__ import annotations

import math
from numbers import Integral
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradcascade.errors import InputError
from gradcascade.fields.moments import extremes
from gradcascade.fields.nulls import NULLS, Drawing, NullSettings
from gradcascade.fields.nulls.base import CLIP
from gradcascade.fields.tensor_sizes import TensorSizes
from gradcascade.numbers import seed_of, whole
from gradcascade.probe.array import as_field
from gradcascade.probe.graphs import MIN_NODES
from gradcascade.probe.parts import Parts, in_parts
from gradcascade.probe.threads import thread_count
from gradcascade.probe.threshold import survey


def null(
    kind: str,
    field: Any,
    seed: int,
    *,
    replicate: int = 0,
    deviation: Literal["population", "sample"] = "population",
    layout: TensorSizes | None = None,
    clip: float = CLIP,
    quantile: float = 0.9,
    threads: int | None = None,
) -> NDArray[np.floating]:
    """Draw a null of a field: shape (N,), float32 for N0, otherwise of the field's type.

    Parameters
    ----------
    kind : str
        ``"N0"``: independent standard normal numbers. ``"N1"``: normal with the mean and variance of the field.
        ``"N2"``: the field's own values in random order, which is also what relabelling the graph's nodes does.
        ``"signs"``: every magnitude at its place, with a random sign. ``"in-tensor"``, ``"in-block"``: the values in
        random order within each tensor or block of the network. ``"clipped"``: magnitudes beyond ``clip`` times the
        threshold brought down to it. Or any other null of the package :mod:`gradcascade.fields.nulls`.
    field : array or int
        What the probe takes: a NumPy array or torch tensor of any shape, or a mapping or an iterable of tensors,
        which is copied into one array. For N0 its number of entries is enough.
    seed, replicate : int
        The published seed is ``42 + step``; it must be below 2**64. Replicates count from 0. Both, N and the field
        determine the result.
    deviation : {"population", "sample"}
        Which standard deviation N1 takes.
    layout : sequence of (str, int), optional
        Name and number of entries of every tensor of the field, in order; for in-tensor and in-block.
        A mapping of tensors says it by itself.
    clip, quantile : float
        The multiple, above 1, and the quantile of the magnitudes that is the threshold, for clipped.
    threads : int, optional
        Number of threads; it does not change the result.

    Raises
    ------
    InputError
        If the kind is unknown, the field cannot be used (entries that are NaN or infinite, too few of them), or the
        layout is missing or is not that of the field.
    """
    declared = NULLS.find(kind)
    count = thread_count(threads)
    key = (declared.stream, seed_of("seed", seed), whole("replicate", replicate))
    if deviation not in ("population", "sample"):
        raise InputError(f"deviation must be population or sample, got {deviation!r}")
    if not declared.needs_values and isinstance(field, Integral):
        values, n = np.empty(0, np.float32), int(field)
        if n < MIN_NODES:
            raise InputError(f"a null needs at least {MIN_NODES} entries, got {n}")
    else:
        if isinstance(field := in_parts(field), Parts) and layout is None:
            layout = field.layout
        values = as_field(field)
        n = len(values)
        if declared.needs_values and not all(map(math.isfinite, extremes(values, count))):
            survey(values)  # which says what is not finite, and where
    if declared.needs_layout and layout is None:
        raise InputError(
            f"the null {kind} needs the layout of the field: name and number of entries of every tensor, in order"
        )
    result = declared.draw(values, Drawing(n, key, NullSettings(deviation, clip, quantile), layout or (), count))
    if result.shape != (n,):
        raise ValueError(f"the null {kind} gave an array of shape {result.shape}, not ({n},)")
    return result
