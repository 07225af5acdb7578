"""The channels of every cascade, and the points on logarithms that exponents are fitted to (arXiv:2605.02968)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import mul

import numpy as np
import polars as pl

from gradcascade.errors import InputError
from gradcascade.scaling.regression import group_means
from gradcascade.scaling.tables import (
    FIT_KEYS,
    group_starts,
    require_columns,
    require_numbers,
    require_unique,
    require_values,
)
from gradcascade.vocabulary import CHANNELS

QUANTITIES = {name: pl.col(name).cast(pl.Float64) for name in ("n", "size", "duration")}
"""What the powers of a channel are of, as expressions of the columns of a cascade."""

PUBLISHED_MAX_STEPS = 500
"""Duration that marks a ceiling cascade in a table that does not say so itself (arXiv:2605.02968)."""

_LABELS = ("family", "field", "variant", "scale")
_NUMBERS = ("step", "n", "size", "duration")
_WHAT = "table of cascades"


def channels(cascades: pl.DataFrame) -> pl.DataFrame:
    """Add the channels of every cascade, and whether it may enter a fit.

    Parameters
    ----------
    cascades : polars.DataFrame
        At least ``family, field, variant, step, scale, n, size, duration``; ``replicate``, ``ceiling``,
        ``zero_share`` and ``content_hash`` are used where present. Without ``ceiling``, a duration of 500 is one.

    Returns
    -------
    polars.DataFrame
        The same rows and columns, in the same order, and ``v_abs = size / duration`` (events per step),
        ``v_rel = v_abs / n``, ``size_per_n``, ``duration_per_n``, ``included`` and ``reason``: null, or in words why
        the cascade is left out of the fits (no active node at all, the ceiling, or values that another scale of the
        family has too: one model under two names). ``v_abs`` and ``v_rel`` are null where the duration is zero.

    Raises
    ------
    InputError
        If columns or values are missing or impossible, or two rows describe the same measurement.
    """
    _check(cascades)
    at_limit = pl.col("duration") == PUBLISHED_MAX_STEPS
    ceiling = pl.col("ceiling").fill_null(at_limit) if "ceiling" in cascades.columns else at_limit
    all_zero = (pl.col("zero_share") == 1.0).fill_null(False) if "zero_share" in cascades.columns else pl.lit(False)
    reason = (
        pl.when((pl.col("size") == 0) & all_zero)
        .then(pl.lit("has an all-zero field"))
        .when(pl.col("size") == 0)
        .then(pl.lit("has size 0 (no node was ever active)"))
        .when(ceiling)
        .then(pl.lit("reached the ceiling"))
        .otherwise(_same_values(cascades))
    )
    return cascades.with_columns(
        **{name: _product(channel.powers) for name, channel in CHANNELS.items() if name not in QUANTITIES},
        size_per_n=_product({"size": 1, "n": -1}),
        duration_per_n=_product({"duration": 1, "n": -1}),
        included=reason.is_null(),
        reason=reason,
    )


def _product(powers: Mapping[str, int]) -> pl.Expr:
    """Multiply powers of quantities; null where one that is divided by is zero."""
    above, below = (
        [QUANTITIES[name] for name, power in powers.items() for _ in range(sign * power)] for sign in (1, -1)
    )
    top = reduce(mul, above) if above else pl.lit(1.0)
    return pl.when(pl.all_horizontal(part > 0 for part in below)).then(top / reduce(mul, below)) if below else top


def _same_values(cascades: pl.DataFrame) -> pl.Series:
    """Say of a cascade that its field was measured under the name of another scale too; null of all others.

    A run that was renamed, or measured again beside others under a longer name, is one model: of its names, the one
    with the most cascades counts.
    """
    if "content_hash" not in cascades.columns or not cascades.height:
        return pl.Series([None] * cascades.height, dtype=pl.String)
    named = cascades.with_columns(
        pl.col("family", "field", "scale").cast(pl.String), _fewer=-pl.len().over("family", "scale").cast(pl.Int64)
    )
    field = ("family", "field", "step", "n", "content_hash")
    kept = pl.col("scale").sort_by("_fewer", "scale").first().over(*field)
    other = pl.col("content_hash").is_not_null() & (pl.col("scale") != kept)
    return named.select(pl.when(other).then(pl.format("has the same values as scale {}", kept))).to_series()


def prepared(cascades: pl.DataFrame, keep: Sequence[str] = ()) -> pl.DataFrame:
    """Check a table of cascades and sort it for fitting.

    Parameters
    ----------
    cascades : polars.DataFrame
        As for :func:`channels`.
    keep : sequence of str
        Further columns to keep.

    Returns
    -------
    polars.DataFrame
        Every row, sorted by ``family, field, variant, step, scale, replicate``, with ``n, size, duration, v_abs,
        v_rel, included, reason`` and ``keep``.

    Raises
    ------
    InputError
        As :func:`channels`, or if the fields of one scale differ in n at one step.
    """
    order = [*FIT_KEYS, "scale", "replicate"]
    rows = channels(_with_replicate(cascades)).with_columns(
        pl.col(*_LABELS).cast(pl.String), pl.col("step").cast(pl.Int64)
    )
    rows = rows.select(*order, "n", *CHANNELS, "included", "reason", *keep).sort(order)
    _check_one_n(rows.filter("included"))
    return rows


def log_points(rows: pl.DataFrame) -> pl.DataFrame:
    """Average the logarithms over the replicates of every scale: the points that the lines are fitted to.

    Parameters
    ----------
    rows : polars.DataFrame
        From :func:`prepared`.

    Returns
    -------
    polars.DataFrame
        Sorted, one row per ``family, field, variant, step, scale`` with an included cascade: ``n`` and the means
        ``log_n, log_size, log_duration, log_v_abs, log_v_rel`` (natural logarithms).
    """
    included = rows.filter("included")
    starts = group_starts(included, [*FIT_KEYS, "scale"])
    logs = {
        f"log_{name}": group_means(np.log(included.get_column(name).cast(pl.Float64).to_numpy()), starts)
        for name in ("n", *CHANNELS)
    }
    return included.select(*FIT_KEYS, "scale", "n")[starts].with_columns(
        pl.Series(name, values, dtype=pl.Float64) for name, values in logs.items()
    )


def _check(cascades: pl.DataFrame) -> None:
    """Refuse what no relaxation can have produced."""
    require_columns(cascades, (*_LABELS, *_NUMBERS), _WHAT)
    require_values(cascades, (*_LABELS, *_NUMBERS), _WHAT)
    require_numbers(cascades, _NUMBERS, _WHAT)
    if not cascades.height:
        return
    impossible = {
        "n below 1": pl.col("n") < 1,
        "a negative size": pl.col("size") < 0,
        "a negative duration": pl.col("duration") < 0,
        "a size above 0 with a duration of 0": (pl.col("size") > 0) & (pl.col("duration") == 0),
    }
    for words, rule in impossible.items():
        wrong = cascades.select(rule.alias("wrong")).get_column("wrong")
        if wrong.any():
            row = cascades.select("scale", "step").row(int(wrong.arg_max() or 0))
            raise InputError(
                f"the {_WHAT} has {words} in {wrong.sum()} of {cascades.height} rows, first at scale {row[0]}, "
                f"step {row[1]}; measure these cascades again or drop them"
            )
    key = [*FIT_KEYS, "scale", *(["replicate"] if "replicate" in cascades.columns else [])]
    require_unique(
        cascades, key, _WHAT, "keep one of them, for example the cascades of one probe, or number them as replicates"
    )


def _check_one_n(rows: pl.DataFrame) -> None:
    """A scale is one field size; two of them under one name would be averaged into a size that no model has."""
    counts = rows.group_by(*FIT_KEYS, "scale").agg(pl.col("n").min().alias("least"), pl.col("n").max().alias("most"))
    mixed = counts.filter(pl.col("least") != pl.col("most")).sort(*FIT_KEYS, "scale")
    if mixed.height:
        row = mixed.row(0, named=True)
        raise InputError(
            f"scale {row['scale']} of {row['family']} has fields of {row['least']} and of {row['most']} entries at "
            f"step {row['step']}; give the two field sizes two scale names"
        )


def _with_replicate(cascades: pl.DataFrame) -> pl.DataFrame:
    if "replicate" in cascades.columns:
        return cascades
    return cascades.with_columns(replicate=pl.lit(0, dtype=pl.Int64))
