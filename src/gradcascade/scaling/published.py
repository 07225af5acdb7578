"""The published values of arXiv:2605.02968 as tables, to set one's own beside them."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import polars as pl

EXPONENT_SCHEMA: dict[str, type[pl.DataType]] = {
    "family": pl.String,
    "field": pl.String,
    "variant": pl.String,
    "quantity": pl.String,
    "value": pl.Float64,
    "sd": pl.Float64,
    "approximate": pl.Boolean,
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
    """Give the published window means.

    Returns
    -------
    polars.DataFrame
        ``family, field, variant, quantity, value, sd, approximate``. ``variant`` is "real", "N0" or "real - N0";
        ``quantity`` an exponent, a mean R2 (``r2_z``), the coefficient of variation of v_rel over the scales
        (``cv_v_rel``, a fraction), or the share of a null difference of z over the full run (``dist_share_z``,
        ``assign_share_z``). ``sd`` is the spread over the window's steps, no standard error; null where none is
        given. ``approximate`` marks values that are given as "about".
    """
    return pl.DataFrame(_content()["exponents"], schema=EXPONENT_SCHEMA, orient="row")


def published_associations() -> pl.DataFrame:
    """Give the published correlations of channels with external metrics along training.

    Returns
    -------
    polars.DataFrame
        ``family, channel, metric, n_steps, pearson, partial``, names as in
        :func:`gradcascade.performance.association.associations` (``v_rel`` and ``duration_per_n`` are means over the
        scales); ``partial`` is residualised on the learning rate; null where it is not given. For Pico-LM the paper
        also states, without numbers, that within each model log perplexity goes with v_rel and against n_steps / N.
    """
    return pl.DataFrame(_content()["associations"], schema=ASSOCIATION_SCHEMA, orient="row")


def _content() -> dict[str, Any]:
    return json.loads(resources.files("gradcascade.scaling").joinpath("published.json").read_text(encoding="utf-8"))
