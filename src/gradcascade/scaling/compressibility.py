"""Compressibility: how well one power law summarises the scales (arXiv:2605.02968)."""

from __future__ import annotations

import polars as pl

from gradcascade.scaling.exponents import EXPONENTS
from gradcascade.scaling.tables import FIT_KEYS, require_columns, spread


def compressibility(fits: pl.DataFrame) -> pl.DataFrame:
    """Put the R2 of the four channels of a step side by side, as the (R2_z, R2_delta) map needs them.

    For a slope near zero a low R2 is expected even of clean data, because there is little variance to explain.

    Parameters
    ----------
    fits : polars.DataFrame
        From :func:`gradcascade.scaling.exponents.fit_exponents`.

    Returns
    -------
    polars.DataFrame
        Sorted, one row per ``family, field, variant, step`` with ``R2_D, R2_z, R2_beta, R2_delta``; null where the
        table of fits has none (it gives the reason).

    Raises
    ------
    InputError
        If columns are missing.
    """
    require_columns(fits, (*FIT_KEYS, "exponent", "r2"), "table of fits")
    wide = spread(fits, FIT_KEYS, "exponent", EXPONENTS, "r2")
    return wide.rename({name: f"R2_{name}" for name in EXPONENTS})
