"""Planted studies that the tests of the figures share."""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl
from tests.support.many_scales import many_scales

from gradcascade.report.data import ReportData
from gradcascade.scaling.order_sensitivity import VALUE_SCHEMA

from ..cascades import perplexities, study_cascades


def robustness_table() -> pl.DataFrame:
    """Shifts of four exponents under six choices, for both fields; one choice without z."""
    rng = np.random.default_rng(0)
    choices = [
        "alpha 0.2",
        "alpha 0.4",
        "quantile 0.85",
        "graph ring",
        "graph small-world 0.05",
        "durations continuous",
    ]
    rows = []
    for field in ("gradient", "update"):
        for choice in choices:
            for exponent in ("D", "z", "beta", "delta"):
                shift = 0.03 * float(rng.standard_normal())
                rows.append(("nano", field, choice, exponent, shift, shift - 0.03, shift + 0.03, 0.01, 3))
    columns = ["family", "field", "choice", "exponent", "shift", "low", "high", "se", "degrees"]
    table = pl.DataFrame(rows, schema=columns, orient="row")
    return table.filter(~((pl.col("choice") == "graph ring") & (pl.col("exponent") == "z")))


def orders_table() -> pl.DataFrame:
    """Four exponents in eight orders of the tensors and of N2, for both fields."""
    rng = np.random.default_rng(2)
    names = ("as planned", "file", "grouped", "reversed", *(f"random {k}" for k in range(1, 5)), "N2")
    levels = {"D": 1.0, "z": 0.05, "beta": 0.95, "delta": -0.05}
    rows = []
    for field in ("gradient", "update"):
        for exponent, level in levels.items():
            for order in names:
                value = level + 0.02 * float(rng.standard_normal())
                rows.append(("nano", field, exponent, order, value, value - 0.02, value + 0.02, 8, None, None))
    return pl.DataFrame(rows, schema=VALUE_SCHEMA, orient="row")


def planted() -> ReportData:
    """Four scales, ten steps, both fields, three nulls, a perplexity, a robustness table."""
    cascades = study_cascades()
    return ReportData.from_tables(
        cascades, perplexities(cascades), robustness=robustness_table(), orders=orders_table()
    )


def gappy() -> ReportData:
    """Forty-eight steps, long enough for medians, from which a quarter of the cascades is missing."""
    cascades = study_cascades(steps=tuple(range(0, 480, 10)), noise=0.1)
    rng = np.random.default_rng(1)
    kept = cascades.filter(pl.Series(rng.random(cascades.height) > 0.15))
    kept = kept.with_columns(ceiling=pl.Series(rng.random(kept.height) < 0.1))
    return ReportData.from_tables(kept, perplexities(kept), robustness=robustness_table(), orders=orders_table())


@cache
def many() -> ReportData:
    """Fourteen scales, of which the gradients have a correction to scaling and the updates have none."""
    return ReportData.from_tables(many_scales(2, fields=("gradient", "update")))
