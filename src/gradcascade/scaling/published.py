"""The published values of the families as tables, to set one's own beside them."""

from __future__ import annotations

import polars as pl

from gradcascade import families

EXPONENT_SCHEMA: dict[str, type[pl.DataType]] = {
    "family": pl.String,
    "field": pl.String,
    "variant": pl.String,
    "quantity": pl.String,
    "value": pl.Float64,
    "sd": pl.Float64,
    "approximate": pl.Boolean,
    "over": pl.String,
}
"""Columns of the published exponents, in order."""

ASSOCIATION_SCHEMA: dict[str, type[pl.DataType]] = {
    "family": pl.String,
    "channel": pl.String,
    "metric": pl.String,
    "n_steps": pl.Int64,
    "pearson": pl.Float64,
    "partial": pl.Float64,
}
"""Columns of the published associations, in order."""


def published_exponents() -> pl.DataFrame:
    """The published numbers, one a row.

    ``variant`` is "real", "N0" or "real - N0"; ``quantity`` an exponent, a mean R2 (``r2_z``), the coefficient of
    variation of v_rel over the scales (``cv_v_rel``, a fraction), or a share of the null difference of z
    (``dist_share_z``, ``assign_share_z``). ``sd`` is the spread over the window's steps, not a standard error;
    ``approximate`` marks values given as "about"; ``over`` is "window" or "run" (all steps).
    """
    rows = [
        {"family": known.name, **value.model_dump(), "field": value.field or known.fields[0]}
        for known in families.families().values()
        if known.published
        for value in known.published.values
    ]
    return pl.DataFrame(rows, schema=EXPONENT_SCHEMA, orient="row")


def published_associations() -> pl.DataFrame:
    """The published correlations of channels with external metrics along training, named as in `associations`.

    ``v_rel`` and ``duration_per_n`` are means over the scales; ``partial`` is residualised on the learning rate. For
    Pico-LM the paper also states, without numbers, that within each model log perplexity goes with v_rel and against
    n_steps / N.
    """
    rows = [
        {"family": known.name, **value.model_dump()}
        for known in families.families().values()
        if known.published
        for value in known.published.associations
    ]
    return pl.DataFrame(rows, schema=ASSOCIATION_SCHEMA, orient="row")
