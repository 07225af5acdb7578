"""Exponents with weights, where replicates or runs say how noisy every scale is."""

from __future__ import annotations

import numpy as np
import polars as pl

from gradcascade.scaling.fits import beside_fits
from gradcascade.scaling.points import Cascades, Points, points_of
from gradcascade.scaling.regression import MIN_SCALES, t_quantiles
from gradcascade.scaling.table_checks import FIT_KEYS
from gradcascade.tables.reasons import because, kept
from gradcascade.vocabulary import EXPONENT_CHANNELS, REAL

_SCALE = ("family", "field", "variant", "scale")


def weighted_exponents(cascades: Cascades) -> pl.DataFrame:
    """Fit the exponents with each scale weighted by the inverse variance of its mean.

    That variance is between the runs of a scale, where any scale of the trajectory has several, else between the
    replicates of a step, and pooled over all steps. The weights are relative: errors come from the residuals of the
    line.
    """
    points = points_of(cascades)
    fits = points.fits.select(*FIT_KEYS, "exponent", pl.col("value").alias("_plain"), "n_scales", "code", "reason")
    tables = [
        _weighted(points.logs, _unit_variances(points, channel), exponent, channel)
        for exponent, channel in EXPONENT_CHANNELS.items()
    ]
    reason = pl.when(pl.col("_plain").is_null()).then(kept()).otherwise("_why")
    return beside_fits(fits, pl.concat(tables), reason, "value", "se", "low", "high", "n_scales")


def draw_variances(points: Points, channel: str) -> pl.DataFrame:
    """Variance of the logarithm of one cascade between the replicates of a step, pooled over steps and runs.

    ``_variance`` is null if no step has two replicates; ``_units`` divides it for the mean of the scale at that step.
    """
    rows = once_drawn(points.rows.filter("included"))
    parts = _variances(rows, pl.col(channel).cast(pl.Float64).log(), [*FIT_KEYS, "scale", "run"])
    runs, units = pl.len(), pl.col("_units")
    # A null of several runs has the same stream in all of them, so their mean has the error of one.
    own = pl.col("variant").first() == REAL
    of_mean = pl.when(own & (runs > 1)).then(runs**2 / (1 / units).sum()).otherwise(units.max())
    return parts.group_by(*FIT_KEYS, "scale", maintain_order=True).agg(
        pl.col("_variance", "_degrees").first(), _units=of_mean
    )


def once_drawn(rows: pl.DataFrame) -> pl.DataFrame:
    """Cascades of which a null that follows from N and the seed alone, and so is equal in all runs, counts once."""
    run = pl.when(pl.col("variant") == REAL).then("run").fill_null("")
    drawn = [*FIT_KEYS, "scale", "replicate", "size", "duration"]
    return rows.filter(pl.col("run") == pl.col("run").first().over(*drawn, run))


def _unit_variances(points: Points, channel: str) -> pl.DataFrame:
    """The same of one run of a scale, where any scale has several; with ``_unit``, what was counted."""
    each = points.run_logs.group_by(*_SCALE).agg(pl.col("run").n_unique())
    several = each.filter(pl.col("run").max().over(_SCALE[:-1]) > 1).select(_SCALE).unique()
    logs = points.run_logs.join(several, on=_SCALE, how="semi", maintain_order="left")
    between = _variances(logs, pl.col(f"log_{channel}"), [*FIT_KEYS, "scale"])
    draws = draw_variances(points, channel).join(several, on=_SCALE, how="anti", maintain_order="left")
    return pl.concat(
        table.with_columns(pl.col("_units").cast(pl.Float64), _unit=pl.lit(unit))
        for table, unit in ((draws, "replicates"), (between, "runs"))
    )


def _variances(values: pl.DataFrame, log: pl.Expr, keys: list[str]) -> pl.DataFrame:
    # In order, so that the sums over steps below are the same bits every time.
    steps = values.group_by(keys, maintain_order=True).agg(
        _squares=((log - log.mean()) ** 2).sum(), _units=pl.len().cast(pl.Int64)
    )
    degrees = (pl.col("_units") - 1).sum().over(_SCALE)
    pooled = pl.col("_squares").sum().over(_SCALE) / degrees
    return steps.with_columns(_variance=pl.when(degrees > 0).then(pooled), _degrees=degrees).select(
        *keys, "_variance", "_degrees", "_units"
    )


def _weighted(points: pl.DataFrame, variances: pl.DataFrame, exponent: str, channel: str) -> pl.DataFrame:
    tiny = 64 * float(np.finfo(np.float64).eps) ** 2
    known = pl.col("_variance") > tiny
    weight = pl.col("_units") / pl.col("_variance")
    x, y = pl.col("log_n"), pl.col(f"log_{channel}")
    w = pl.col("_w")
    table = points.join(variances, on=[*FIT_KEYS, "scale"], how="left").with_columns(_w=weight)
    off_x = x - (w * x).sum().over(FIT_KEYS) / w.sum().over(FIT_KEYS)
    off_y = y - (w * y).sum().over(FIT_KEYS) / w.sum().over(FIT_KEYS)
    table = table.with_columns(_x=off_x, _y=off_y)
    xx, xy, yy = ((w * pl.col(a) * pl.col(b)).sum() for a, b in (("_x", "_x"), ("_x", "_y"), ("_y", "_y")))
    unknown = pl.col("scale").filter(pl.col("_variance").is_null()).first()
    alike = pl.col("scale").filter(pl.col("_variance") <= tiny).first()
    why = (
        pl.when(unknown.is_not_null())
        .then(
            pl.when(pl.col("_unit").first() == "runs")
            .then(because("one-run-of-scale", scale=unknown))
            .otherwise(because("one-draw-of-scale", scale=unknown))
        )
        .when(alike.is_not_null())
        .then(because("no-weight", unit=pl.col("_unit").first(), scale=alike))
    )
    found = table.group_by(*FIT_KEYS, maintain_order=True).agg(
        _k=pl.len().cast(pl.Int64), _known=known.fill_null(False).all(), _xx=xx, _xy=xy, _yy=yy, _why=why
    )
    usable = pl.col("_known") & (pl.col("_k") >= MIN_SCALES) & (pl.col("_xx") > 0)
    found = found.with_columns(exponent=pl.lit(exponent), value=pl.when(usable).then(pl.col("_xy") / pl.col("_xx")))
    degrees = np.maximum(found.get_column("_k").to_numpy() - 2, 1)
    rest = (pl.col("_yy") - pl.col("value") * pl.col("_xy")).clip(lower_bound=0)
    se = (rest / pl.Series(degrees) / pl.col("_xx")).sqrt()
    half = pl.col("se") * pl.Series(t_quantiles(degrees))
    return (
        found.with_columns(se=se)
        .with_columns(low=pl.col("value") - half, high=pl.col("value") + half)
        .select(*FIT_KEYS, "exponent", "value", "se", "low", "high", "_why")
    )
