"""Compressibility: how well one power law summarises the scales (arXiv:2605.02968)."""

from __future__ import annotations

import numpy as np
import polars as pl

from gradcascade.scaling.regression import CONFIDENCE, MIN_SCALES
from gradcascade.scaling.table_checks import FIT_KEYS, require_columns


def compressibility_null(fits: pl.DataFrame) -> pl.DataFrame:
    """Compare every R2 with those that noise alone gives at slope zero.

    For k scales with normal noise it then has a beta distribution with parameters 1/2 and (k - 2)/2 and mean 1 / (k -
    1). To exceed its upper quantile is the same as a t interval that excludes zero, so it is no second piece of
    evidence.
    """
    from scipy.stats import beta

    names = [*FIT_KEYS, "exponent", "r2", "n_scales", "code", "reason"]
    require_columns(fits, names, "table of fits")
    r2 = fits.get_column("r2").cast(pl.Float64).to_numpy()
    scales = np.maximum(fits.get_column("n_scales").to_numpy(), MIN_SCALES)
    shape = (scales - 2) / 2
    distinct, place = np.unique(shape, return_inverse=True)
    numbers = {
        "null_mean": 1 / (scales - 1),
        "null_high": np.asarray(beta.ppf(CONFIDENCE, 0.5, distinct))[place] if r2.size else r2,
        "p": beta.sf(r2, 0.5, shape) if r2.size else r2,
    }
    known = pl.col("r2").is_not_null()
    return (
        fits.select(names)
        .with_columns(pl.Series(name, values, dtype=pl.Float64).fill_nan(None) for name, values in numbers.items())
        .with_columns(pl.when(known).then(name).alias(name) for name in numbers)
        .with_columns(pl.when(~known).then(pl.col("code", "reason")), exceeds=pl.col("r2") > pl.col("null_high"))
        .select(*names[:-3], *numbers, "exceeds", "code", "reason")
    )
