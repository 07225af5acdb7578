"""Whether durations grow as a power of N or as a + b log N (as they must where activity decays geometrically)."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.fits import EXPONENTS
from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.regression import group_means, t_quantile
from gradcascade.scaling.run_errors import coefficient_errors, size_means
from gradcascade.scaling.table_checks import FIT_KEYS, group_starts
from gradcascade.scaling.window_means import RunSteps, trajectories
from gradcascade.scaling.windows import Window, in_window
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import Reason, because, columns, kept, told

LAWS = {"constant": 2, "logarithm": 3, "power": 3}
"""The laws compared, and the parameters of each, the variance of the noise among them."""

MIN_WEIGHED = 4
"""Fewest scales that can weigh two laws of two parameters each."""

WINDOW_SCHEMA = INFERRED["window_laws"].schema
STEPS = ("mean", "sd", "n_steps", "law")

_GRID = 161
_HALVINGS = 60
Floats = NDArray[np.float64]


def duration_laws(cascades: Cascades) -> pl.DataFrame:
    """Compare three laws of the duration at every step: constant, ``a + b log N``, and ``a N^z``, on log duration.

    The criterion is ``k log(RSS / k) + 2 p + 2 p (p + 1) / (k - p - 1)`` for k scales and p parameters (Hurvich and
    Tsai, Biometrika 76, 1989). It does not exist for k <= p + 1; the difference between the power and the logarithm
    does, since both have the same number of parameters and their corrections cancel.
    """
    points = points_of(cascades)
    fits, logs = points.fits.filter(pl.col("exponent") == "z"), points.logs
    starts = group_starts(logs, FIT_KEYS)
    count = np.diff(starts, append=logs.height).astype(np.int64)
    found = _fits(logs.get_column("log_n").to_numpy(), logs.get_column("log_duration").to_numpy(), starts)
    table = logs.select(*FIT_KEYS)[starts].with_columns(
        pl.Series(name, values, dtype=pl.Float64) for name, values in found.items()
    )
    k = pl.lit(pl.Series(count, dtype=pl.Int64))
    for law, parameters in LAWS.items():
        room = k - parameters - 1
        rss = pl.col(f"rss_{law}")
        aicc = k * (rss / k).log() + 2 * parameters + 2 * parameters * (parameters + 1) / room
        table = table.with_columns(pl.when((room > 0) & (rss > 0)).then(aicc).alias(f"aicc_{law}"))
    both = (pl.col("rss_power") > 0) & (pl.col("rss_logarithm") > 0)
    table = table.with_columns(
        difference=pl.when(both).then(k * (pl.col("rss_logarithm") / pl.col("rss_power")).log())
    )
    numbers = [name for name in table.columns if name not in FIT_KEYS]
    fitted = pl.col("z").is_not_null()
    least = max(LAWS.values()) + 2
    reason = (
        pl.when(~fitted)
        .then(kept())
        .when(pl.col("difference").is_null() & (pl.col("rss_constant") == 0))
        .then(because("equal-durations"))
        .when(pl.col("difference").is_null())
        .then(because("exact-law"))
        .when(pl.col("aicc_power").is_null())
        .then(because("few-to-weigh", least=least))
    )
    return (
        fits.select(*FIT_KEYS, pl.col("value").alias("z"), "n_scales", "code", "reason")
        .join(table, on=FIT_KEYS, how="left")
        .with_columns(pl.when(fitted).then(pl.col(name)).alias(name) for name in numbers)
        .with_columns(*columns(reason))
        .sort(*FIT_KEYS)
        .select(*FIT_KEYS, "z", *numbers, "n_scales", "code", "reason")
    )


def window_duration_law(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """Say which of the power law and the logarithm the window prefers, if it does.

    The runs' means are fitted by ``power + weight (logarithm - power)``, each law at its own best fit (the J test of
    Davidson and MacKinnon, Econometrica 49, 1981). A law is preferred if the interval of the weight, across scales
    with k - 3 degrees of freedom, holds its own weight (0 of the power law, 1 of the logarithm) and not that of the
    other. The laws differ by a curvature of about -z^2 / 2, so few scales decide nothing. ``mean`` and ``sd`` are of
    the differences of the criteria of single steps, which describe these runs.
    """
    points = points_of(cascades, window)
    laws = duration_laws(points)
    used = pl.col("difference").drop_nulls()
    steps = (
        laws.filter(in_window(laws, points.windows))
        .group_by("family", "field", "variant")
        .agg(mean=used.mean(), sd=used.std(), n_steps=used.len())
    )
    rows = [_weighed(each) for each in trajectories(points)]
    table = pl.DataFrame(rows, schema={name: kind for name, kind in WINDOW_SCHEMA.items() if name not in STEPS})
    joined = table.join(steps, on=["family", "field", "variant"], how="left", maintain_order="left").with_columns(
        pl.col("n_steps").fill_null(0)
    )
    holds_power, holds_log = (pl.lit(value).is_between(pl.col("low"), pl.col("high")) for value in (0.0, 1.0))
    law = (
        pl.when(pl.col("low").is_null())
        .then(None)
        .when(holds_power & ~holds_log)
        .then(pl.lit("power"))
        .when(holds_log & ~holds_power)
        .then(pl.lit("logarithm"))
        .otherwise(pl.lit("undecided"))
    )
    return joined.with_columns(law=law).select(pl.col(name).cast(kind) for name, kind in WINDOW_SCHEMA.items())


def _weighed(each: RunSteps) -> dict[str, Any]:
    """Weight of the logarithm beside the power law in the means of the runs, with its interval."""
    means = each.means()
    row = each.names | {"n_scales": means.sizes, "n_runs": int(means.size.size)}
    if means.reason is not None:
        return row | told(means.reason)
    if means.sizes < MIN_WEIGHED:
        return row | told(Reason.of("few-sizes-to-weigh", n_scales=means.sizes, least=MIN_WEIGHED))
    sizes = size_means(means)
    place = list(EXPONENTS).index("z")
    dx, y = sizes.log_n - sizes.log_n.mean(), sizes.means[place]
    dy = y - y.mean()
    slope = dx @ dy / (dx @ dx)
    rest = np.abs(dy - slope * dx).max()
    if rest <= 8 * np.finfo(np.float64).eps * (1 + np.abs(y).max()):
        return row | told(Reason.of("no-noise-of-laws"))
    shape = np.log1p(_growth(dx, dy, np.zeros(1, dtype=np.intp), np.array([dx.size], dtype=np.intp))[0] * dx)
    design = np.stack([np.ones(dx.size), dx, shape - shape.mean() - slope * dx], axis=1)
    weight = float(np.linalg.pinv(design)[2] @ y)
    se = float(coefficient_errors(sizes, design, 2)[0][place])
    half = t_quantile(dx.size - 3) * se
    return row | {"weight": weight, "low": weight - half, "high": weight + half}


def _fits(x: Floats, y: Floats, starts: NDArray[np.intp]) -> dict[str, Floats]:
    """Residual sums of squares of the three laws, and the growth b of the logarithm."""
    if not starts.size:
        return {name: np.zeros(0) for name in ("b", "rss_constant", "rss_logarithm", "rss_power")}
    count = np.diff(starts, append=x.size)

    def centred(values: Floats) -> Floats:
        return values - np.repeat(group_means(values, starts), count)

    def squares(values: Floats) -> Floats:
        """Sum of squares, 0 where only rounding is left."""
        largest = np.maximum.reduceat(np.abs(values), starts)
        rounding = 8 * np.finfo(np.float64).eps * (1 + np.maximum.reduceat(np.abs(y), starts))
        return np.where(largest <= rounding, 0.0, np.add.reduceat(values * values, starts))

    dx, dy = centred(x), centred(y)
    xx = np.add.reduceat(dx * dx, starts)
    slope = np.add.reduceat(dx * dy, starts) / np.where(xx > 0, xx, 1.0)
    growth = _growth(dx, dy, starts, count)
    shape = np.log1p(np.repeat(growth, count) * dx)
    level = np.exp(group_means(y - shape, starts))
    return {
        "b": level * growth,
        "rss_constant": squares(dy),
        "rss_logarithm": squares(centred(y - shape)),
        "rss_power": squares(dy - np.repeat(slope, count) * dx),
    }


def _growth(dx: Floats, dy: Floats, starts: NDArray[np.intp], count: NDArray[np.intp]) -> Floats:
    """Best q of ``duration = level (1 + q dx)``: a grid over all q that keep it positive, then golden sections."""
    most, least = np.maximum.reduceat(dx, starts), -np.minimum.reduceat(dx, starts)
    wide = (most > 0) & (least > 0)
    low = np.where(wide, -1 / np.where(wide, most, 1.0), 0.0) * (1 - 1e-9)
    high = np.where(wide, 1 / np.where(wide, least, 1.0), 0.0) * (1 - 1e-9)

    def loss(q: Floats) -> Floats:
        rest = dy - np.log1p(np.repeat(q, count) * dx)
        rest = rest - np.repeat(group_means(rest, starts), count)
        return np.add.reduceat(rest * rest, starts)

    places = np.linspace(0, 1, _GRID)
    losses = np.stack([loss(low + place * (high - low)) for place in places])
    best = np.clip(np.argmin(losses, axis=0), 1, _GRID - 2)
    left = low + places[best - 1] * (high - low)
    right = low + places[best + 1] * (high - low)
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(_HALVINGS):
        inner, outer = right - ratio * (right - left), left + ratio * (right - left)
        lower = loss(inner) < loss(outer)
        left, right = np.where(lower, left, inner), np.where(lower, outer, right)
    return (left + right) / 2
