"""One mean for every run of a window, where cascades are missing too: a two-way model of runs and steps.

``log y = run + step + rest`` by least squares, with the steps' effects adding up to zero over the window. Where
nothing is missing, the effect of a run is its mean over the steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradcascade.scaling.regression import MIN_SCALES
from gradcascade.tables.reasons import Reason

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

FEWEST = 0.5
"""A scale counts that is there at this share of the window's steps, a run with this share of its scale's fullest
run."""


@dataclass(frozen=True)
class RunMeans:
    """Means of the runs that count, one entry of ``means`` per channel and run; ``size`` numbers the runs' sizes.

    Scales of one N are one size: seeds that go under names of their own are runs of it, and no new scales.
    """

    log_n: Floats
    means: Floats
    size: NDArray[np.int64]
    steps: int
    reason: Reason | None = None

    @property
    def sizes(self) -> int:
        """Number of different N."""
        return int(self.size.max()) + 1 if self.size.size else 0

    @property
    def counts(self) -> dict[str, int]:
        """How many of each count, as columns of an answer."""
        return {"n_scales": self.sizes, "n_runs": int(self.size.size), "n_steps": self.steps}

    @property
    def no_line(self) -> Reason | None:
        """Why no line goes through the sizes, where none does."""
        if self.reason is not None or self.sizes >= MIN_SCALES:
            return self.reason
        if self.sizes == 1:
            return Reason.of("sizes-of-one-n", count=self.size.size)
        return Reason.of("few-sizes", n_scales=self.sizes, least=MIN_SCALES)


def run_means(x: Floats, logs: Floats, scale: NDArray[np.int64]) -> RunMeans:
    """Average the runs over the steps of the window.

    ``x`` holds log N of every step and run, NaN where there is no cascade, ``logs`` the channels in front of that,
    and ``scale`` the number of each run's scale.
    """
    there = np.isfinite(x)
    kept = _kept(there, scale)
    if not there.any():
        return _nothing(x, logs, Reason.of("no-cascade"))
    joined = _joined(there[:, kept])
    lost = len(np.unique(scale[kept])) - len(np.unique(scale[kept][joined]))
    kept[np.flatnonzero(kept)[~joined]] = False
    used = there.any(axis=1)
    there, x, logs = there[used][:, kept], x[used][:, kept], logs[:, used][:, :, kept]
    if there.all():
        places, means = x.mean(axis=0), logs.mean(axis=1)
    else:
        places = np.where(there, x, 0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        means = two_way(np.where(there, logs, 0), there)
    size = _sizes(places)
    names = np.unique(scale[kept]).size
    reason = None
    if names < 3:
        scales = "1 scale is" if names == 1 else f"{names} scales are"
        reason = Reason.of("few-scales-together" if lost else "few-scales-often", scales=scales)
    return RunMeans(places, means, size, int(there.any(axis=1).sum()), reason)


def _nothing(x: Floats, logs: Floats, reason: Reason) -> RunMeans:
    none = np.zeros(0)
    return RunMeans(none, np.zeros((logs.shape[0], 0)), none.astype(np.int64), 0, reason)


def _kept(there: Flags, scale: NDArray[np.int64]) -> Flags:
    counts = there.sum(axis=0)
    kept = counts > 0
    for each in np.unique(scale):
        runs = scale == each
        often = there[:, runs].any(axis=1).sum() >= FEWEST * there.shape[0]
        kept[runs] &= often & (counts[runs] >= FEWEST * counts[runs].max())
    return kept


def _joined(there: Flags) -> Flags:
    """The largest set of runs that steps in common tie together; others cannot be set on one level with them."""
    from scipy.sparse.csgraph import connected_components

    if there.all() or not there.size:
        return np.ones(there.shape[1], dtype=bool)
    shared = there.T.astype(np.int64) @ there > 0
    labels: NDArray[np.int64] = np.asarray(connected_components(shared)[1], dtype=np.int64)
    return np.asarray(labels == np.bincount(labels).argmax())


def two_way(logs: Floats, there: Flags) -> Floats:
    """Effects of the runs, shape (channels, runs), at the mean of the steps' effects."""
    weight = there.astype(np.float64)
    used = weight.sum(axis=1) > 0
    weight, logs = weight[used], logs[:, used]
    per_step = weight.sum(axis=1)
    # Normal equations with the steps eliminated; they leave the level open, which the steps' effects then fix.
    matrix = np.diag(weight.sum(axis=0)) - weight.T @ (weight / per_step[:, None])
    step_means = logs.sum(axis=2) / per_step
    right = logs.sum(axis=1) - step_means @ weight
    runs = right @ np.linalg.pinv(matrix, hermitian=True)
    return runs + (step_means - (runs @ weight.T) / per_step).mean(axis=1)[:, None]


def _sizes(places: Floats) -> NDArray[np.int64]:
    """Number the different N in the order they come in; equal ones differ in the last digits of their logarithms."""
    rounded = np.round(places, 9)
    first = {value: None for value in rounded.tolist()}
    return np.array([list(first).index(value) for value in rounded.tolist()], dtype=np.int64)
