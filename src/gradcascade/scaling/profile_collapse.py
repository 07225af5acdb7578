"""Answers of the profile collapse (:mod:`gradcascade.scaling.collapse`): at every step, and over the window.

Two exponents come out. ``z_best`` is where Houdayer and Hartmann's S is least; it is the sharper one where scales
differ by nothing but a power law and counting noise. ``value`` is the slope of the stretches, which are found without
any law: every scale counts alike in it, so it stays the better one where scales or runs differ by more than counting
noise, and its interval contains that. S has the same two sides: ``quality`` is that of one power law,
``shape_quality`` that of the shape alone, with each scale stretched as it likes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gradcascade.scaling.channels import derived
from gradcascade.scaling.collapse import FORMS, HIGHEST, LOWEST, Curves, Distances, Dots, Profiles
from gradcascade.scaling.points import Cascades, Points, points_of
from gradcascade.scaling.regression import CONFIDENCE, MIN_SCALES
from gradcascade.scaling.table_checks import FIT_KEYS
from gradcascade.scaling.weighted import draw_variances
from gradcascade.scaling.window_means import window_intervals
from gradcascade.scaling.windows import in_window
from gradcascade.tables.inferred import INFERRED
from gradcascade.tables.reasons import because, columns, kept
from gradcascade.vocabulary import REAL

STEP_SCHEMA = INFERRED["collapse"].schema
"""Columns of the collapse at single steps, in order."""

WINDOW_SCHEMA = INFERRED["window_collapse"].schema
"""Columns of the collapse over a window, in order."""

BASELINE = "N0"
"""The null that says what S noise has."""

_GROUP = ("family", "field", "variant")
_FOUND = ("z_best", "quality", "misfit", "shape_quality", "shape_misfit")
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Collapse:
    """One form of the collapse."""

    found: pl.DataFrame
    """By trajectory and step: z of least S, S and misfit there, and those of free stretches."""
    points: Points
    """The same cascades with the stretch of each profile, to the mean of log n_steps, in the place of n_steps."""


def collapse_of(cascades: Cascades, form: str) -> Collapse:
    """Collapse the profiles of every trajectory at every step."""
    points = points_of(cascades)
    rows = points.rows.with_row_index("_row")
    known = rows.filter("included", pl.col("activity").list.len() > 0)
    # Runs of a scale share the draws of N0; a draw counts once.
    same = [*FIT_KEYS, "scale", "replicate", pl.col("activity").hash()]
    run = pl.when(pl.col("variant") == REAL).then("run").fill_null("")
    known = known.with_columns(_first=pl.col("_row").first().over(*same, run))
    found, stretch = [], np.full(rows.height, np.nan)
    for part in known.filter(pl.col("_row") == pl.col("_first")).partition_by(_GROUP, maintain_order=True):
        steps, numbers, own = _trajectory(part, form)
        series = {name: pl.Series(values, dtype=pl.Float64).fill_nan(None) for name, values in numbers.items()}
        found.append(part.select(_GROUP)[:1].join(pl.DataFrame({"step": steps, **series}), how="cross"))
        stretch[part["_row"].to_numpy()] = own
    stretch[known["_row"].to_numpy()] = stretch[known["_first"].to_numpy()]
    times = pl.Series("_time", stretch, dtype=pl.Float64).fill_nan(None)
    lost = pl.col("included") & pl.col("_time").is_null()
    level = (pl.col("duration").cast(pl.Float64).log() - pl.col("_time")).mean().over(FIT_KEYS)
    why = pl.coalesce(kept(), pl.when(lost).then(because("apart-profile")))
    stretched = points.rows.with_columns(times).with_columns(
        *columns(why),
        duration=(pl.col("_time") + level).exp(),
        included=pl.col("included") & ~lost,
    )
    schema = {name: points.rows.schema[name] for name in FIT_KEYS} | dict.fromkeys(_FOUND, pl.Float64)
    table = pl.concat([pl.DataFrame(schema=schema), *found])
    return Collapse(table, Points(stretched.with_columns(**derived()).drop("_time"), points.windows))


def fit_collapse(collapses: dict[str, Collapse]) -> pl.DataFrame:
    """z, S and the misfit of every form at every step, beside the line through the stretches."""
    tables = []
    for form, collapse in collapses.items():
        fits = collapse.points.fits.filter(pl.col("exponent") == "z")
        joined = fits.join(collapse.found, on=FIT_KEYS, how="left").with_columns(form=pl.lit(form))
        # Two scales always lie on a line, and S of fewer than three is none of a law.
        enough = pl.col("n_scales") >= MIN_SCALES
        joined = joined.with_columns(pl.when(enough).then(name).alias(name) for name in _FOUND)
        tables.append(joined.with_columns(*columns(pl.coalesce(kept(), _no_best()))))
    table = pl.concat(tables).sort(*FIT_KEYS, pl.col("form") != FORMS[0])
    return table.select(pl.col(name).cast(kind) for name, kind in STEP_SCHEMA.items())


def window_collapse(collapses: dict[str, Collapse], plain: Points) -> pl.DataFrame:
    """The collapse over the window beside R2 of n_steps, each with its null.

    ``quality_high`` and ``shape_quality_high`` are the 95 % quantiles of S over the window's steps of N0; ``r2_high``
    is that of the R2 of noise at slope zero.
    """
    r2 = plain.fits.filter(pl.col("exponent") == "z").select(*FIT_KEYS, pl.col("r2").alias("_r2"))
    steps = fit_collapse(collapses).join(r2, on=FIT_KEYS, how="left")
    inside = steps.filter(in_window(steps, plain.windows) & pl.col("quality").is_not_null())
    keys = [*_GROUP, "form"]
    noise = inside.filter(pl.col("variant") == BASELINE)
    high = noise.group_by("family", "field", "form").agg(
        pl.col("quality", "shape_quality").quantile(0.95, "linear").name.suffix("_high")
    )
    means = (
        inside.sort("step")
        .join(high, on=["family", "field", "form"], how="left")
        .group_by(keys, maintain_order=True)
        .agg(
            pl.col("z_best").mean(),
            pl.col("z_best").std().alias("z_best_sd"),
            pl.col("quality", "shape_quality", "misfit", "shape_misfit").mean(),
            pl.col("quality_high", "shape_quality_high").first(),
            r2=pl.col("_r2").mean(),
            r2_high=pl.col("n_scales").median(),
            n_steps=pl.len(),
        )
    )
    across = pl.concat(
        window_intervals(collapse.points, along=False)
        .filter(pl.col("exponent") == "z")
        .drop("exponent")
        .with_columns(form=pl.lit(form))
        for form, collapse in collapses.items()
    )
    errors = pl.concat(
        _draw_errors(collapse.points).with_columns(form=pl.lit(form)) for form, collapse in collapses.items()
    )
    table = across.join(means, on=keys, how="left").join(errors, on=keys, how="left")
    table = table.with_columns(pl.col("n_steps").fill_null(0), r2_high=_r2_high(table["r2_high"]))
    return table.sort(*_GROUP, pl.col("form") != FORMS[0]).select(
        pl.col(name).cast(kind) for name, kind in WINDOW_SCHEMA.items()
    )


def collapses_of(cascades: Cascades) -> dict[str, Collapse]:
    """Both forms of the collapse, by name."""
    return {form: collapse_of(cascades, form) for form in FORMS}


def _no_best() -> pl.Expr:
    missing = pl.col("z_best").is_null() & pl.col("value").is_not_null()
    return pl.when(missing).then(because("no-best-z", lowest=f"{LOWEST:g}", highest=f"{HIGHEST:g}"))


def _r2_high(scales: pl.Series) -> pl.Series:
    """95 % quantile of R2 at slope zero, as :func:`gradcascade.scaling.compressibility.compressibility_null`."""
    from scipy.stats import beta

    known = scales.cast(pl.Float64).fill_null(np.nan).to_numpy()
    return pl.Series(beta.ppf(CONFIDENCE, 0.5, (known - 2) / 2), dtype=pl.Float64).fill_nan(None)


def _draw_errors(points: Points) -> pl.DataFrame:
    """What the draws of a null contribute to the standard error of the slope's mean over the window."""
    inside = points.logs.filter(in_window(points.logs, points.windows))
    off = pl.col("log_n") - pl.col("log_n").mean().over(FIT_KEYS)
    variances = draw_variances(points, "duration")
    parts = inside.with_columns(_weight=off / (off**2).sum().over(FIT_KEYS)).join(
        variances, on=[*FIT_KEYS, "scale"], how="left"
    )
    share = pl.col("_weight") ** 2 * pl.col("_variance") / pl.col("_units")
    known = pl.col("_variance").is_not_null().all()
    return parts.group_by(_GROUP).agg(
        draws_se=pl.when(known).then(share.sort_by("step", "scale").sum().sqrt() / pl.col("step").n_unique())
    )


def _trajectory(part: pl.DataFrame, form: str) -> tuple[NDArray[np.int64], dict[str, Floats], Floats]:
    """Steps of one trajectory, what was found at each, and the log stretch of every row."""
    steps, step = np.unique(part["step"].to_numpy(), return_inverse=True)
    names = part.select("scale").unique().join(part.group_by("scale").agg(pl.col("n").max()), on="scale")
    order = {name: place for place, name in enumerate(names.sort("n", "scale")["scale"])}
    scale = part["scale"].replace_strict(order, return_dtype=pl.Int64).to_numpy()
    cascade = part.select(pl.struct("scale", "run", "replicate").rank("dense") - 1).to_series().to_numpy()
    counts = _counts(part, step, cascade, steps.size)
    of_cascade = np.zeros(counts.shape[1], np.intp)
    of_cascade[cascade] = scale
    there = np.zeros(counts.shape[:2])
    there[step, cascade] = 1.0
    member = (of_cascade[:, None] == np.arange(len(order))).astype(float)
    number = there @ member
    mean = np.einsum("tcl,cs->tsl", counts, member) / np.maximum(number, 1)[..., None]
    log_n = np.zeros(number.shape)
    log_n[step, scale] = np.log(part["n"].cast(pl.Float64).to_numpy())
    curves = Curves(Profiles.of(mean, number, form), log_n)
    dots, cascades = Dots.of(Profiles.of(counts, np.ones(there.shape), form), of_cascade), counts.shape[1]
    z = curves.best(dots, cascades)
    times = curves.free(z)
    power = curves.distances(dots, cascades, np.nan_to_num(z)[:, None] * log_n)
    shape = curves.distances(dots, cascades, np.nan_to_num(times))
    numbers = {"z_best": z} | _numbers(power, "", np.isnan(z)) | _numbers(shape, "shape_", np.zeros(z.size, bool))
    own = times[step, scale] + shape.stretch[step, cascade]
    return steps, numbers, own


def _numbers(distances: Distances, prefix: str, unknown: NDArray[np.bool_]) -> dict[str, Floats]:
    both = {f"{prefix}quality": distances.quality, f"{prefix}misfit": distances.misfit}
    return {name: np.where(unknown, np.nan, values) for name, values in both.items()}


def _counts(part: pl.DataFrame, step: NDArray[np.int64], cascade: NDArray[np.int64], steps: int) -> Floats:
    """Active nodes by step, cascade and relaxation step, with a zero behind the last."""
    lengths = part["activity"].list.len().cast(pl.Int64).to_numpy()
    place = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    counts = np.zeros((steps, int(cascade.max()) + 1, int(lengths.max()) + 1))
    counts[np.repeat(step, lengths), np.repeat(cascade, lengths), place] = part["activity"].explode().to_numpy()
    return counts
