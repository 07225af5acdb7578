"""How much v_rel differs from scale to scale."""

from __future__ import annotations

import polars as pl

from gradcascade.scaling.points import Cascades, points_of
from gradcascade.scaling.regression import MIN_SCALES
from gradcascade.scaling.table_checks import FIT_KEYS
from gradcascade.scaling.windows import Window, in_window

_GROUP = ("family", "field", "variant")


def variation(cascades: Cascades, window: Window = None) -> pl.DataFrame:
    """Coefficient of variation of v_rel over the scales, population SD over mean, at each step of the window.

    (The population form fits the published 50.1 % of Pico-LM: its slope of -0.235 over its four sizes alone gives 51
    %, and 59 % with the sample form.) ``cv``, ``cv_sd`` are over the steps with at least three scales;
    ``cv_of_means`` is that of the scales' means, free of scatter from step to step.
    """
    v_rel = pl.col("v_rel")
    coefficient = pl.when(v_rel.count() >= MIN_SCALES).then(v_rel.std(ddof=0) / v_rel.mean())
    rows = _per_step(cascades, window)
    steps = rows.group_by(*FIT_KEYS, maintain_order=True).agg(cv=coefficient)
    means = rows.group_by(*_GROUP, "scale", maintain_order=True).agg(v_rel=v_rel.mean())
    return (
        steps.group_by(*_GROUP, maintain_order=True)
        .agg(cv=pl.col("cv").mean(), cv_sd=pl.col("cv").std(), n_steps=pl.col("cv").count().cast(pl.Int64))
        .join(means.group_by(*_GROUP).agg(cv_of_means=coefficient), on=_GROUP, how="left")
        .sort(*_GROUP)
        .select(*_GROUP, "cv", "cv_sd", "cv_of_means", "n_steps")
    )


def _per_step(cascades: Cascades, window: Window) -> pl.DataFrame:
    """v_rel per scale and step, replicates and then runs averaged; null outside the window and where excluded."""
    points = points_of(cascades, window)
    rows = points.rows.with_columns(_used=pl.col("included") & in_window(points.rows, points.windows))
    each = rows.group_by(*FIT_KEYS, "scale", "n", "run", maintain_order=True).agg(
        pl.col("v_rel").filter("_used").cast(pl.Float64).mean()
    )
    return (
        each.group_by(*FIT_KEYS, "scale", "n", maintain_order=True)
        .agg(pl.col("v_rel").mean())
        .sort(*FIT_KEYS, "n", "scale")
    )
