"""Null differences of exponents, split into the distribution of the values and their assignment to nodes."""

from __future__ import annotations

import polars as pl

from gradcascade import vocabulary
from gradcascade.scaling.fits import exponent_place
from gradcascade.scaling.table_checks import require_columns, require_unique, spread
from gradcascade.scaling.windows import Window, in_window
from gradcascade.vocabulary import PUBLISHED_NULLS, REAL

VARIANTS = (REAL, *PUBLISHED_NULLS)
"""The real field and its three published nulls."""

DIFFERENCES = tuple(vocabulary.DIFFERENCES)
"""``total = real - N0`` is the sum of ``dist = N2 - N0`` and ``assign = real - N2``."""

_KEYS = ("family", "field", "step", "exponent")
_GROUP = ("family", "field", "exponent")


def decompose(fits: pl.DataFrame) -> pl.DataFrame:
    """Compare every exponent with those of the nulls at the same step (arXiv:2605.02968).

    Parameters
    ----------
    fits : polars.DataFrame
        From :func:`gradcascade.scaling.exponents.fit_exponents`.

    Returns
    -------
    polars.DataFrame
        Sorted, one row per ``family, field, step, exponent``: the exponent of ``real, N0, N1, N2``, and ``total``,
        ``dist`` and ``assign`` (see :data:`DIFFERENCES`); null where a variant was not measured or not fitted.

    Raises
    ------
    InputError
        If columns are missing, or an exponent is given twice.
    """
    what = "table of fits"
    require_columns(fits, (*_KEYS, "variant", "value"), what)
    require_unique(fits, [*_KEYS, "variant"], what, "decompose the fits of one study at a time")
    differences = {name: pl.col(d.minuend) - pl.col(d.subtrahend) for name, d in vocabulary.DIFFERENCES.items()}
    return (
        spread(fits, _KEYS, "variant", VARIANTS, "value")
        .with_columns(**differences)
        .sort("family", "field", "step", exponent_place())
    )


def summarise_decomposition(decomposition: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Mean and standard deviation of the null differences over a window of steps."""
    require_columns(decomposition, (*_KEYS, *DIFFERENCES), "table of null differences")
    complete = pl.all_horizontal(pl.col(name).is_not_null() for name in DIFFERENCES)
    used = in_window(decomposition, window) & decomposition.select(complete.alias("use")).get_column("use")
    cells = []
    for name in DIFFERENCES:
        inside = pl.col(name).filter("_used")
        cells += [inside.mean().alias(name), inside.std().alias(f"{name}_sd")]
    dist, assign = pl.col("dist").abs(), pl.col("assign").abs()
    both = pl.when(dist + assign > 0).then(dist + assign)
    return (
        decomposition.with_columns(used.alias("_used"))
        .sort("family", "field", "step", maintain_order=True)
        .group_by(*_GROUP, maintain_order=True)
        .agg(*cells, n_steps=pl.col("_used").sum().cast(pl.Int64))
        .with_columns(dist_share=dist / both, assign_share=assign / both)
        .select(
            *_GROUP, *(part for d in DIFFERENCES for part in (d, f"{d}_sd")), "dist_share", "assign_share", "n_steps"
        )
    )


def null_parts(decomposition: pl.DataFrame) -> pl.DataFrame:
    """One row per ``family, field, exponent, step, part`` with its ``value``, null where it is unknown."""
    return decomposition.unpivot(list(DIFFERENCES), index=[*_GROUP, "step"], variable_name="part", value_name="value")


def window_null_parts(decomposition: pl.DataFrame, window: Window = None) -> pl.DataFrame:
    """Mean and SD over steps of every part over the window: ``family, field, exponent, part, value, sd``.

    Over the steps with all three parts; where a null was not measured and there is none, over those of each part.
    """
    parts = null_parts(decomposition)
    inside = parts.filter(in_window(parts, window)) if parts.height else parts
    alone = inside.group_by(*_GROUP, "part").agg(value=pl.col("value").mean(), sd=pl.col("value").std())
    whole = summarise_decomposition(decomposition, window).filter(pl.col("n_steps") > 0)
    split = pl.concat(
        [
            alone.clear(),
            *(
                whole.select(*_GROUP, part=pl.lit(name), value=name, sd=f"{name}_sd").select(alone.columns)
                for name in DIFFERENCES
            ),
        ]
    )
    return pl.concat([split, alone.join(split, on=_GROUP, how="anti")]).sort(*_GROUP, "part")
