"""Null differences with their errors: how well the scales show them, and what other draws of the nulls would give.

A difference of two exponents is the slope of the difference of two logarithms. It carries two errors. That of the
line comes from the scatter of the scales about it and holds everything, in few degrees of freedom. That of the
replicates holds only what the random draws of the nulls contribute: it says whether more of them would help.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.fields.nulls import undrawn
from gradcascade.scaling.fits import EXPONENTS, lines, per_exponent
from gradcascade.scaling.points import Cascades, Points, points_of
from gradcascade.scaling.regression import MIN_SCALES, t_quantiles
from gradcascade.scaling.table_checks import group_starts
from gradcascade.scaling.weighted import draw_variances
from gradcascade.scaling.window_means import all_parts, differenced, known_parts
from gradcascade.scaling.windows import Window, in_window
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import because, columns, kept
from gradcascade.vocabulary import EXPONENT_CHANNELS, REAL

STEP_SCHEMA = INFERRED["null_differences"].schema
"""Columns of the differences of single steps, in order."""

WINDOW_SCHEMA = INFERRED["null_errors"].schema
"""Columns of the means over a window, in order."""

Parts = Mapping[str, tuple[str, str]]

_LINE = ["family", "field", "difference", "step"]


def null_differences(cascades: Cascades, parts: Parts | None = None) -> pl.DataFrame:
    """Difference of every exponent between two variants at every step, with both intervals.

    ``replicates_*`` follow from the variance between the replicates of a step, scale by scale, pooled over the steps
    and carried through the line; degrees of freedom after Satterthwaite (Biometrics Bulletin 2, 1946).
    """
    points = points_of(cascades)
    rows, parts = points.rows, all_parts(points.rows["variant"]) if parts is None else parts
    fitted, parts_of = _lines(points, parts)
    errors = _errors(parts_of, [*_LINE, "exponent"], "value")
    every = known_parts(rows, parts).join(rows.select("family", "field", "step").unique(), on=["family", "field"])
    few = because("few-with-both", least=MIN_SCALES)
    return (
        every.join(_places(), how="cross")
        .join(fitted, on=[*_LINE, "exponent"], how="left")
        .join(errors, on=[*_LINE, "exponent"], how="left")
        .with_columns(pl.col("n_scales").fill_null(0))
        .with_columns(*columns(pl.when(pl.col("value").is_null()).then(few)))
        .with_columns(*columns(pl.coalesce(kept("replicates_"), kept()), "replicates_"))
        .with_columns(_part_place(parts))
        .sort("family", "field", "step", "part", "place")
        .select(pl.col(name).cast(kind) for name, kind in STEP_SCHEMA.items())
    )


def window_null_errors(cascades: Cascades, window: Window = None, parts: Parts | None = None) -> pl.DataFrame:
    """What the draws of the nulls, independent at every step, contribute to the error of the means over a window."""
    points = points_of(cascades, window)
    rows, parts = points.rows, all_parts(points.rows["variant"]) if parts is None else parts
    fitted, parts_of = _lines(points, parts)
    # The window is that of all steps, also of those without a fit.
    steps = rows.select("family", "field", "step").unique(maintain_order=True)
    inside = steps.filter(in_window(steps, points.windows))
    key = ["family", "field", "difference", "exponent"]
    fitted = fitted.join(inside, on=["family", "field", "step"], how="semi").drop_nulls("value").sort(*key, "step")
    means = fitted.group_by(key, maintain_order=True).agg(mean=pl.col("value").mean(), n_steps=pl.len())
    share = parts_of.join(fitted.select(*_LINE, "exponent"), on=[*_LINE, "exponent"], how="semi").join(
        means, on=key, how="left"
    )
    # One scale and variant is one source of error: its variance is known once, and enters at every step.
    share = share.sort(*key, "scale", "variant", "step")
    pooled = share.group_by(*key, "scale", "variant", maintain_order=True).agg(
        weight=(pl.col("weight") / pl.col("n_steps").cast(pl.Float64) ** 2).sum(),
        value=pl.col("mean").first(),
        variance=pl.col("variance").first(),
        degrees=pl.col("degrees").first(),
    )
    errors = _errors(pooled, key, "value")
    every = known_parts(rows, parts).join(_places(), how="cross")
    none = pl.when(pl.col("mean").is_null()).then(because("no-step"))
    return (
        every.join(means, on=key, how="left")
        .join(errors, on=key, how="left")
        .with_columns(
            pl.col("n_steps").fill_null(0),
            *columns(pl.coalesce(none, kept("replicates_")), "replicates_"),
        )
        .with_columns(_part_place(parts))
        .sort("family", "field", "part", "place")
        .select(pl.col(name).cast(kind) for name, kind in WINDOW_SCHEMA.items())
    )


def _places() -> pl.DataFrame:
    return pl.DataFrame({"exponent": EXPONENTS, "place": range(len(EXPONENTS))})


def _part_place(parts: Parts) -> pl.Expr:
    order = {name: place for place, name in enumerate(parts)}
    return pl.col("difference").replace_strict(order, return_dtype=pl.Int64).alias("part")


def _lines(points: Points, parts: Parts) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Slopes of the differences; and what each scale and variant gives to the variance of a slope."""
    gaps = differenced(points.run_logs, parts).sort(*_LINE, "log_n", "scale")
    fitted = per_exponent(gaps, _LINE, lines).drop("r2")
    mean = pl.col("log_n") - pl.col("log_n").mean().over(_LINE)
    weight = (mean / (mean**2).sum().over(_LINE)) ** 2
    weights = gaps.select(*_LINE, "scale", weight=weight)
    drawn = pl.DataFrame(
        [(name, variant) for name, both in parts.items() for variant in both],
        schema={"difference": pl.String, "variant": pl.String},
        orient="row",
    )
    named = weights.join(drawn, on="difference")
    fixed = pl.col("variant").is_in((REAL, *undrawn()))
    shares = pl.concat(
        named.join(
            draw_variances(points, channel), on=["family", "field", "variant", "step", "scale"], how="left"
        ).select(
            *_LINE,
            "scale",
            "variant",
            exponent=pl.lit(exponent),
            weight=pl.col("weight") / pl.col("_units"),
            variance=pl.when(fixed).then(0.0).otherwise("_variance"),
            degrees=pl.when(fixed).then(1).otherwise("_degrees"),
        )
        for exponent, channel in EXPONENT_CHANNELS.items()
    )
    values = fitted.select(*_LINE, "exponent", "value").drop_nulls("value")
    return fitted, shares.join(values, on=[*_LINE, "exponent"])


def _errors(shares: pl.DataFrame, key: list[str], value: str) -> pl.DataFrame:
    """Standard error and t interval of a sum of independent variances, each with its own degrees of freedom."""
    # Sums run in a fixed order, so that the same study gives the same digits.
    shares = shares.sort(*key, "scale", "variant")
    starts = group_starts(shares, key)
    unknown = pl.col("variance").is_null()
    once = pl.col("variant").filter(unknown).first()
    found = shares.group_by(key, maintain_order=True).agg(
        _value=pl.col(value).first(),
        _why=pl.when(once.is_not_null()).then(because("one-draw", variant=once)),
    )
    parts = (shares["weight"] * shares["variance"]).cast(pl.Float64).fill_null(np.nan).to_numpy()
    variance = _sums(parts, starts)
    squares = _sums(parts**2 / np.maximum(shares["degrees"].to_numpy(), 1), starts)
    degrees = np.where(squares > 0, variance**2 / np.where(squares > 0, squares, 1.0), 1.0)
    half = t_quantiles(degrees) * np.sqrt(variance)
    return found.select(
        *key,
        *columns(pl.col("_why"), "replicates_"),
        replicates_se=pl.Series(np.sqrt(variance)).fill_nan(None),
        replicates_low=(pl.col("_value") - pl.Series(half)).fill_nan(None),
        replicates_high=(pl.col("_value") + pl.Series(half)).fill_nan(None),
    )


def _sums(values: NDArray[np.float64], starts: NDArray[np.intp]) -> NDArray[np.float64]:
    return np.add.reduceat(values, starts) if starts.size else np.zeros(0)
